"""Whether an agent acts, learns and leaves a policy in an environment, and what each part of a step costs."""

from __future__ import annotations

import os
from typing import Dict, List, Mapping

import tfacme
from tfacme import errors, experiments, launching, loggers, mistakes
from tfacme.debugging import profiling
from tfacme.testing import checks, findings


def check_training(experiment: experiments.Experiment, folder: checks.Folder) -> List[findings.Finding]:
  """Runs an experiment to its end in one thread, and plays an episode of the policy that it exports.

  Args:
    experiment: an agent in an environment that `check_environment` has no faults of, with a budget of seconds.
    folder: of the run.

  Returns:
    What was found, a line for each thing that was looked at.
  """
  folder = os.fspath(folder)
  try:
    run = tfacme.train(experiment, folder, progress=False, profile='times')
  except errors.UserError as error:
    return [findings.fault('training', str(error))]
  except (launching.NodeFailed, launching.DeadlockError) as error:
    why = mistakes.describe(error.__cause__) if error.__cause__ else str(error)
    return [findings.fault('training', f'The run failed: {why}.')]
  milliseconds = _milliseconds(os.path.join(folder, profiling.FOLDER))
  found = [_learned(experiment, folder), _exported(experiment, run)]
  return [*found, findings.fine('parts of a step', _told(milliseconds), **milliseconds)] if milliseconds else found


def _learned(experiment: experiments.Experiment, folder: str) -> findings.Finding:
  steps = f'{experiment.budget.steps:,} {"learner" if experiment.offline else "environment"} steps'
  rows = loggers.read(os.path.join(folder, 'logs', 'learner.csv'))
  if rows:
    return findings.fine('training', f'{experiment.agent} took {rows[-1]["learner_steps"]} learner steps in {steps}.')
  return findings.warning(
    'training',
    f'{experiment.agent} ran for {steps} and learned nothing, since its replay never held as much as it waits for; '
    'give it more (--steps), or let it wait for less (--config).',
  )


def _exported(experiment: experiments.Experiment, run: tfacme.Run) -> findings.Finding:
  limit = experiment.evaluations[0].longest(experiment.budget)
  try:
    result = run.evaluate(1, max_episode_steps=limit)
    checks.check_actions(run)
  except (errors.UserError, AssertionError) as error:
    return findings.fault('exported policy', str(error))
  length, cut = int(result.lengths[0]), ', where it was cut off' if result.episodes_cut else ''
  return findings.fine(
    'exported policy',
    f'Loaded again, it played an episode of {length:,} steps{cut}, with a return of {result.mean:.4g}.',
  )


def _milliseconds(folder: str) -> Dict[str, float]:
  """Of an environment step its 'environment', 'acting' and 'writing'; of a learner step 'reading' and 'learning'."""
  (lane,) = profiling.lanes(folder)
  found: Dict[str, float] = {}
  for steps, names in (
    ('environments', {'environment': 'environments', 'acting': 'acting', 'writing': 'writing rows'}),
    ('learning', {'reading': 'reading batches', 'learning': 'learning'}),
  ):
    if steps in lane.parts and lane.parts[steps].calls:
      found.update({name: 1e3 * lane.parts[part].per(lane.parts[steps].calls) for name, part in names.items()})
  return found


def _told(milliseconds: Mapping[str, float]) -> str:
  def listed(names: List[str]) -> str:
    return ', '.join(f'{name} {milliseconds[name]:.3g}' for name in names)

  acted = ['environment', 'acting', 'writing']
  sentences = [f'A step takes, in ms: {listed(acted)}.'] if 'acting' in milliseconds else []
  if 'learning' in milliseconds:
    sentences.append(f'A learner step: {listed(["reading", "learning"])}.')
  return ' '.join(sentences)
