"""A run: what is in the folder that `train` leaves, and what can be done with it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import tempfile
from typing import Any, Dict, Iterator, Optional, Sequence, Union

from tfacme import checkpoints, errors, experiments, importing, seeds, specs
from tfacme.environments import mujoco_settings
from tfacme.graph import building, trained
from tfacme.runs import describing, exporting, folders, pickles
from tfacme.workers import environment_loop, export, keeping, learning, playing


class Run:
  """A run that has been trained.

  Attributes:
    workdir: its folder.
    description: what `experiment.json` says.
  """

  def __init__(self, workdir: str):
    self.description: Dict[str, Any] = describing.read(workdir)
    self.workdir = os.path.abspath(workdir)  # An environment may go to another folder.

  def __repr__(self) -> str:
    return f'<Run of {self.description["agent"]} on {self.description["environment"]} in {self.workdir}>'

  def evaluate(
    self,
    episodes: int = 20,
    seed: int = 0,
    max_episode_steps: int = experiments.MAX_EPISODE_STEPS,
    checkpoint: Union[int, str, None] = None,
  ) -> playing.Result:
    """Plays episodes with the trained policy, in new environments; cuts them off at a limit of steps, and warns.

    Args:
      episodes: how many.
      seed: of the environments and the policy.
      max_episode_steps: the limit.
      checkpoint: see `policy`.
    """
    errors.count('The number of episodes', episodes)
    errors.count('max_episode_steps', max_episode_steps)
    policy = self.policy(seed, checkpoint)
    slots = min(episodes, 10)
    environments = [self.environment(seeds.derive(seed, 'evaluate', i)) for i in range(slots)]
    try:
      spec = specs.environment_spec(environments[0])
      observers = self.experiment().observers
      player = playing.Player('The evaluation', environments, spec, max_episode_steps, observers)
      return playing.play_all(player, policy.act, episodes, max_episode_steps)
    finally:
      environment_loop.close_all(environments)

  def policy(self, seed: int = 0, checkpoint: Union[int, str, None] = None) -> export.LoadedPolicy:
    """The trained policy.

    Args:
      seed: of what it draws.
      checkpoint: the steps of a checkpoint, whose policy it is; or 'best' or another name under which the run has kept
        one. None is that of the newest checkpoint, in the end the final one.
    """
    with self._exported(checkpoint) as folder:
      return export.LoadedPolicy(folder, seed)

  @contextlib.contextmanager
  def _exported(self, checkpoint: Union[int, str, None]) -> Iterator[str]:
    """The folder of a policy's SavedModel, for a while."""
    if checkpoint is None:
      yield export.written(os.path.join(self.workdir, 'policy'))
    elif not str(checkpoint).isdigit():
      yield keeping.find(self.workdir, str(checkpoint))
    else:
      with tempfile.TemporaryDirectory() as folder:
        trained.write_policy(self.experiment(), folder, self._checkpoint(int(checkpoint), 'learner'))
        yield folder

  def _checkpoint(self, count: Optional[int], part: Optional[str] = None) -> str:
    return checkpoints.at(os.path.join(self.workdir, 'checkpoints'), count, part)

  @property
  def ended(self) -> Optional[str]:
    """Why the run ended before its budget was spent, as `on_evaluation` said; None if it did not."""
    return checkpoints.ended(os.path.join(self.workdir, 'checkpoints'))

  def checkpoints(self) -> Sequence[int]:
    """The steps at which the run has a checkpoint."""
    return checkpoints.steps(os.path.join(self.workdir, 'checkpoints'))

  def experiment(self) -> experiments.Experiment:
    """What was run; without recorded data that are too large to be kept in the run's folder."""
    return self._experiment

  @functools.cached_property
  def _experiment(self) -> experiments.Experiment:
    mujoco_settings.prepare()
    importing.search_current_folder()
    return pickles.read(os.path.join(self.workdir, folders.EXPERIMENT))

  def learner(self, checkpoint: Optional[int] = None, dataset: Any = None) -> learning.Learner:
    """The learner as it was at a checkpoint: `learner.read()` is a batch, `learner.update(batch)` a learning step.

    Args:
      checkpoint: its steps; None is the newest one.
      dataset: the recorded data of the run, if they were too large to be kept in its folder.

    Raises:
      UserError: there is no such checkpoint.
    """
    path, experiment = self._checkpoint(checkpoint), self.experiment()
    if dataset is not None:
      experiment = dataclasses.replace(experiment, dataset=dataset)
    elif self.description['dataset'] is not None and experiment.dataset is None:
      raise errors.UserError(f'The recorded data of {self.workdir} are not kept in its folder: give them as `dataset`.')
    if describing.describe(experiment, '')['builder'] != self.description['builder']:
      raise errors.UserError(
        f'The builder of {self.workdir} has too much data to be kept in its folder: tfacme.make_learner(experiment, '
        f'{path!r}) makes the learner of the whole experiment.'
      )
    return building.make_learner(experiment, path)

  def networks(self, checkpoint: Optional[int] = None) -> Any:
    """The agent's networks with the variables of a checkpoint; None is the newest one. It takes no recorded data."""
    return trained.networks(self.experiment(), self._checkpoint(checkpoint, 'learner'))

  def environment(self, seed: int = 0) -> Any:
    """A new environment like the one that it was trained in."""
    return specs.make_environment(self.experiment().environment, seed, 'evaluator')

  def export(
    self,
    path: str,
    format: Optional[str] = None,  # noqa: A002 (so is it called)
    checkpoint: Union[int, str, None] = None,
  ) -> None:
    """Writes the trained policy for those who have no tfacme; docs/serving.md tells how it is served.

    Args:
      path: a folder for a SavedModel, a file for all else.
      format: 'savedmodel', 'onnx' or 'tflite'; what it is converted to is checked on random observations. None is what
        the path's ending says (.onnx, .tflite), else 'savedmodel'.
      checkpoint: see `policy`.

    Raises:
      UserError: it does not convert to that format, and why; or the path can't be written.
    """
    chosen = exporting.format_of(path, format)
    with self._exported(checkpoint) as policy:
      if checkpoint is None:
        self.policy()  # Says so if there is none.
      exporting.export(policy, path, chosen)


def load_run(workdir: str) -> Run:
  """The run in a folder."""
  return Run(workdir)


def load_policy(workdir: str, seed: int = 0) -> export.LoadedPolicy:
  """The trained policy of the run in a folder: `action = policy(observation)`."""
  return load_run(workdir).policy(seed)
