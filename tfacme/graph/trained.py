"""An agent as it was trained, without the nodes of its run: its networks and its policy, from what a learner saved."""

from __future__ import annotations

import os
from typing import Any

from tfacme import checkpoints, errors, experiments, mistakes, seeds, specs
from tfacme.graph import plan as plan_lib
from tfacme.tensors import naming
from tfacme.workers import acting, export, saved, variables


class PolicyWriter:
  """Writes the evaluation policy of checkpoints; what that takes is made, and traced, once."""

  def __init__(self, experiment: experiments.Experiment, spec: specs.EnvironmentSpec):
    """Initializes the writer.

    Args:
      experiment: whose policy it is.
      spec: of its environment.
    """
    self._networks = plan_lib.seeded_networks(experiment, spec)
    self._policy = plan_lib.make_policy(experiment, self._networks, spec, evaluation=True)
    acting.create_variables(self._policy, spec)
    self._exporter = export.Exporter(self._policy, spec, experiment.budget.steps)
    self._exporter.trace()

  def write(self, path: str, checkpoint: str) -> None:
    """Writes the policy of a checkpoint into a folder."""
    name = variables.pulled(self._policy)
    values = _learner(checkpoint).values(name)
    variables.assign(self._policy, self._networks, values)
    self._exporter.write(path, checkpoints.manifest(checkpoint)['steps'])


@mistakes.told('The policy can not be made')
def write_policy(experiment: experiments.Experiment, path: str, checkpoint: str) -> None:
  """Writes the evaluation policy of a checkpoint of an experiment into a folder."""
  PolicyWriter(experiment, _spec(experiment)).write(path, checkpoint)


def networks(experiment: experiments.Experiment, checkpoint: str) -> Any:
  """The agent's networks with the variables of a checkpoint.

  Raises:
    UserError: they have not the variables that were saved.
  """
  made = plan_lib.seeded_networks(experiment, _spec(experiment))
  mine, learner = naming.places(made), _learner(checkpoint)
  differ = [
    name
    for name, place in learner.networks.items()
    if name not in mine or saved.Kind.of(mine[name]) != learner.kinds[place]
  ]
  if differ:
    raise errors.UserError(
      f'The checkpoint {checkpoint} has other variables than these networks, {errors.listed(differ)}; '
      '`learner(...).networks` has what a learning step makes of them.'
    )
  for name, place in learner.networks.items():
    mine[name].assign(learner.value(place))
  return made


def _learner(checkpoint: str) -> saved.Saved:
  return saved.Saved(os.path.join(checkpoint, 'learner'))


def _spec(experiment: experiments.Experiment) -> specs.EnvironmentSpec:
  return specs.read_spec(experiment.environment, seeds.derive(experiment.seed, 'spec'))
