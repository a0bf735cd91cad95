"""The commands that take the policy of a run: `evaluate` and `export`; `watching` has another."""

from __future__ import annotations

import dataclasses
import json as json_lib
import math
import os
import sys
from typing import Any, Dict, Mapping, Optional, Sequence

import tyro
from typing_extensions import Annotated, Literal

from tfacme import errors, experiments
from tfacme.cli import parsing, running
from tfacme.runs import reporting, rounding

_Run = tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar='RUN')]]


@dataclasses.dataclass(frozen=True)
class _EvaluateOptions:
  """Evaluates the policy of a run: episodes on its last variables, without exploration.

  Attributes:
    run: the run's folder.
    episodes: how many episodes.
    max_episode_steps: steps after which an episode is cut off, with a warning.
    seed: of the environments and of the policy.
    checkpoint: whose policy: 'best' or another name under which the run has kept one, or the steps of a checkpoint.
      None is the newest.
    json: print one JSON object with mean, standard_error (null of one episode), minimum, maximum, episodes,
      episodes_cut, and of the columns that the experiment's observers make columns, their means, and
      columns_standard_error.
  """

  run: _Run
  episodes: int = 20
  max_episode_steps: int = experiments.MAX_EPISODE_STEPS
  seed: int = 0
  checkpoint: Optional[str] = None
  json: bool = False


def evaluate(arguments: Sequence[str]) -> None:
  """Runs the command."""
  options = parsing.parse(_EvaluateOptions, arguments, 'tfacme evaluate')
  errors.count('--episodes', options.episodes)
  errors.count('--max-episode-steps', options.max_episode_steps)
  errors.count('--seed', options.seed, low=0)
  run = load_run(options.run)
  result = run.evaluate(options.episodes, options.seed, options.max_episode_steps, options.checkpoint)
  if options.json:
    print(json_lib.dumps(_plain(result)))
    return
  of = '' if math.isnan(result.standard_error) else 'mean and standard error of '
  cut = f', {result.episodes_cut} cut off' if result.episodes_cut else ''
  print(
    f'return {rounding.with_error(result.mean, result.standard_error)} '
    f'({of}{errors.counted(result.episodes, "episode")}{cut}), '
    f'from {rounding.number(result.minimum)} to {rounding.number(result.maximum)}'
  )
  for name, value in result.observed.items():
    print(f'{name} {rounding.with_error(value, result.observed_errors[name])}')
  if estimated := reporting.estimated(run.workdir, run.description, result.observed):
    print(estimated)


def _plain(result: Any) -> Dict[str, Any]:
  """A result as JSON has it, which knows no NaN."""
  values = {name: getattr(result, name) for name in ('mean', 'standard_error', 'minimum', 'maximum')}
  counts = {'episodes': int(result.episodes), 'episodes_cut': int(result.episodes_cut)}
  columns = {'columns': _numbers(result.observed), 'columns_standard_error': _numbers(result.observed_errors)}
  return {**_numbers(values), **counts, **columns}


def _numbers(values: Mapping[str, Any]) -> Dict[str, Optional[float]]:
  return {name: None if math.isnan(value) else float(value) for name, value in values.items()}


@dataclasses.dataclass(frozen=True)
class _ExportOptions:
  """Writes the policy of a run for those who have no tfacme: docs/serving.md tells how it is served.

  Attributes:
    run: the run's folder.
    out: the folder of the SavedModel, or the file of what it is converted to; None is policy, policy.onnx or
      policy.tflite.
    format: what it is written as; None is what the ending of the file says, and a SavedModel if that says nothing. A
      policy that is converted is checked on random observations. ONNX needs the packages of tfacme[serving].
    checkpoint: whose policy: 'best' or another name under which the run has kept one, or the steps of a checkpoint.
      None is the newest.
  """

  run: _Run
  out: Optional[str] = None
  format: Optional[Literal['savedmodel', 'onnx', 'tflite']] = None
  checkpoint: Optional[str] = None


def export(arguments: Sequence[str]) -> None:
  """Runs the command."""
  options = parsing.parse(_ExportOptions, arguments, 'tfacme export')
  out = options.out or ('policy' if options.format in (None, 'savedmodel') else f'policy.{options.format}')
  load_run(options.run).export(out, options.format, options.checkpoint)
  print(f'The policy is in {out}')


def load_run(path: str) -> Any:
  """The run in a folder, after a line before some silent seconds."""
  # Looked at before TensorFlow is imported, so that a wrong path is told at once.
  if not os.path.isfile(os.path.join(path, 'experiment.json')):
    raise errors.UserError(f'There is no run in {path}: it has no experiment.json; give a folder of tfacme train.')
  if sys.stderr.isatty():  # What a program reads of this command is its result alone.
    running.announce(sys.stderr)
  import tfacme

  return tfacme.load_run(path)
