"""The replays of a run's nodes: what each is made of, and what a checkpoint has of it."""

from __future__ import annotations

import dataclasses
import logging
import os
from typing import Any, Callable, Optional, Sequence

from tfacme import checkpoints, errors
from tfacme.graph import plan as plan_lib
from tfacme.replay import numpy_replay, packing, reverb_replay, reverb_tables, servers, tables

_LOG = logging.getLogger('tfacme')


@dataclasses.dataclass(frozen=True)
class ReplayParts:
  """What a replay is made of.

  Attributes:
    described: its tables.
    codec: of its rows.
    seed: of what it draws, where that can be seeded.
    checkpoint: to resume from, or None.
    name: of its node.
    names: of all replays of the run.
  """

  described: Sequence[tables.Table]
  codec: packing.Codec
  seed: int
  checkpoint: Optional[str]
  name: str
  names: Sequence[str]

  @classmethod
  def of(cls, plan: plan_lib.Plan, index: int = 0) -> ReplayParts:
    """Those of a plan, without the rest of it."""
    names = plan.replays
    described = plan.described if len(names) == 1 else [servers.part(table, len(names)) for table in plan.described]
    return cls(described, plan.codec, plan.seed('replay', index), plan.checkpoint, names[index], names)


def served_tables(parts: ReplayParts) -> Sequence[Any]:
  """What a server of Reverb starts with; it restores them itself, from its own folder."""
  _can_restore(parts, reverb_replay.can_restore)
  return reverb_tables.server_tables(parts.described, parts.codec)


def in_process(parts: ReplayParts) -> numpy_replay.NumpyReplay:
  replay = numpy_replay.NumpyReplay(parts.codec, parts.described, parts.seed)
  if _can_restore(parts, numpy_replay.can_restore):
    checkpoints.restore(parts.checkpoint, parts.name, replay.restore)
  return replay


def _can_restore(parts: ReplayParts, can_restore: Callable[[str], bool]) -> bool:
  """Whether a kind of replay can take over what the checkpoint has of one, or there is nothing to take over."""
  saved = servers.saved(parts.checkpoint)
  if not saved:
    return True
  if servers.are_saved(parts.checkpoint, parts.names):
    if can_restore(os.path.join(str(parts.checkpoint), parts.name)):
      return True
    differs = 'is of another kind (--replay)'
  else:
    differs = f'was in {errors.counted(len(saved), "server")} (--replays)'
  if parts.name == parts.names[0]:  # All the others would say the same.
    _LOG.warning('The replay in %s %s; this run starts with an empty one.', parts.checkpoint, differs)
  return False


def saved_kind(checkpoint: Optional[str]) -> Optional[str]:
  """The kind of the replay whose contents a checkpoint has; None if it has none."""
  saved = servers.saved(checkpoint)
  if not saved:
    return None
  return 'numpy' if numpy_replay.can_restore(os.path.join(str(checkpoint), saved[0])) else 'reverb'
