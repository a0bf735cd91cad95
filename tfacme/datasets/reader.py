"""Reading RLDS data sets: episodes of any `tfds` data set of steps, one at a time and in any order."""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import time
from typing import Any, Container, Dict, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from tfacme import core, errors
from tfacme.datasets import choosing, examples, folder, looking, ranges, several
from tfacme.datasets import episodes as episodes_lib
from tfacme.datasets import layout as layout_lib
from tfacme.datasets import shards as shards_lib
from tfacme.datasets.options import Options

_LOG = logging.getLogger('tfacme')
_LOOKED_AT = 1 << 28  # bytes of episodes, before a run starts
_EPISODES_LOOKED_AT = 20_000  # at the most of them, for episodes so short that it is their number that takes long
_KEPT = 8  # data sets that stay open
_PATIENCE = 5.0  # seconds without a line


@dataclasses.dataclass(frozen=True)
class RLDS:
  """A data set in a folder; see `rlds`.

  It has the files that are there when it is first opened, and so have its copies in other processes: what is recorded
  meanwhile would give its episodes other numbers.
  """

  path: str
  options: Options = Options()

  def __post_init__(self):
    # An environment may go to another folder. No field: a data set is called by the path that was given.
    object.__setattr__(self, '_absolute', folder.absolute(self.path))
    object.__setattr__(self, '_data_dir', self.options.folder)

  def __getstate__(self) -> Dict[str, Any]:
    return {name: value for name, value in self.__dict__.items() if name != '_opened'}

  @property
  def id(self) -> str:
    """Names the data set; `options.changed` is told beside it."""
    return f'RLDS(path={self.path!r}, split={self.split!r})'

  @property
  def split(self) -> str:
    """The split that is read, or a part of one."""
    return self.options.split

  @property
  def folder(self) -> str:
    """The folder that it is in; raises a `UserError` if there is none."""
    return folder.place(self._absolute, self._data_dir)  # type: ignore[attr-defined]

  @property
  def shards(self) -> Sequence[folder.Shard]:
    """The files that the split is in."""
    return self._opened.shards

  @property
  def size(self) -> int:
    """How many episodes are read, with those that have no transition."""
    return len(self._numbers(self._open()))

  @property
  def block_bytes(self) -> int:
    """The size of the blocks of episodes over which their items are shuffled."""
    return self.options.block_megabytes << 20

  @property
  def lacks(self) -> Tuple[str, ...]:
    """What of its rows it does not say: 'reward', or the 'discount', so how episodes end; zeros or ones stand there."""
    return self._open().layout.lacks

  @property
  def left_out(self) -> Sequence[str]:
    """What of its steps is not read, in words."""
    return [f'{name} is {what}' for name, what in sorted(self._open().layout.left_out.items())]

  def episodes(self, seed: int = 0) -> Iterator[core.Step]:
    """One pass over all episodes, in an order that is a function of the seed.

    All episodes are shuffled, whatever file they lie in, and decoded one by one.

    Raises:
      UserError: if a file is missing, cut or altered, or if it does not hold what the folder says.
    """
    opened = self._open()
    for number in self._order(opened, seed):
      step = opened.step(number)
      if step is not None:
        yield step

  def recorded(self, look: Optional[looking.Look] = None) -> Iterator[layout_lib.Recorded]:
    """One pass over all episodes in the order of the files, with their numbers and their metadata.

    Args:
      look: takes in what is read; see `look`.
    """
    opened = self._open()
    for number in self._numbers(opened):
      example = opened.example(number)
      stream = opened.stream(number, opened.layout.read(*example), look)
      if stream is not None:
        metadata = opened.layout.metadata_of(*example)
        if look is not None:
          look.episode(metadata)
        yield layout_lib.Recorded(number, opened.layout.step(stream), metadata)

  def look(self, action_spec: Any = None) -> looking.Look:
    """What a pass over all episodes may take along: for what is to be said of them, and instead of a look by `fit`.

    Args:
      action_spec: of an environment; without one it is not seen which of several choices at once are illegal.
    """
    return looking.Look(self._open().layout, action_spec)

  def lengths(self, seed: int = 0) -> Iterator[int]:
    """The transitions of each episode of a pass, in the same order; what was read before is not read for that."""
    opened = self._open()
    return filter(None, (opened.length(number) for number in self._order(opened, seed)))

  def spec(self) -> core.Step:
    """The spec of one row."""
    return self._open().layout.spec()

  def check(self) -> ranges.Ranges:
    """Looks whether all files are there and whole, and at the values of episodes: 256 MB of them, or 20,000, at most.

    Of a larger data set those are looked at that are spread evenly over all; the others are when they are read.

    Returns:
      The ranges of all values that it has looked at, but of pictures.

    Raises:
      UserError: if the folder or a shard is missing, is no RLDS data set, is empty, cut or altered, holds a NaN or
        an action that is illegal by its own mask, or does not say what its last rows are.
    """
    opened = self._open()
    look, wholly = looking.Look(opened.layout), set()
    for number in opened.spread(self._numbers(opened), _LOOKED_AT, _EPISODES_LOOKED_AT):
      shard, example = opened.which[number], opened.example(number)
      look.episode(opened.layout.metadata_of(*example))
      opened.stream(number, opened.layout.read(*example, cheap=shard in wholly), look)
      wholly.add(shard)
    found = look.result()
    look.warn()
    return found

  def _numbers(self, opened: _Opened) -> Sequence[int]:
    """The numbers of the episodes that are read, in order."""
    return self._chosen if self.options.chooses else range(len(opened.which))

  def _order(self, opened: _Opened, seed: int) -> Iterator[int]:
    """Those numbers in the order of a pass."""
    return map(int, np.random.default_rng(seed).permutation(self._numbers(opened)))

  @functools.cached_property
  def _chosen(self) -> Sequence[int]:
    opened = self._open()
    choosing.check_returns(self.options, opened.layout.lacks, opened.layout.name)
    facts = opened.facts(choosing.needs_steps(self.options, opened.layout.metadata))
    return choosing.choose(facts, self.options, opened.layout.name)

  @functools.cached_property
  def _files(self) -> _Files:
    path = self.folder
    return _Files(path, tuple(folder.shards(_builder(path, folder.state(path)), path, self.options.split)))

  @functools.cached_property
  def _opened(self) -> _Opened:
    return _opened(self._files, folder.states(self._files.shards), f'the data set {self.path}', self.options)

  def _open(self) -> _Opened:
    """What its episodes are read by; raises a `UserError` if a file is not what it was."""
    self._opened.check_files()
    return self._opened


class _Files(NamedTuple):
  """What of a folder is read."""

  path: str
  shards: Tuple[folder.Shard, ...]


@functools.lru_cache(maxsize=_KEPT)
def _builder(path: str, state: Tuple[Any, ...]) -> Any:
  """The `tfds` builder of a folder whose files are in a state."""
  del state
  return folder.builder(path)


@functools.lru_cache(maxsize=_KEPT)
def _opened(files: _Files, states: Tuple[Any, ...], name: str, options: Options) -> _Opened:
  """A data set whose episodes can be read; the same one as long as its files are in the same states."""
  info = _builder(files.path, folder.state(files.path)).info
  layout = layout_lib.of_features(info.features, name, options, is_own=info.name == shards_lib.NAME)
  return _Opened(layout, files.shards, states)


class _Opened:
  """A data set whose episodes can be read."""

  def __init__(self, layout: layout_lib.Layout, shards: Sequence[folder.Shard], states: Sequence[Any]):
    self.shards = shards
    self._layout, self._states = layout, states

  def check_files(self) -> None:
    """Raises a `UserError` if a file is another one than when it was opened."""
    for shard, before, now in zip(self.shards, self._states, folder.states(self.shards)):
      if before is not None and now is not None and before != now:  # One that is gone is told where it is read.
        raise folder.altered(shard.path)

  @functools.cached_property
  def layout(self) -> layout_lib.Layout:
    """What its episodes look like: with all shapes and types, where some are known of the values alone."""
    return self._closed(self._layout) if self._layout.is_open else self._layout

  @functools.cached_property
  def which(self) -> np.ndarray:
    """The number of the shard of each episode."""
    return np.repeat(np.arange(len(self.shards)), [len(offsets) for offsets, _ in self._places])

  def example(self, number: int, names: Optional[Container[str]] = None) -> Tuple[layout_lib.Example, str]:
    """The columns of an episode, or those of some names, and the file that it is in."""
    shard = self.shards[self.which[number]]
    offset, length = self._flat_places[:, number]
    data = shard.read(int(offset), int(length))
    with layout_lib.decoding(shard.path):
      return examples.decode(data, names), shard.path

  def facts(self, steps: bool) -> Iterator[Tuple[int, Mapping[str, Any]]]:
    """(number, what episodes can be chosen by) of each; with `steps`, of each that has a transition.

    It says so if that takes long.

    Args:
      steps: whether they can be chosen by what their steps say too.
    """
    names = self.layout.outline_names if steps else self.layout.metadata
    for number in _told_of(len(self.which), self.layout.name):
      example = self.example(number, names)
      if not steps:
        yield number, self.layout.metadata_of(*example)
        continue
      stream = self.stream(number, self.layout.outline(*example))
      if stream is not None:
        own = {'return': episodes_lib.return_of(stream['reward']), 'length': len(stream['reward']) - 1}
        yield number, {**self.layout.metadata_of(*example), **own}

  def spread(self, numbers: Sequence[int], size: int, most: int) -> Sequence[int]:
    """Of some episodes as many as take so many bytes, at the most so many, evenly spread, with one of each shard."""
    most = min(most, int(size / max(1, self._flat_places[1].mean()))) if len(numbers) else 0
    if len(numbers) <= most:
      return numbers
    _, firsts = np.unique(self.which[numbers], return_index=True)
    places = np.union1d(firsts, np.linspace(0, len(numbers) - 1, max(1, most)).astype(np.int64))
    return np.asarray(numbers)[places].tolist()

  def stream(
    self, number: int, leaves: Optional[Dict[str, np.ndarray]], look: Optional[looking.Look] = None
  ) -> Optional[Dict[str, np.ndarray]]:
    """The leaves of an episode as they are in the stream, or None if it has no transition.

    Args:
      number: of the episode.
      leaves: of it, as they were recorded, which are altered.
      look: takes in both.
    """
    if look is not None:
      look.recorded(leaves)
    stream = None if leaves is None else self.layout.settled(leaves, number)
    self._lengths[number] = 0 if stream is None else len(stream['discount']) - 1
    if look is not None and stream is not None:
      look.stream(number, stream)
    return stream

  def step(self, number: int) -> Optional[core.Step]:
    """An episode, or None if it has no transition."""
    stream = self.stream(number, self.layout.read(*self.example(number)))
    return None if stream is None else self.layout.step(stream)

  def length(self, number: int) -> int:
    """How many transitions an episode has, which is read if it was not yet."""
    if self._lengths[number] < 0:
      self.stream(number, self.layout.outline(*self.example(number, self.layout.outline_names)))
    return int(self._lengths[number])

  @functools.cached_property
  def _lengths(self) -> np.ndarray:
    """Transitions of each episode, -1 where it was not read yet."""
    return np.full(len(self.which), -1, np.int64)

  @functools.cached_property
  def _places(self) -> Sequence[Any]:
    return [shard.places() for shard in self.shards]

  @functools.cached_property
  def _flat_places(self) -> np.ndarray:
    """Offset and length of each episode, [2, episodes]."""
    return np.concatenate(self._places, axis=1)

  def _closed(self, layout: layout_lib.Layout) -> layout_lib.Layout:
    """The layout with the shapes and types of the first episode that has a row."""
    closed = (layout.closed(*self.example(number)) for number in range(len(self.which)))
    found = next((one for one in closed if one is not None), None)
    if found is None:
      raise errors.UserError(f'None of the episodes of {layout.name} has a row, so there is nothing to learn from.')
    return found


def _told_of(count: int, name: str) -> Iterator[int]:
  """The numbers of the episodes of a data set, to choose among; says once how far it is if that takes long."""
  patient_until = time.monotonic() + _PATIENCE
  for number in range(count):
    if time.monotonic() > patient_until:
      patient_until = float('inf')
      _LOG.warning('All of %s is read to choose its episodes: %d%% so far.', name, 100 * number // count)
    yield number


def named(names: Sequence[str], options: Options = Options()) -> Any:
  """The data set that a command line names: one or several, each as `rlds` takes it.

  Args:
    names: a folder each, or tfds:NAME[/CONFIG][:VERSION].
    options: how they are read.

  Raises:
    UserError: if one is not there, or unless there are as many shares.
  """
  own = dataclasses.replace(options, shares=())
  found = [rlds(name, options=own) for name in names]
  for name in names:
    place = os.path.expanduser(folder.place(name, options.folder))
    folder.check(place)
    if folder.left_open(place):
      _LOG.warning(
        'What is in %s is not read: its recording goes on or was killed; tfacme data %s --recover takes it in.',
        errors.listed(folder.left_open(place)),
        name,
      )
  if len(found) == 1 and not options.shares:
    return found[0]
  return several.several(found, options.shares)


def names(dataset: Any) -> Tuple[Tuple[str, ...], Options]:
  """(names, options) of which `named` makes such a data set; without names if it makes none such."""
  parts = dataset.datasets if isinstance(dataset, several.Several) else (dataset,)
  options = getattr(parts[0], 'options', None)
  if not all(isinstance(part, RLDS) and part.options == options for part in parts):
    return (), Options()
  return tuple(part.path for part in parts), dataclasses.replace(options, shares=getattr(dataset, 'shares', ()))


def rlds(path: str, split: Optional[str] = None, options: Options = Options()) -> RLDS:
  """The RLDS data set in a folder, whoever wrote it.

  Values are in single precision, as those of environments are; whole numbers have 64 bits where those of the first
  episode need them, or where a recording took them from an environment that does not bound them. A reward belongs to
  the observation and action of its own row. Whether an episode was terminated or truncated is taken from `is_terminal`,
  because many data sets close with a discount of zero in either case: the last transition of a truncated episode keeps
  a discount of one. Of the additional fields of a step, `extras` is read, and no other; of all fields, what is no
  number is left out.

  Args:
    path: the folder with `features.json`; or tfds:NAME[/CONFIG][:VERSION] for one in the folder of `tfds`, the newest
      version if none is given.
    split: of the data set, or a part of one, such as 'train[:10%]'; None is that of the options.
    options: how it is read.
  """
  return RLDS(os.fspath(path), options if split is None else dataclasses.replace(options, split=split))
