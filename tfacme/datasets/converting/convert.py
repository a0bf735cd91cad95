"""From a source of episodes to an RLDS data set."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from typing import Iterator, Mapping, NamedTuple, Optional

from tfacme import errors
from tfacme.datasets import episodes as episodes_lib
from tfacme.datasets import folder, metadata, writer
from tfacme.datasets.converting import arrays, minari, transitions

_LOG = logging.getLogger('tfacme')
_PART = '.incomplete'  # behind the name of the folder until all is there


class _Source(NamedTuple):
  """What is converted."""

  episodes: Iterator[transitions.Episode]
  beside: Mapping[str, str]  # what is known of all of them


class Counts(NamedTuple):
  """What was converted."""

  episodes: int
  steps: int


def convert(source: str, out: str, max_episode_steps: Optional[int] = None) -> Counts:
  """Writes recorded data of another format as an RLDS data set.

  The data are read and written an episode at a time. The folder gets its name when all is in it. Episodes that hold a
  NaN or an infinity are left out, with a warning. Real numbers are written in single precision, and whole numbers in
  the type that they have in the source. Beside the steps of each lies what is known of it (see `metadata.CONVERTED`).

  Args:
    source: an HDF5 file as D4RL has them, an `.npz` file of arrays with the same names (see `arrays`), `minari:ID`, or
      the folder of a Minari data set.
    out: the folder, which is new or empty.
    max_episode_steps: of files of arrays that do not say where an episode was truncated: at so many steps.

  Raises:
    UserError: if the source can't be read, or has no episode; if it is an RLDS data set already; if there is something
      in the folder.
  """
  out = os.path.abspath(os.path.expanduser(os.fspath(out)))
  if os.path.lexists(out) and not (os.path.isdir(out) and not os.listdir(out)):
    raise errors.UserError(f'There is something in {out} already, and data are converted into a new folder: name one.')
  if max_episode_steps is not None:
    errors.count('max_episode_steps', max_episode_steps)
  part = out + _PART
  shutil.rmtree(part, ignore_errors=True)  # of a conversion that was killed
  try:
    with _opened(source, max_episode_steps) as opened:
      counts = _write(opened, part, source)
    with errors.writing('The folder', out):
      os.replace(part, out)  # It is refused if there is anything in the folder.
  finally:
    shutil.rmtree(part, ignore_errors=True)
  return counts


@contextlib.contextmanager
def _opened(source: str, max_episode_steps: Optional[int]) -> Iterator[_Source]:
  """What a source holds."""
  if folder.holds(source):
    raise errors.UserError(f'{source} is an RLDS data set already: give it as --dataset.')
  if not source.startswith(minari.PREFIX) and not os.path.isdir(source):
    with arrays.opened(source, max_episode_steps) as episodes:
      name = os.path.splitext(os.path.basename(source))[0]
      yield _Source(episodes, {'environment': '', 'dataset': name, 'source': source})
    return
  if max_episode_steps is not None:
    raise errors.UserError('A Minari data set says where its episodes end: leave --max-episode-steps out.')
  dataset = minari.load(source)
  with contextlib.closing(minari.episodes(dataset)) as episodes:
    yield _Source(episodes, {**minari.beside(dataset), 'source': source})


def _write(opened: _Source, path: str, source: str) -> Counts:
  """Writes what can be learned from."""
  written = steps = left = lost = 0
  first = ''
  with contextlib.ExitStack() as stack:
    out: Optional[writer.RLDSWriter] = None
    for episode in opened.episodes:
      step = episode.step
      if episode.strange:
        first, left, lost = first or episode.strange, left + 1, lost + len(step.last) - 1
        continue
      row = episodes_lib.row_spec(step)
      out = out or stack.enter_context(writer.RLDSWriter(path, row, metadata=metadata.CONVERTED))
      out.write(step, {**metadata.counts(step), **opened.beside})
      written, steps = written + 1, steps + len(step.last) - 1
  if left:
    _LOG.warning(
      '%s: %d of %d episodes, with %d of %d steps, hold a NaN or an infinity and are left out; the first is %s.',
      source,
      left,
      left + written,
      lost,
      lost + steps,
      first,
    )
  if not written:
    raise errors.UserError(f'There is no episode in {source} that can be learned from.')
  return Counts(written, steps)
