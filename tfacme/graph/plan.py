"""What all nodes of a run agree on, computed once; and whether the parts of an experiment fit each other."""

from __future__ import annotations

import dataclasses
import logging
import os
import secrets
from typing import Any, List, Optional, Sequence, Tuple

from tfacme import checkpoints, configs, core, datasets, errors, experiments, loggers, mistakes, networks, seeds, specs
from tfacme.environments.wrappers import frame_stacking
from tfacme.graph import data
from tfacme.replay import packing, relabelling, resolving, servers, sources, streams, tables
from tfacme.workers import acting, counting, drawing, export, fitted_q, observing, recording, saved, starting, variables
from tfacme.workers import roles as roles_lib

_LOG = logging.getLogger('tfacme')


@dataclasses.dataclass(frozen=True)
class Plan:
  """An experiment with all that is computed once for all nodes.

  Attributes:
    experiment: what to run.
    spec: of the environment.
    acted_spec: of a row as its actor makes it.
    step_spec: of a row as it comes into the tables, rewritten by the builder's `relabel` if it has one.
    described: the replay tables.
    source: what the learner consumes, as `resolving.resolve` gives it; None for all others.
    roles: of the agent's own nodes, prepared; none for these and all others.
    folder: of the run, or None if it leaves nothing behind.
    logged: makes the loggers of its nodes; None if it leaves nothing behind.
    checkpoint: to resume from, or None. Its folder is deleted soon after all nodes have started.
    start: the steps of the run so far, in the unit of its budget.
    taken: the variables of another run that it begins with; None if it is resumed, and for all but the learner.
    estimators: for the first evaluation, prepared; none for all other nodes.
  """

  experiment: experiments.Experiment
  spec: specs.EnvironmentSpec
  acted_spec: core.Step
  step_spec: core.Step
  described: Sequence[tables.Table]
  source: Any
  roles: Sequence[roles_lib.Role]
  folder: Optional[str]
  logged: Optional[loggers.OfRun]
  checkpoint: Optional[str]
  start: int
  taken: Optional[starting.Start] = None
  estimators: Sequence[fitted_q.Prepared] = ()

  def for_acting(self) -> Plan:
    """What nodes need that act or save: all but what only the learner learns from, which may be large."""
    builder = self.experiment.builder.for_acting()
    experiment = dataclasses.replace(self.experiment, dataset=None, prefill=None, builder=builder)
    return dataclasses.replace(self, experiment=experiment, source=None, roles=(), estimators=(), taken=None)

  def for_learning(self) -> Plan:
    """What the learner needs: all but what others write into its tables."""
    experiment = dataclasses.replace(self.experiment, prefill=None)
    return dataclasses.replace(self, experiment=experiment, roles=(), estimators=())

  @property
  def phases(self) -> Sequence[Sequence[str]]:
    """The names of the nodes that each phase of the run waits for; see `counting.PHASES`."""
    actors = [] if self.experiment.offline else [f'actor-{i}' for i in range(self.experiment.layout.actors)]
    phases: List[List[str]] = [[], actors, ['learner'], [evaluation.name for evaluation in self.evaluations], ['saver']]
    for role in self.roles:
      phases[counting.PHASES.index(role.phase)].extend(role.node_names())
    return phases

  @property
  def replays(self) -> Sequence[str]:
    """The names of the replay servers."""
    return [] if self.experiment.offline else servers.names(self.experiment.layout.replays)

  @property
  def relays(self) -> Sequence[str]:
    """The names of the relays."""
    return [] if self.experiment.offline else [f'relay-{i}' for i in range(self.experiment.layout.relays)]

  @property
  def evaluations(self) -> Sequence[experiments.Evaluation]:
    """Those that have a node."""
    return self.experiment.evaluations if self.experiment.layout.evaluators else ()

  @property
  def codec(self) -> packing.Codec:
    """Of the rows that come into the tables."""
    return packing.Codec.of(self.step_spec, [table.items for table in self.described])

  @property
  def acted_codec(self) -> packing.Codec:
    """Of the rows that actors make."""
    rewrites = self.experiment.builder.relabel(self.spec) is not None
    return packing.Codec(self.acted_spec) if rewrites else self.codec

  def writer(self, replay: streams.Replay) -> streams.StreamWriter:
    """Writes the rows of one actor's slot, rewritten if the builder does that."""
    relabel, writer = self.experiment.builder.relabel(self.spec), replay.writer()
    return writer if relabel is None else relabelling.Writer(writer, relabel, self.acted_codec, self.codec)

  def recorder(self, node: str) -> Optional[recording.Recorder]:
    """Records the episodes of an actor; None if they are not recorded.

    Several runs, on whatever hosts, may record into one folder: the parts of each have the run's id in their names.
    """
    experiment = self.experiment
    if experiment.record is None:
      return None
    run = secrets.token_hex(8) if self.logged is None else self.logged.run_id
    origin = datasets.Origin.of(experiment.agent, experiment.environment, experiment.seed, self.folder or '')
    return recording.Recorder(experiment.record, f'{run}-{node}', origin, self.acted_codec)

  @property
  def seen_spec(self) -> specs.EnvironmentSpec:
    """Of the environment as the agent sees it."""
    return stacked(self.experiment, self.spec)

  def seed(self, role: str, index: int = 0) -> int:
    """The seed of one part of the run."""
    return seeds.derive(self.experiment.seed, role, index)

  def fresh_seed(self, role: str, index: int = 0, life: int = 0) -> int:
    """A seed for what is not in a checkpoint: a resumed run does not repeat what it has drawn before.

    Nor does a node that is made anew, whose `life` says how often it was made before.
    """
    begins = f'{role} from {self.start}' if self.start else role
    return self.seed(f'{begins}, life {life}' if life else begins, index)

  def path(self, *names: str) -> Optional[str]:
    """A place in the run's folder."""
    return os.path.join(self.folder, *names) if self.folder else None

  def logger(self, name: str) -> loggers.Logger:
    """The log of a node."""
    return loggers.MemoryLogger() if self.logged is None else self.logged.logger(name)

  def networks(self) -> Any:
    """The agent's networks, with their variables; in every node with the same initial values."""
    return seeded_networks(self.experiment, self.spec)

  def policy(self, nets: Any, evaluation: bool) -> core.Policy:
    """The agent's policy, which takes what the environment gives."""
    return make_policy(self.experiment, nets, self.spec, evaluation)


@mistakes.told('The run can not be prepared')
def make_plan(
  experiment: experiments.Experiment,
  workdir: Optional[str] = None,
  checkpoint: Optional[str] = None,
  logged: Optional[loggers.OfRun] = None,
) -> Plan:
  """Computes, once, what all nodes have to agree on, and checks that the parts of the experiment fit each other.

  Args:
    experiment: what to run.
    workdir: the folder of the run, or None.
    checkpoint: to resume from, or None.
    logged: see `program.make_program`.
  """
  builder = experiment.builder
  data.check(experiment)
  spec = specs.read_spec(experiment.environment, seeds.derive(experiment.seed, 'spec'))
  _check_stack(experiment)
  observing.check(experiment.observers)
  seen = stacked(experiment, spec)
  builder.check(seen)
  nets = make_networks(experiment, seen)
  _check_evaluations(experiment, spec, logs=workdir is not None)
  policy = make_policy(experiment, nets, spec, evaluation=True)
  export.check(policy, spec)
  described, roles, prefills = _tables_and_roles(experiment, seen)
  relabel = builder.relabel(spec)
  acted_spec = core.step_spec(spec, _extras(experiment, nets, seen) if described else ())
  recording.check(experiment, acted_spec)
  step_spec = acted_spec._replace(extras=resolving.with_extras(acted_spec.extras, relabel))
  fit = data.Fitter(experiment, spec)
  given = data.given(experiment, spec, described, step_spec, relabel, fit, checkpoint)
  wanted = sources.with_stack(builder.source(seen), experiment.stack)
  source = resolving.resolve(wanted, given)
  roles = [role.prepared(given) for role in roles]
  estimators = tuple(estimator.prepared(given, policy) for estimator in experiment.estimators)
  fit.check_read()  # by the agent: a prefill that is the same data set does not count
  roles += [role.prepared(given) for role in prefills]
  described = data.paced(described, wanted, source, roles)
  _check_update(experiment, nets, spec, checkpoint)
  _warn(experiment, described, source, relabel)
  start = checkpoints.manifest(checkpoint)['steps'] if checkpoint else 0
  taken = None if checkpoint else _taken(experiment, nets, spec)
  plan = Plan(
    experiment, spec, acted_spec, step_spec, described, source, roles, workdir, logged, checkpoint, start, taken
  )
  plan = dataclasses.replace(plan, estimators=estimators)
  _check_nodes(plan)
  return plan if logged is not None or workdir is None else _with_loggers(plan, workdir)


def _tables_and_roles(
  experiment: experiments.Experiment, seen: specs.EnvironmentSpec
) -> Tuple[Sequence[tables.Table], List[roles_lib.Role], Sequence[roles_lib.Role]]:
  """The tables, the agent's own roles, and those that write what the tables begin with."""
  builder = experiment.builder
  described = tuple(tables.with_stack(table, experiment.stack) for table in builder.tables(seen))
  roles = [role for role in builder.workers(seen) if not (experiment.offline and 'replay' in role.uses)]
  _check_tables(experiment, described, roles)
  described, prefills = data.with_prefill(experiment, described, roles)
  return described, roles, prefills


def _with_loggers(plan: Plan, workdir: str) -> Plan:
  """The plan with loggers that nobody else prepares; last of all, since a tracker may begin a run with it."""
  logged = loggers.OfRun(plan.experiment.loggers, loggers.Log.of_run(workdir, start=plan.start))
  logged.prepare()
  return dataclasses.replace(plan, logged=logged)


def _check_stack(experiment: experiments.Experiment) -> None:
  """Raises a `UserError` if frames would be stacked by the environment and once more for the agent."""
  inner = getattr(getattr(experiment.environment, 'options', None), 'frame_stack', 0)
  if experiment.stack > 1 and inner > 1:
    raise errors.UserError(
      f'Frames are stacked twice, by the environment (frame_stack {inner}) and for the agent (stack '
      f'{experiment.stack}): leave one of the two out.'
    )


def stacked(experiment: experiments.Experiment, spec: specs.EnvironmentSpec) -> specs.EnvironmentSpec:
  """The spec of the environment as the agent sees it, where its frames are stacked."""
  if experiment.stack == 1:
    return spec
  return spec._replace(observations=frame_stacking.stacked_spec(spec.observations, experiment.stack))


def make_policy(
  experiment: experiments.Experiment, nets: Any, spec: specs.EnvironmentSpec, evaluation: bool
) -> core.Policy:
  """The agent's policy, which takes what the environment gives; its networks are made for what it sees."""
  policy = experiment.builder.policy(nets, stacked(experiment, spec), evaluation)
  return policy if experiment.stack == 1 else networks.StackedPolicy(policy, spec.observations, experiment.stack)


def _check_update(
  experiment: experiments.Experiment, nets: Any, spec: specs.EnvironmentSpec, checkpoint: Optional[str]
) -> None:
  """Raises a `UserError` if policies don't find their variables in what the update publishes, or it its own ones."""
  with mistakes.told('The update can not be made'):
    update = experiment.builder.update(nets, stacked(experiment, spec))
  for evaluation in [True] if experiment.offline else [True, False]:
    variables.check(update, make_policy(experiment, nets, spec, evaluation), nets)
  saved.layout(update, nets, variables.published(update, nets))
  if checkpoint:
    saved.Saved(os.path.join(checkpoint, 'learner')).check(update, whole=False)


def _taken(experiment: experiments.Experiment, nets: Any, spec: specs.EnvironmentSpec) -> Optional[starting.Start]:
  """What the run begins with of another one."""
  if experiment.start is None:
    return None
  policy = make_policy(experiment, nets, spec, evaluation=True)
  config = getattr(experiment.builder, 'config', None)
  taken = starting.find(os.fspath(experiment.start), nets, policy, config, experiment.networks)
  for line in taken.lines:
    _LOG.warning('%s', line)
  return taken


def _extras(experiment: experiments.Experiment, nets: Any, spec: specs.EnvironmentSpec) -> core.Nest:
  """The spec of what the agent adds to a row."""
  extras = experiment.builder.extras(spec)
  return acting.extras_spec(experiment.builder.policy(nets, spec, False), spec) if extras is None else extras


def _check_nodes(plan: Plan) -> None:
  """Raises a `UserError` if replay servers can't share the tables, or if two nodes, and their logs, have one name."""
  users = [role.name for role in plan.roles if 'replay' in role.uses]
  servers.check(plan.experiment.layout.replays, sources.samples(plan.source), plan.described, users)
  names = ['counter', *plan.replays, *plan.relays, *(name for names in plan.phases for name in names)]
  twice = sorted({name for name in names if names.count(name) > 1})
  if twice:
    raise errors.UserError(
      f'Several nodes of the run are named {twice[0]!r}; rename an evaluation or a role of the agent.'
    )


def _check_tables(
  experiment: experiments.Experiment, described: Sequence[tables.Table], roles: Sequence[roles_lib.Role]
) -> None:
  """Raises a `UserError` if a run with actors would stall with these tables; an offline run uses their items alone."""
  if experiment.offline:
    return
  if not described:
    raise errors.UserError(
      'This agent has no replay tables that actors could fill: it learns from recorded data alone; give a budget in '
      'learner steps (--learner-steps) and a dataset (--dataset), as `tfacme record` writes one.'
    )
  names = [role.name for role in roles]
  if len(set(names)) < len(names):
    raise errors.UserError(f'Two roles of the agent have one name; the names are {names}.')
  tables.check(described, experiment.layout.slots, names)


def _warn(
  experiment: experiments.Experiment,
  described: Sequence[tables.Table],
  source: Any,
  relabel: Optional[core.Relabel],
) -> None:
  """Warns of what can be run, and is hardly meant."""
  if experiment.offline:
    _warn_if_idle(experiment)
  elif relabel is None:  # Rewritten, it is not known how many rows there will be.
    _warn_if_too_short(experiment, described, source)


def _warn_if_too_short(experiment: experiments.Experiment, described: Sequence[tables.Table], source: Any) -> None:
  """Warns if the steps of a run can't give the learner a single batch."""
  layout = experiment.layout
  each, more = divmod(experiment.budget.steps, layout.slots)  # If one actor takes all, there are the fewest streams.
  for sample in sources.samples(source):
    table = tables.find(described, sample.table)
    if table.written_by != ('actor',):
      continue
    needed = tables.items_needed(table, sample.batch_size, layout.updates_per_call)
    most = more * table.items.most(each + 1) + (layout.slots - more) * table.items.most(each)
    if most < needed:
      _LOG.warning(
        'Nothing will be learned: the learner waits for %d items in the table %r, and the %d steps of the run make at '
        'most %d.',
        needed,
        table.name,
        experiment.budget.steps,
        most,
      )


def _warn_if_idle(experiment: experiments.Experiment) -> None:
  """Warns of hyperparameters that are of what there is not in a run from recorded data alone."""
  config = getattr(experiment.builder, 'config', None)
  idle = configs.idle_offline(config) if isinstance(config, configs.Config) else []
  if idle:
    _LOG.warning('A run from recorded data alone has no actors and no replay: %s there.', _count_for_nothing(idle))


def _count_for_nothing(names: Sequence[str]) -> str:
  *others, last = names
  return f'{", ".join(others)} and {last} count for nothing' if others else f'{last} counts for nothing'


def seeded_networks(experiment: experiments.Experiment, spec: specs.EnvironmentSpec) -> Any:
  """The agent's networks with the initial values that they have in a run, made for what the agent sees."""
  with networks.seeded(seeds.derive(experiment.seed, 'networks')):
    return make_networks(experiment, stacked(experiment, spec))


def make_networks(experiment: experiments.Experiment, spec: specs.EnvironmentSpec) -> Any:
  """The agent's networks, which fit the environment and have their variables."""
  with mistakes.told('The networks can not be made'):
    made = experiment.networks(spec)
    experiment.builder.checks_networks(made, spec)
  return made


def _check_evaluations(experiment: experiments.Experiment, spec: specs.EnvironmentSpec, logs: bool) -> None:
  """Raises a `UserError` if an evaluation has an environment in which the policy can't act, or which can't be drawn.

  Or if there is none for what goes with evaluations.
  """
  if experiment.estimators and not (experiment.evaluations and experiment.layout.evaluators):
    raise errors.UserError(
      'Estimates (--fitted-q) are made with an evaluation, and this run has none: leave them out, or let it evaluate '
      '(--evaluators 1).'
    )
  for evaluation in experiment.evaluations:
    if evaluation.animation and logs and experiment.layout.evaluators:
      drawing.check(evaluation.environment or experiment.environment, seeds.derive(experiment.seed, 'animation'))
    if evaluation.environment is None:
      continue
    own = specs.read_spec(evaluation.environment, seeds.derive(experiment.seed, 'spec'))
    for what, theirs, ours in (
      ('observations', _kinds(own.observations), _kinds(spec.observations)),
      ('actions', own.actions, spec.actions),
    ):
      if theirs != ours:
        raise errors.UserError(
          f'The environment of the evaluation {evaluation.name!r} has other {what} than that of the experiment: '
          f'{theirs} where that has {ours}.'
        )


def _kinds(nest: Any) -> Any:
  """Shapes and types, which a policy is made for; bounds may differ."""
  return {path: (tuple(s.shape), str(s.dtype)) for path, s in specs.paths(nest).items()}
