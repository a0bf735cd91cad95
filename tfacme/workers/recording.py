"""Recording a run: the whole episodes of its actors, each actor's as a part of one RLDS data set."""

from __future__ import annotations

import logging
from typing import Any, Dict, Optional

import numpy as np

from tfacme import core, datasets, errors, experiments
from tfacme.replay import packing, streams
from tfacme.workers import counting, tallies

_LOG = logging.getLogger('tfacme')
_ROWS = 256  # for which there is room where an episode begins
RECORDED = f'{counting.OWN}recorded_episodes'  # under which name an actor counts what it has written


def check(experiment: experiments.Experiment, step_spec: core.Step) -> None:
  """Raises a `UserError` if the episodes of a run's actors, which make such rows, can't be recorded as is asked for."""
  if experiment.record is None:
    return
  if experiment.offline:
    raise errors.UserError(
      f'The episodes of actors are to be recorded in {experiment.record}, and a run of learner steps has no actors; '
      'leave record (--record) out.'
    )
  datasets.check_part(experiment.record, step_spec, datasets.METADATA, 'new')


class Recorder:
  """Writes the episodes of one actor.

  An episode is with the system before its actor reports it to the counter. So the data set has all that a checkpoint
  counts, and a run that resumes from one goes on from exactly there: what came after it is removed, as are the rows of
  the logs, since the run makes it anew.
  """

  def __init__(self, folder: str, part: str, origin: datasets.Origin, codec: packing.Codec):
    """Args: part: of the data set in the folder, which the actor alone writes; codec: of the actor's rows."""
    self._folder, self._part = folder, part
    self._origin = origin
    self._codec = codec
    self._out: Optional[datasets.RLDSWriter] = None
    self._tally: Optional[tallies.Tally] = None

  def begin(self, tally: tallies.Tally) -> None:
    """Goes on behind the episodes that the actor has counted, in `RECORDED` of its tally.

    Raises:
      UserError: if its part of the data set can't be opened.
    """
    self._tally = tally
    self._out = datasets.RLDSWriter(self._folder, self._codec.step_spec, metadata=datasets.METADATA, part=self._part)
    more = self._out.keep(tally.counts[RECORDED])
    if more:
      _LOG.warning('%s makes %d episodes anew, which it had recorded after the checkpoint.', tally.node, more)

  def around(self, writer: streams.StreamWriter) -> streams.StreamWriter:
    """The writer of a slot, whose episodes are recorded too."""
    return _Writer(writer, self._codec, self._write)

  def close(self) -> None:
    """Makes all that is written a part of the data set. Episodes that have not ended are left out."""
    if self._out is not None:
      self._out.close()

  def _write(self, columns: Dict[str, np.ndarray]) -> None:
    """Writes the packed rows of an episode, {column: uint8 [T + 1, bytes]}."""
    assert self._out is not None and self._tally is not None
    steps, versions = self._codec.views(columns)
    self._out.write(steps, datasets.metadata_of(steps, self._origin, learner_steps=int(versions[0])))
    self._tally.add(RECORDED)


class _Writer:
  """Writes one slot's stream, and keeps the rows of its episode until that is whole; a `streams.StreamWriter`."""

  def __init__(self, writer: streams.StreamWriter, codec: packing.Codec, write: Any):
    """Args: write: takes the packed rows of an episode."""
    self._writer = writer
    self._codec = codec
    self._write = write
    self._count = 0
    self._rows = codec.rows(_ROWS)

  def append(self, row: streams.Columns, last: bool) -> None:
    """See `StreamWriter`."""
    self._writer.append(row, last)
    if self._count == len(self._rows['rest']):
      more = self._codec.rows(self._count)
      self._rows = {name: np.concatenate([column, more[name]]) for name, column in self._rows.items()}
    for name, column in self._rows.items():
      column[self._count] = row[name]
    self._count += 1
    if last:
      self._write({name: column[: self._count] for name, column in self._rows.items()})
      self._count, self._rows = 0, self._codec.rows(_ROWS)

  def flush(self, wait: float, everything: bool = False) -> Optional[core.Blocked]:
    """See `StreamWriter`."""
    return self._writer.flush(wait, everything)
