"""The recorded data of a run: brought into the environment's form, mixed into batches, written into its tables."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from tfacme import core, datasets, errors, experiments, specs
from tfacme.replay import resolving, sources, tables
from tfacme.workers import counting, prefill
from tfacme.workers import roles as roles_lib

PREFILL = 'prefill'  # the role that writes an experiment's `prefill`


def check(experiment: experiments.Experiment) -> None:
  """Raises a `UserError` if the run has no place for the recorded data that it is given."""
  if experiment.offline and experiment.prefill is not None:
    raise errors.UserError(
      'A prefill is what the replay of a run with actors begins with, and a run of learner steps has none of the two; '
      'give the data as its dataset (--dataset), or count the steps of actors (--steps).'
    )
  if experiment.offline and experiment.dataset_share is not None:
    raise errors.UserError(
      'dataset_share is how much of each batch is recorded in a run with actors, and a run of learner steps learns '
      'from its dataset alone; leave dataset_share out, or count the steps of actors (--steps).'
    )
  if experiment.dataset_share is not None and experiment.dataset is None:
    raise errors.UserError(
      'dataset_share is how much of each batch comes from a dataset, and the experiment has none; give it one '
      '(--dataset).'
    )


def with_prefill(
  experiment: experiments.Experiment, described: Sequence[tables.Table], roles: Sequence[roles_lib.Role]
) -> Tuple[Sequence[tables.Table], Sequence[prefill.Prefill]]:
  """The tables that a run has, and the role that writes what they begin with, if they begin with recorded data.

  Args:
    experiment: what to run.
    described: the agent's tables.
    roles: the agent's own.

  Raises:
    UserError: what the agent learns from can't begin with that.
  """
  if experiment.prefill is None:
    return described, ()
  if PREFILL in [role.name for role in roles]:
    raise errors.UserError(
      f'This agent fills its tables by a role {PREFILL!r} of its own, beside which the experiment can have no prefill; '
      'leave that out, or give the role another name.'
    )
  filled = [table.name for table in described if 'actor' in table.written_by and not table.is_queue]
  if not filled:
    raise errors.UserError(
      'A prefill is for agents that learn from old items again, and this one learns from each item once, by what its '
      'newest policy did; leave the prefill out, or take an off-policy agent.'
    )
  zeros = {name: None for table in described if table.name in filled for name in table.items.once}
  role = prefill.Prefill(PREFILL, dataset=experiment.prefill, zeros=tuple(zeros))
  return tuple(
    dataclasses.replace(t, written_by=(*t.written_by, PREFILL)) if t.name in filled else t for t in described
  ), (role,)


def given(
  experiment: experiments.Experiment,
  spec: specs.EnvironmentSpec,
  described: Sequence[tables.Table],
  step_spec: core.Step,
  relabel: Optional[core.Relabel],
  fit: Fitter,
  checkpoint: Optional[str],
) -> resolving.Given:
  """What the run gives its source and its nodes of the agent's own."""
  return resolving.Given(
    described=described,
    step_spec=step_spec,
    dataset=experiment.dataset,
    offline=experiment.offline,
    fit=fit,
    relabel=relabel,
    environment=experiment.environment,
    spec=spec,
    seed=experiment.seed,
    counts=_saved_counts(checkpoint),
    share=experiment.dataset_share,
  )


def _saved_counts(checkpoint: Optional[str]) -> Mapping[str, Mapping[str, int]]:
  """The counts of each node in a checkpoint that has a replay as well, or none."""
  if not checkpoint or not os.path.isdir(os.path.join(checkpoint, 'replay')):
    return {}
  return counting.saved_counts(os.path.join(checkpoint, 'counter'))


class Fitter:
  """Brings data sets into the environment's form; each but once, since all of it is checked."""

  def __init__(self, experiment: experiments.Experiment, spec: specs.EnvironmentSpec):
    self._experiment = experiment
    self._spec = spec
    self._fitted: List[Tuple[Any, bool, Any]] = []

  def __call__(self, dataset: Any, rewards: bool) -> Any:
    for other, with_rewards, as_fitted in self._fitted:
      if other is dataset and with_rewards == rewards:
        return as_fitted
    as_fitted = datasets.fit(dataset, self._experiment.environment, self._spec, rewards)
    self._fitted.append((dataset, rewards, as_fitted))
    return as_fitted

  def check_read(self) -> None:
    """Raises a `UserError` if the experiment has a data set that nothing has read so far."""
    dataset = self._experiment.dataset
    if dataset is not None and not any(dataset is other for other, *_ in self._fitted):
      raise errors.UserError(
        'The experiment has a dataset, and this agent reads nothing but replay in a run with actors; let a part of '
        'each batch be recorded (--dataset-share 0.5), let the replay begin with the data (--prefill in the place of '
        '--dataset), or give a budget in learner steps (--learner-steps) to learn from them alone.'
      )


def paced(
  described: Sequence[tables.Table], source: sources.Source, resolved: Any, roles: Sequence[roles_lib.Role]
) -> Sequence[tables.Table]:
  """The tables, with rate limiters that go by what of a batch is sampled, and leave out what roles write beside actors.

  Args:
    described: the tables.
    source: what the agent learns from.
    resolved: what it learns from in this run.
    roles: prepared.
  """
  inserts = [role.inserts() for role in roles]
  made = []
  for table in described:
    before, now = (_sampled(described, table, one) for one in (source, resolved))
    if 0 < now < before:  # Offline, nothing is sampled.
      table = dataclasses.replace(table, limiter=table.limiter.part_of(now / before))
    made.append(tables.prefilled(table, sum(own.get(table.name, 0) for own in inserts)))
  return tuple(made)


def _sampled(described: Sequence[tables.Table], table: tables.Table, source: Any) -> int:
  """How many items of a table a batch has."""
  samples = sources.samples(source)
  return sum(sample.batch_size for sample in samples if tables.find(described, sample.table) is table)
