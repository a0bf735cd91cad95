"""The objects of the nodes, each made from the plan and the nodes that it uses."""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
from typing import Any, Callable, Dict, List, Optional, Sequence

from tfacme import checkpoints, core, experiments, loggers, networks, specs
from tfacme.graph import plan as plan_lib
from tfacme.graph import relaying, trained
from tfacme.graph import replays as replays_lib
from tfacme.replay import readers, servers, sources, tables
from tfacme.workers import (
  acting,
  counting,
  drawing,
  environment_loop,
  evaluation,
  export,
  failures,
  fitted_q,
  forwarding,
  keeping,
  learning,
  roles,
  saving,
  tallies,
  variables,
)

_LOG = logging.getLogger('tfacme')
_PERIOD_SECONDS = 0.5  # between an actor's calls to the counter
_FEWEST_STEPS = 500  # between checkpoints, unless told otherwise: fewer are made again as soon as one is written
_CALLS_PER_SECOND = 1000  # to the counter by all actors, at most, but for the end of the budget


def build_counter(
  budget: experiments.Budget,
  phases: Sequence[Sequence[str]],
  checkpoint: Optional[str],
  logged: Optional[loggers.OfRun] = None,
) -> counting.Counter:
  """The counter's object."""
  logs = {} if logged is None else {'open_log': logged.written}
  counter = counting.Counter(budget.steps, budget.unit, phases, **logs)
  checkpoints.restore(checkpoint, 'counter', counter.restore)
  return counter


def build_learner(plan: plan_lib.Plan, counter: counting.CounterClient, **replays: Any) -> learning.Learner:
  """The learner's object."""
  experiment = plan.experiment
  replay = servers.joined(list(replays.values()), plan.described)
  with networks.seeded(plan.seed('networks')):
    nets = plan_lib.make_networks(experiment, plan.seen_spec)
    if plan.taken is not None:
      plan.taken.assign(nets)
    update = experiment.builder.update(nets, plan.seen_spec)
    random = networks.Randomness(networks.next_seed())
  resources = readers.Resources(replay, plan.described, plan.seed('source'))
  learner = learning.Learner(
    learning.LearnerParts(
      name='learner',
      update=update,
      random=random,
      seed=plan.fresh_seed('learner'),
      source=readers.open_source(plan.source, resources),
      tally=tallies.Tally('learner', counter),
      logger=plan.logger('learner'),
      log_every=experiment.logging.learner_every,
      updates_per_call=experiment.layout.updates_per_call,
      budget=experiment.budget,
      paced=_is_paced(plan),
      networks=nets,
      replay=replay,
    )
  )
  checkpoints.restore(plan.checkpoint, 'learner', learner.restore)
  return learner


def _is_paced(plan: plan_lib.Plan) -> bool:
  """Whether a rate limiter holds the learner back."""
  sampled = [tables.find(plan.described, sample.table) for sample in sources.samples(plan.source)]
  return any(table.limiter.bounds_samples for table in sampled)


def _actor_parts(
  plan: plan_lib.Plan,
  learner: Any,
  environments: List[Any],
  index: int,
  evaluation: Optional[experiments.Evaluation] = None,
  life: int = 0,
) -> core.ActorParts:
  """What an actor is made of, or the one of an evaluation; `life` is how often it was made before."""
  is_evaluation = evaluation is not None and evaluation.policy == 'evaluation'
  builder, layout = plan.experiment.builder, plan.experiment.layout
  nets = plan.networks()
  policy = plan.policy(nets, is_evaluation)
  acting.create_variables(policy, plan.spec)
  client = variables.VariableClient(learner, policy, nets, layout.variable_period or builder.variable_period)
  return core.ActorParts(
    policy=policy,
    environments=environments,
    environment_spec=plan.spec,
    variables=client,
    seed=plan.fresh_seed('evaluator' if evaluation else 'actor', index, life),
    first_index=0 if evaluation else index * layout.slots,
    slots=len(environments) if evaluation else layout.actors * layout.slots,
    evaluation=is_evaluation,
    budget=plan.experiment.budget.steps,
  )


def _actor(plan: plan_lib.Plan, parts: core.ActorParts) -> core.Actor:
  return plan.experiment.builder.actor(parts) or acting.PolicyActor(parts)


def build_actor(
  plan: plan_lib.Plan, index: int, counter: counting.CounterClient, replay: Any, learner: Any, relay: Any = None
):
  """The object of an actor's node: its environment loop."""
  experiment = plan.experiment
  source = learner if relay is None else relaying.Relayed.of(relay, learner)
  slots = experiment.layout.slots
  numbers = range(index * slots, (index + 1) * slots)
  name = f'actor-{index}'
  life = counter.lives(name)
  fresh = (plan.fresh_seed('environment', number, life) for number in numbers)
  environments = [specs.make_environment(experiment.environment, seed, 'actor') for seed in fresh]
  actor = _actor(plan, _actor_parts(plan, source, environments, index, life=life))
  return environment_loop.EnvironmentLoop(
    environment_loop.LoopParts(
      name=name,
      environments=environments,
      spec=plan.spec,
      codec=plan.acted_codec,
      writers=[plan.writer(replay) for _ in range(slots)],
      actor=actor,
      tally=tallies.Tally(name, counter, period(experiment.layout)),
      logger=_logger_anywhere(plan, name, counter),
      log_every=experiment.logging.actor_every,
      observers=experiment.observers,
      recorder=plan.recorder(name),
      again=_renewal(plan, index, environments, life, counter.prompt),
    )
  )


def _renewal(
  plan: plan_lib.Plan, index: int, environments: List[Any], life: int, alone: bool
) -> Optional[failures.Renewal]:
  """Makes environments of an actor anew that fail; None where it has but one, and is itself made anew, or nothing is.

  Args:
    plan: of the run.
    index: of the actor.
    environments: of its slots.
    life: how often it was made before.
    alone: whether the run is in one thread, where nothing is made anew unless told so.
  """
  layout = plan.experiment.layout
  if layout.slots == 1 or (alone and layout.restarts is None):
    return None

  def make(slot: int, times: int) -> Any:
    seed = plan.fresh_seed(f'environment made anew {times} times', index * layout.slots + slot, life)
    return specs.make_environment(plan.experiment.environment, seed, 'actor')

  return failures.Renewal(f'actor-{index}', make, environments, layout.restarts)


def _logger_anywhere(plan: plan_lib.Plan, name: str, counter: counting.CounterClient) -> loggers.Logger:
  """The logger of a node that may be on a host without the run's folder."""
  if counter.prompt or plan.logged is None or plan.logged.is_here():
    return plan.logger(name)
  return loggers.NodeColumns(forwarding.Forwarded(name, counter, period(plan.experiment.layout)))


def build_role(
  plan: plan_lib.Plan,
  role: roles.Role,
  index: int,
  saved: Optional[str],
  counter: counting.CounterClient,
  replay: Any = None,
  learner: Any = None,
) -> core.Worker:
  """The object of a node of the agent's own."""
  name = role.node_names()[index]
  return role.make(
    roles.RoleParts(
      name=name,
      index=index,
      seed=plan.seed(role.name, index),
      tally=tallies.Tally(name, counter),
      environment=plan.experiment.environment,
      spec=plan.spec,
      codec=plan.codec,
      replay=replay,
      variables=learner,
      kept=replay is not None and saved == replay.kind,
      logger=functools.partial(plan.logger, name),
    )
  )


def period(layout: experiments.Layout) -> float:
  """Seconds between an actor's calls to the counter: longer where there are so many that they would keep it busy."""
  return max(_PERIOD_SECONDS, layout.actors / _CALLS_PER_SECOND)


def make_learner(experiment: experiments.Experiment, checkpoint: Optional[str] = None) -> learning.Learner:
  """A learner alone, for a notebook: `learner.update(batch)` is one learning step on a batch of your own.

  Args:
    experiment: whose learner it is.
    checkpoint: the folder of one to restore it from, with the replay if that was saved by a run in one thread.
  """
  # What a prefill has written is in the replay of the checkpoint, and nothing writes it without a run.
  plan = plan_lib.make_plan(dataclasses.replace(experiment, prefill=None), checkpoint=checkpoint)
  readable = checkpoint
  if replays_lib.saved_kind(checkpoint) == 'reverb':
    _LOG.warning('The replay in %s is of servers (--replay reverb), so the learner has no batches of it.', checkpoint)
    readable = None
  replays = {}
  for index in range(len(plan.replays)):
    parts = replays_lib.ReplayParts.of(plan, index)
    # No limiter has to hold it back for actors.
    free = [dataclasses.replace(table, limiter=tables.min_size(1)) for table in parts.described]
    replays[parts.name] = replays_lib.in_process(dataclasses.replace(parts, described=free, checkpoint=readable))
  return build_learner(plan, build_counter(experiment.budget, plan.phases, checkpoint), **replays)


def build_evaluator(
  plan: plan_lib.Plan,
  options: experiments.Evaluation,
  estimators: Sequence[fitted_q.Prepared],
  counter: counting.CounterClient,
  learner: Any,
) -> evaluation.Evaluator:
  """The object of an evaluation's node."""
  experiment = plan.experiment
  make = options.environment or experiment.environment
  episodes = options.episodes or evaluation.EPISODES
  numbers = range(min(episodes, options.environments))
  fresh = (plan.fresh_seed('evaluation', number) for number in numbers)
  environments = [specs.make_environment(make, seed, 'evaluator') for seed in fresh]
  parts = _actor_parts(plan, learner, environments, 0, options)
  steps, seed = experiment.budget.steps, plan.seed('estimates')
  return evaluation.Evaluator(
    evaluation.EvaluatorParts(
      name=options.name,
      environments=environments,
      spec=specs.environment_spec(environments[0]) if options.environment else plan.spec,
      actor=_actor(plan, parts),
      variables=parts.variables,
      tally=tallies.Tally(options.name, counter),
      logger=plan.logger(options.name),
      unit=experiment.budget.unit,
      every=experiment.every(options.every, 20),
      budget=steps,
      episodes=episodes,
      max_episode_steps=options.longest(experiment.budget),
      share=_share(experiment, options),
      observers=experiment.observers,
      estimates=[one.make(parts.policy, plan.spec, steps, seed) for one in estimators],
      camera=drawing.Camera() if options.animation else None,
      on_evaluation=experiment.on_evaluation,
      keeper=_keeper(plan, options.name, parts),
      keeps_best=experiment.checkpointing.best and options == experiment.evaluations[0],
    )
  )


def _keeper(plan: plan_lib.Plan, name: str, parts: core.ActorParts) -> Optional[keeping.Keeper]:
  """Keeps the policy of an evaluation, as it is when it has played."""
  if plan.folder is None or not parts.evaluation:
    return None
  exporter = export.Exporter(parts.policy, plan.spec, plan.experiment.budget.steps)
  return keeping.Keeper(plan.folder, name, exporter.save)


def _share(experiment: experiments.Experiment, options: experiments.Evaluation) -> Optional[float]:
  """Of the steps of the run, what this evaluation may take before the last one; None is no limit."""

  def shares(one: experiments.Evaluation) -> bool:
    return one.episodes is None and one.every != 0

  if experiment.offline or not shares(options):
    return None
  return evaluation.SHARE / sum(map(shares, experiment.evaluations))


def build_saver(plan: plan_lib.Plan, counter: Any, learner: Any, **replays: Any) -> saving.Saver:
  """The saver's object."""
  experiment = plan.experiment
  options = experiment.checkpointing
  parts: Dict[str, Callable[[str], Any]] = {}
  if plan.folder:
    # The learner first, which may be compiling for seconds while actors continue. The counter last: it has counted all
    # that the replay holds, so that nothing is counted twice.
    parts['learner'] = learner.save
    if options.replay:
      parts.update({name: replay.save for name, replay in replays.items()})
    parts['counter'] = counter.save
  return saving.Saver(
    saving.SaverParts(
      name='saver',
      tally=tallies.Tally('saver', counter),
      folder=plan.path('checkpoints'),
      parts=parts,
      steps=lambda path: counting.saved_total(os.path.join(path, 'counter'), experiment.budget.unit),
      export=_policy_writer(plan),
      leave=functools.partial(_leave, plan),
      ended=counter.ended,
      unit=experiment.budget.unit,
      every=experiment.every(options.every, 10, _FEWEST_STEPS),
      budget=experiment.budget.steps,
      keep=options.keep,
    )
  )


def _policy_writer(plan: plan_lib.Plan) -> Callable[[str], None]:
  """Writes the policy of a checkpoint into the run's folder; made now, since who stops a run does not wait for long."""
  path = plan.path('policy')
  if path is None:
    return lambda checkpoint: None
  return functools.partial(trained.PolicyWriter(plan.experiment, plan.spec).write, path)


def _leave(plan: plan_lib.Plan) -> None:
  """Draws the curve."""
  if plan.folder is None:
    return
  if plan.evaluations:
    from tfacme.workers import plotting  # matplotlib takes a second to import, which only this node has to spend.

    plotting.learning_curve([plan.folder], plan.path('learning_curve.png'))
