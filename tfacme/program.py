"""From an experiment to a Launchpad program: the only place that makes nodes."""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
from typing import Any, Callable, Dict, List, Optional, Sequence

import launchpad as lp

from tfacme import (
  acting,
  checkpoints,
  core,
  counting,
  environment_loop,
  errors,
  evaluation,
  experiments,
  export,
  learning,
  loggers,
  networks,
  nodes,
  picture,
  saving,
  seeds,
  specs,
  variables,
)
from tfacme.replay import numpy_replay, packing, readers, reverb_replay, sources, tables

_LOG = logging.getLogger('tfacme')
_LEASE = 32  # rounds of an actor's slots for which it claims steps of the budget at a time


@dataclasses.dataclass(frozen=True)
class Plan:
  """An experiment with all that is worked out once for all nodes.

  Attributes:
    experiment: what to run.
    spec: of the environment.
    step_spec: of a row of the stream.
    described: the replay tables.
    source: what the learner consumes.
    folder: of the run, or None if it leaves nothing behind.
    checkpoint: to go on from, or None. Its folder is gone soon after all nodes are up.
    start: the steps of the run so far, in the unit of its budget.
  """

  experiment: experiments.Experiment
  spec: specs.EnvironmentSpec
  step_spec: core.Step
  described: Sequence[tables.Table]
  source: sources.Source
  folder: Optional[str]
  checkpoint: Optional[str]
  start: int

  @property
  def codec(self) -> packing.Codec:
    """Of the rows of the stream."""
    return packing.Codec.of(self.step_spec, [table.items for table in self.described])

  def seed(self, role: str, index: int = 0) -> int:
    """The seed of one part of the run."""
    return seeds.derive(self.experiment.seed, role, index)

  def fresh_seed(self, role: str, index: int = 0) -> int:
    """A seed for what is not in a checkpoint: a run that goes on does not draw again what it has drawn before."""
    return self.seed(f'{role} from {self.start}' if self.start else role, index)

  def path(self, *names: str) -> Optional[str]:
    """A place in the run's folder."""
    return os.path.join(self.folder, *names) if self.folder else None

  def logger(self, name: str) -> loggers.Logger:
    """The log of a node."""
    return loggers.make_logger(self.path('logs'), name, self.experiment.logging.tensorboard)

  def networks(self) -> Any:
    """The agent's networks; in every node with the same initial values."""
    with networks.seeded(self.seed('networks')):
      return self.experiment.networks(self.spec)


def make_program(
  experiment: experiments.Experiment, workdir: Optional[str] = None, checkpoint: Optional[str] = None
) -> lp.Program:
  """Compiles an experiment into a program graph, which any engine runs.

  Args:
    experiment: what to run.
    workdir: where logs, checkpoints and the trained policy go; None leaves nothing behind.
    checkpoint: the folder of a checkpoint to go on from.

  Raises:
    UserError: if parts of the experiment don't fit each other.
  """
  plan = make_plan(experiment, workdir, checkpoint)
  layout = experiment.layout
  program = lp.Program(name=experiment.agent)
  node = functools.partial(nodes.TaskNode, threads=layout.threads)
  counter = _add(program, node('counter', None, functools.partial(build_counter, plan), {}))
  learner_links = {'counter': nodes.Link(counter, 'counts')}
  actor_links = dict(learner_links)
  if not experiment.offline:
    replay = _add(program, _replay_node(plan))
    learner_links['replay'] = nodes.Link(replay, 'batches', inward=True)
    actor_links['replay'] = nodes.Link(replay, 'steps')
  build = functools.partial(build_learner, plan)
  threads = layout.threads if layout.learner_threads is None else layout.learner_threads
  learner = _add(program, node('learner', None, build, learner_links, threads=threads))
  pulled = nodes.Link(learner, 'variables', inward=True)
  for index in range(0 if experiment.offline else layout.actors):
    build = functools.partial(build_actor, plan, index)
    _add(program, node('actor', index, build, {**actor_links, 'learner': pulled}))
  for _ in range(layout.evaluators):
    links = {'counter': nodes.Link(counter, 'counts'), 'learner': pulled}
    _add(program, node('evaluator', None, functools.partial(build_evaluator, plan), links))
  links = {**learner_links, 'learner': nodes.Link(learner, 'state', inward=True)}
  if 'replay' in links:
    links['replay'] = nodes.Link(links['replay'].node, 'state', inward=True)
  seconds = experiment.checkpointing.stop_seconds
  _add(program, node('saver', None, functools.partial(build_saver, plan), links, ends=True, save_seconds=seconds))
  return program


def make_plan(
  experiment: experiments.Experiment, workdir: Optional[str] = None, checkpoint: Optional[str] = None
) -> Plan:
  """Works out, once, what all nodes have to agree on, and whether the parts of the experiment fit each other."""
  builder, layout = experiment.builder, experiment.layout
  environment = experiment.environment(seeds.derive(experiment.seed, 'spec'))
  spec = specs.environment_spec(environment)
  environment.close()
  builder.check(spec)
  nets = experiment.networks(spec)
  builder.checks_networks(nets, spec)
  extras = () if experiment.offline else builder.extras(spec)
  if extras is None:
    extras = acting.extras_spec(builder.policy(nets, spec, evaluation=False), spec)
  export.check(builder.policy(nets, spec, evaluation=True), spec)
  described = tuple(builder.tables(spec))
  source = builder.source()
  if not experiment.offline and not described:
    raise errors.UserError(
      'This agent has no replay tables: it learns from recorded data; give it a dataset (--dataset), as `tfacme '
      'record` writes one.'
    )
  tables.check(described, layout.slots)
  late = [table for table in described if not experiment.offline and table.limiter.min_size > experiment.budget.steps]
  for table in late:
    _LOG.warning(
      'Nothing will be learned: %r is sampled from %g items on, and the run ends after %d steps.',
      table.name,
      table.limiter.min_size,
      experiment.budget.steps,
    )
  step_spec = specs.step_spec(spec, extras)
  readers.check(source, () if experiment.offline else described, experiment.dataset, step_spec)
  start = checkpoints.manifest(checkpoint)['steps'] if checkpoint else 0
  return Plan(experiment, spec, step_spec, described, source, workdir, checkpoint, start)


def graph(program: lp.Program) -> picture.Graph:
  """The nodes of a program, and what flows between them, for a picture."""
  infos, edges = [], []
  for node in nodes.of_program(program):
    infos.append(picture.NodeInfo(node.name, node.role, node.index))
    for link in node.links.values():
      ends = (link.node.name, node.name) if link.inward else (node.name, link.node.name)
      edges.append(picture.Edge(*ends, link.flow))
  return picture.Graph(infos, edges)


def _add(program: lp.Program, node: nodes.Node) -> nodes.Node:
  program.add_node(node, label=node.role)
  return node


def _replay_node(plan: Plan) -> nodes.ReplayNode:
  codec, described = plan.codec, plan.described
  server_path = plan.path('checkpoints', 'replay')
  return nodes.ReplayNode(
    tables=functools.partial(_served_tables, plan),
    checkpointer=functools.partial(reverb_replay.checkpointer, server_path) if server_path else None,
    client=functools.partial(reverb_replay.ReverbReplay, codec=codec, described=described),
    in_process=functools.partial(_replay_in_process, plan),
  )


def _served_tables(plan: Plan) -> Sequence[Any]:
  """What a server of Reverb starts with; it restores them itself, from its own folder."""
  _can_restore(plan, reverb_replay.can_restore)
  return reverb_replay.reverb_tables(plan.described, plan.codec)


def _replay_in_process(plan: Plan) -> numpy_replay.NumpyReplay:
  replay = numpy_replay.NumpyReplay(plan.codec, plan.described, plan.seed('replay'))
  if _can_restore(plan, numpy_replay.can_restore):
    checkpoints.restore(plan.checkpoint, 'replay', replay.restore)
  return replay


def _can_restore(plan: Plan, can_restore: Callable[[str], bool]) -> bool:
  """Whether a kind of replay can take over what the checkpoint has of one, or there is nothing to take over."""
  path = os.path.join(plan.checkpoint, 'replay') if plan.checkpoint else ''
  if not os.path.isdir(path) or can_restore(path):
    return True
  _LOG.warning('The replay in %s is of another engine; this run fills its own anew.', plan.checkpoint)
  return False


def build_counter(plan: Plan) -> counting.Counter:
  """The counter's object."""
  experiment = plan.experiment
  actors = [] if experiment.offline else [f'actor-{i}' for i in range(experiment.layout.actors)]
  evaluators = ['evaluator'] * experiment.layout.evaluators
  counter = counting.Counter(
    experiment.budget.steps, experiment.budget.unit, [actors, ['learner'], evaluators, ['saver']]
  )
  checkpoints.restore(plan.checkpoint, 'counter', counter.restore)
  return counter


def build_learner(plan: Plan, counter: counting.CounterClient, replay: Any = None) -> learning.Learner:
  """The learner's object."""
  experiment = plan.experiment
  with networks.seeded(plan.seed('networks')):
    update = experiment.builder.update(experiment.networks(plan.spec), plan.spec)
  room = readers.Room(replay, plan.described, plan.step_spec, experiment.dataset, plan.seed('source'))
  learner = learning.Learner(
    learning.LearnerParts(
      name='learner',
      update=update,
      source=readers.open_source(plan.source, room),
      tally=counting.Tally('learner', counter, lease=_LEASE),
      logger=plan.logger('learner'),
      log_every=experiment.logging.learner_every,
      updates_per_call=experiment.layout.updates_per_call,
      seed=plan.fresh_seed('learner'),
      budgeted=experiment.offline,
      paced=_is_paced(plan),
      replay=replay,
    )
  )
  checkpoints.restore(plan.checkpoint, 'learner', learner.restore)
  return learner


def _is_paced(plan: Plan) -> bool:
  """Whether a rate limiter holds the learner back."""
  sampled = [tables.find(plan.described, sample.table) for sample in sources.samples(plan.source)]
  return any(table.limiter.bounds_samples for table in sampled)


def _actor(plan: Plan, learner: Any, environments: List[Any], index: int, is_evaluation: bool):
  """(an actor, the client of its variables)."""
  builder, layout = plan.experiment.builder, plan.experiment.layout
  policy = builder.policy(plan.networks(), plan.spec, is_evaluation)
  acting.extras_spec(policy, plan.spec)  # Calls it once, so that its variables exist.
  client = variables.VariableClient(learner, 'policy', policy, layout.variable_period or builder.variable_period)
  parts = core.ActorParts(
    policy=policy,
    environments=environments,
    environment_spec=plan.spec,
    variables=client,
    seed=plan.fresh_seed('evaluator' if is_evaluation else 'actor', index),
    first_index=0 if is_evaluation else index * layout.slots,
    slots=len(environments) if is_evaluation else layout.actors * layout.slots,
    evaluation=is_evaluation,
  )
  return builder.actor(parts) or acting.PolicyActor(parts), client


def build_actor(plan: Plan, index: int, counter: counting.CounterClient, replay: Any, learner: Any):
  """The object of an actor's node: its environment loop."""
  experiment = plan.experiment
  slots = experiment.layout.slots
  numbers = range(index * slots, (index + 1) * slots)
  environments = [experiment.environment(plan.fresh_seed('environment', number)) for number in numbers]
  actor, _ = _actor(plan, learner, environments, index, is_evaluation=False)
  name = f'actor-{index}'
  return environment_loop.EnvironmentLoop(
    environment_loop.LoopParts(
      name=name,
      environments=environments,
      spec=plan.spec,
      codec=plan.codec,
      replay=replay,
      actor=actor,
      tally=counting.Tally(name, counter, lease=_lease(experiment)),
      logger=plan.logger(name),
      log_every=experiment.logging.actor_every,
      observers=experiment.observers,
    )
  )


def _lease(experiment: experiments.Experiment) -> int:
  """For how many steps an actor claims the budget at a time: few calls, but no more than all actors can have."""
  layout = experiment.layout
  return max(layout.slots, min(_LEASE * layout.slots, experiment.budget.steps // (20 * layout.actors)))


def make_learner(experiment: experiments.Experiment) -> learning.Learner:
  """A learner by itself, for a notebook: `learner.update(batch)` is one learning step on a batch of your own."""
  plan = make_plan(experiment)
  replay = None if experiment.offline else _replay_in_process(plan)
  return build_learner(plan, build_counter(plan), replay)


def build_evaluator(plan: Plan, counter: counting.CounterClient, learner: Any) -> evaluation.Evaluator:
  """The evaluator's object."""
  experiment = plan.experiment
  options = experiment.evaluation
  numbers = range(min(options.episodes, options.environments))
  environments = [experiment.environment(plan.fresh_seed('evaluation', number)) for number in numbers]
  actor, client = _actor(plan, learner, environments, 0, is_evaluation=True)
  return evaluation.Evaluator(
    evaluation.EvaluatorParts(
      name='evaluator',
      environments=environments,
      actor=actor,
      variables=client,
      tally=counting.Tally('evaluator', counter),
      logger=plan.logger('evaluator'),
      unit=experiment.budget.unit,
      every=experiment.every(options.every, 20),
      budget=experiment.budget.steps,
      episodes=options.episodes,
    )
  )


def build_saver(plan: Plan, counter: Any, learner: Any, replay: Any = None) -> saving.Saver:
  """The saver's object."""
  experiment = plan.experiment
  options = experiment.checkpointing
  parts: Dict[str, Callable[[str], Any]] = {}
  if plan.folder:
    # The learner first, which may be compiling for seconds, since actors go on: then what they had done when the replay
    # was saved is what the counter says. It is the last, so that what was counted is not counted again.
    parts['learner'] = learner.save
    if replay is not None and options.replay:
      parts['replay'] = replay.save
    parts['counter'] = counter.save
  return saving.Saver(
    saving.SaverParts(
      name='saver',
      tally=counting.Tally('saver', counter),
      folder=plan.path('checkpoints'),
      parts=parts,
      steps=lambda path: counting.saved_total(os.path.join(path, 'counter'), experiment.budget.unit),
      leave=functools.partial(_leave, plan, learner),
      unit=experiment.budget.unit,
      every=experiment.every(options.every, 10),
      budget=experiment.budget.steps,
      keep=options.keep,
    )
  )


def _leave(plan: Plan, learner: Any) -> None:
  """Writes the trained policy and the curve."""
  if plan.folder is None:
    return
  policy = plan.experiment.builder.policy(plan.networks(), plan.spec, evaluation=True)
  acting.extras_spec(policy, plan.spec)
  variables.VariableClient(learner, 'policy', policy).update()
  export.export(policy, plan.spec, plan.experiment.budget.steps, plan.path('policy'))
  if plan.experiment.layout.evaluators:
    from tfacme import plotting  # matplotlib takes a second to import, which only this node has to spend.

    plotting.learning_curve([plan.folder], plan.path('learning_curve.png'))
