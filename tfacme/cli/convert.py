"""`tfacme convert`: recorded data of other formats as an RLDS data set."""

from __future__ import annotations

import dataclasses
from typing import Optional, Sequence

import tyro
from typing_extensions import Annotated

from tfacme.cli import parsing


@dataclasses.dataclass(frozen=True)
class _ConvertOptions:
  """Writes recorded data of another format as an RLDS data set, which `tfacme train AGENT --dataset` reads.

  Attributes:
    source: a file of D4RL (.hdf5), NumPy arrays with the same names (.npz: observations, actions, rewards, terminals;
      timeouts and next_observations where they are known), minari:ID, or the folder of a Minari data set. HDF5 and
      Minari need the packages of tfacme[data].
    out: the folder of the data set.
    max_episode_steps: after which episodes were truncated; for a file that has neither timeouts nor next_observations.
  """

  source: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar='SOURCE')]]
  out: str
  max_episode_steps: Optional[int] = None


def run(arguments: Sequence[str]) -> None:
  """Runs the command."""
  options = parsing.parse(_ConvertOptions, arguments, 'tfacme convert')
  from tfacme.datasets import converting

  counts = converting.convert(options.source, options.out, options.max_episode_steps)
  print(f'{counts.episodes:,} episodes, {counts.steps:,} steps, are in {options.out}')
