"""`tfacme watch`: episodes of a policy, or of a data set."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from typing import Any, List, Optional, Sequence

import tyro
from typing_extensions import Annotated

from tfacme import datasets, environments, errors, experiments, specs
from tfacme.cli import options as options_lib
from tfacme.cli import parsing, policies, running

_Run = tyro.conf.Positional[Annotated[Optional[str], tyro.conf.arg(metavar='RUN')]]


@dataclasses.dataclass(frozen=True)
class _WatchOptions:
  """Writes episodes of a run's policy, or of a data set, as an animated GIF.

  Attributes:
    run: the run's folder.
    dataset: instead, recorded episodes: their observations, where these are images or boards.
    data: how it is read.
    env: of a data set with other observations, the id of the environment that draws them. The recorded actions are
      taken in it once more, so it has to be made with the seed of the recording.
    environment: what it is made with, beside its id.
    out: the animation's file.
    episodes: how many episodes.
    max_frames: images in all; later ones are left out.
    max_episode_steps: steps after which an episode of a policy is cut off, with a warning.
    seed: of the environment; without one, of the order of the recorded episodes.
    checkpoint: whose policy: 'best' or another name under which the run has kept one, or the steps of a checkpoint.
      None is the newest.
  """

  run: _Run = None
  dataset: Optional[str] = None
  data: options_lib.Data = datasets.Options()
  env: Optional[str] = None
  environment: options_lib.Environment = environments.Options()
  out: str = 'episode.gif'
  episodes: int = 1
  max_frames: int = 1000
  max_episode_steps: int = experiments.MAX_EPISODE_STEPS
  seed: int = 0
  checkpoint: Optional[str] = None


def run(arguments: Sequence[str]) -> None:
  """Runs the command."""
  options = parsing.parse(_WatchOptions, arguments, 'tfacme watch')
  errors.count('--seed', options.seed, low=0)
  if (options.run is None) == (options.dataset is None):
    raise errors.UserError('tfacme watch needs the folder of a run (tfacme watch RUN), or else --dataset DIR.')
  if options.run is not None and (options.env is not None or options.environment.changed):
    raise errors.UserError('tfacme watch needs --env with --dataset, and not with a run, which has its environment.')
  if options.run is None and options.checkpoint is not None:
    raise errors.UserError('tfacme watch needs --checkpoint with a run, and not with --dataset.')
  if options.env is None and options.environment.changed:
    raise errors.UserError('tfacme watch needs the id of the environment (--env ID) for options of it.')
  returns = _watch_run(options) if options.run is not None else _watch_data(options)
  shown = ', '.join(f'{value:g}' for value in returns)
  print(f'{"An episode" if len(returns) == 1 else "Episodes"} with return {shown}: {options.out}')


def _watch_run(options: Any) -> List[float]:
  from tfacme.runs import watching

  run = policies.load_run(options.run)
  policy = run.policy(checkpoint=options.checkpoint)
  out = os.path.abspath(options.out)  # An environment may go to another folder.
  with contextlib.closing(run.environment(options.seed)) as environment:
    return watching.watch(policy, environment, out, options.episodes, options.max_frames, options.max_episode_steps)


def _watch_data(options: Any) -> List[float]:
  data = datasets.named([options.dataset], options.data)
  factory = None if options.env is None else environments.factory(options.env, options.environment)
  if sys.stderr.isatty():
    running.announce(sys.stderr)
  from tfacme.runs import watching

  out = os.path.abspath(options.out)
  if factory is None:
    return watching.watch_recorded(data, out, options.episodes, options.max_frames, options.seed)
  data = datasets.fit(data, factory, specs.read_spec(factory, options.seed), rewards=not data.lacks)
  with contextlib.closing(factory(options.seed)) as environment:
    return watching.watch_again(data, environment, out, options.episodes, options.max_frames)
