"""From an experiment to a Launchpad program: the only place that makes nodes."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, Union

import launchpad as lp

from tfacme import errors, experiments, loggers
from tfacme.debugging import profiling
from tfacme.graph import building, host, nodes, picture, relaying
from tfacme.graph import plan as plan_lib
from tfacme.graph import replays as replays_lib
from tfacme.replay import hosted, reverb_replay, reverb_tables, sizes, visiting
from tfacme.tensors import devices


def make_program(
  experiment: experiments.Experiment,
  workdir: Optional[str] = None,
  checkpoint: Optional[str] = None,
  logged: Optional[loggers.OfRun] = None,
  profile: Optional[profiling.Profile] = None,
) -> lp.Program:
  """Compiles an experiment into a program graph, which any engine runs.

  Args:
    experiment: what to run.
    workdir: where logs, checkpoints and the trained policy go; None leaves nothing behind.
    checkpoint: the folder of a checkpoint to resume from.
    logged: makes its loggers, and is prepared by whoever runs it; None makes it here, of a run with a new id.
    profile: how its nodes are profiled; None if they are not.

  Raises:
    UserError: if parts of the experiment don't fit each other.
  """
  plan = _plan(experiment, workdir, checkpoint, logged)
  acting, layout = plan.for_acting(), experiment.layout
  program = lp.Program(name=experiment.agent)
  node = functools.partial(_task_node, profile, threads=layout.threads)
  build = functools.partial(building.build_counter, experiment.budget, plan.phases, checkpoint, plan.logged)
  counter = _add(program, node('counter', None, build, {}))
  counted = {'counter': nodes.Link(counter, 'counts')}
  learner, replays = _add_learner(program, plan, counted, node)
  pulled = nodes.Link(learner, 'variables', inward=True)
  upkeep = nodes.Upkeep(layout.restarts, layout.environment_timeout)
  links = {**counted, 'learner': pulled}
  if not experiment.offline:
    _add_actors(program, plan, links, list(replays.values()), upkeep, node)
  # Where roles use the replay, it is a single one; see `servers.check`.
  _add_roles(program, plan, {**links, **({'replay': [*replays.values()][0]} if replays else {})}, node)
  for evaluation in plan.evaluations:
    estimators = plan.estimators if evaluation is plan.evaluations[0] else ()
    build = functools.partial(building.build_evaluator, acting, evaluation, estimators)
    _add(program, node('evaluator', evaluation.name, build, links, upkeep=upkeep))
  _give_gpus(program, layout.gpus)
  _add_saver(program, acting, {**links, **replays}, node)
  return program


def _plan(*arguments: Any) -> plan_lib.Plan:
  """The plan of an experiment; what it tries of the agent is no node's, and takes no GPU."""
  with devices.context(False)():
    return plan_lib.make_plan(*arguments)


def _give_gpus(program: lp.Program, roles: Sequence[str]) -> None:
  """Has the nodes of these roles compute on GPUs."""
  workers = [node for node in nodes.of_program(program) if node.role not in ('counter', 'replay', 'relay')]
  for role in roles:
    found = [node for node in workers if node.role == role]
    if not found and role not in experiments.ROLES:
      known = {*experiments.ROLES, *(node.role for node in workers)}
      raise errors.unknown('role of nodes that could compute on GPUs', role, known)
    for node in found:
      node.gpus = True


def _task_node(
  profile: Optional[profiling.Profile],
  role: str,
  index: Union[int, str, None],
  factory: Callable[..., Any],
  links: Mapping[str, nodes.Link],
  **options: Any,
) -> nodes.TaskNode:
  """A node, whose worker is measured if the run is profiled."""
  made = factory if profile is None else functools.partial(profile.make, role, factory)
  return nodes.TaskNode(role, index, made, links, **options)


def _add_learner(
  program: lp.Program, plan: plan_lib.Plan, links: Mapping[str, nodes.Link], node: Callable[..., nodes.TaskNode]
) -> Tuple[nodes.Node, Mapping[str, nodes.Link]]:
  """Adds the learner, and the replay: in it, or in nodes of its own. Returns it, and links for who writes, by name."""
  layout = plan.experiment.layout
  parts = {name: _replay_part(plan) for name in plan.replays} if layout.beside_learner else {}
  served = [] if parts else [_add(program, _replay_node(plan, index)) for index in range(len(plan.replays))]
  used = {**links, **{replay.name: nodes.Link(replay, 'batches', inward=True) for replay in served}}
  build = functools.partial(building.build_learner, plan.for_learning())
  threads = layout.threads if layout.learner_threads is None else layout.learner_threads
  learner = _add(program, node('learner', None, build, used, threads=threads, parts=parts))
  return learner, {
    **{replay.name: nodes.Link(replay, 'steps') for replay in served},
    **{name: nodes.Link(learner, 'steps', part=name) for name in parts},
  }


def _add_actors(
  program: lp.Program,
  plan: plan_lib.Plan,
  links: Mapping[str, nodes.Link],
  replays: Sequence[nodes.Link],
  upkeep: nodes.Upkeep,
  node: Callable[..., nodes.TaskNode],
) -> None:
  """Adds the actors, each with the replay that it writes to, and the relays from which they take variables."""
  acting, layout = plan.for_acting(), plan.experiment.layout
  anywhere = dataclasses.replace(upkeep, anywhere=True, processors=layout.actor_processors, memory=layout.actor_memory)
  light = dataclasses.replace(anywhere, processors=0, memory=0)
  relays = [
    _add(program, node('relay', index, functools.partial(relaying.Relay.of, name), links, upkeep=light))
    for index, name in enumerate(plan.relays)
  ]
  for index in range(layout.actors):
    build = functools.partial(building.build_actor, acting, index)
    used = {**links, 'replay': replays[index % len(replays)]}
    if relays:
      used['relay'] = nodes.Link(relays[index % len(relays)], 'variables', True, relaying.PATIENCE)
    _add(program, node('actor', index, build, used, upkeep=anywhere))


def _add_roles(
  program: lp.Program,
  plan: plan_lib.Plan,
  links: Mapping[str, nodes.Link],
  node: Callable[..., nodes.TaskNode],
) -> None:
  """Adds the nodes of the agent's own."""
  saved = replays_lib.saved_kind(plan.checkpoint)
  for role in plan.roles:
    used = {name: links[name] for name in ('counter', *role.uses)}
    for index in range(role.count):
      build = functools.partial(building.build_role, plan.for_acting(), role, index, saved)
      upkeep = nodes.Upkeep(environment_timeout=plan.experiment.layout.environment_timeout)
      _add(program, node(role.name, None if role.count == 1 else index, build, used, upkeep=upkeep))


def _add_saver(
  program: lp.Program, acting: plan_lib.Plan, links: Dict[str, nodes.Link], node: Callable[..., nodes.TaskNode]
) -> None:
  states = {name: dataclasses.replace(link, flow='state', inward=True) for name, link in links.items()}
  links = {**states, 'counter': links['counter']}
  seconds = acting.experiment.checkpointing.stop_seconds
  build = functools.partial(building.build_saver, acting)
  _add(program, node('saver', None, build, links, upkeep=nodes.Upkeep(save_seconds=seconds)))


def graph(program: lp.Program) -> picture.Graph:
  """The nodes of a program, and what flows between them, for a picture."""
  infos, edges = [], []
  for node in nodes.of_program(program):
    infos.append(picture.NodeInfo(node.name, node.role, node.index))
    for name, part in getattr(node, 'parts', {}).items():
      infos.append(picture.NodeInfo(name, part.role, 0))
      edges.append(picture.Edge(name, node.name, 'batches'))
    for link in node.links.values():
      ends = (link.used, node.name) if link.inward else (node.name, link.used)
      edges.append(picture.Edge(*ends, link.flow))
  return picture.Graph(infos, edges)


def _add(program: lp.Program, node: nodes.Node) -> nodes.Node:
  program.add_node(node, label=node.role)
  return node


def _replay_part(plan: plan_lib.Plan) -> host.Part:
  """The replay of a run as a part of the learner's node."""
  parts = replays_lib.ReplayParts.of(plan)
  rows = visiting.rows_at_a_time(parts.described, plan.experiment.layout.actors)
  return host.Part(
    make=functools.partial(replays_lib.in_process, parts),
    shared=hosted.HostedReplay,
    client=functools.partial(visiting.VisitedReplay, codec=parts.codec, described=parts.described, rows=rows),
    role='replay',
    most_bytes=sizes.at_most(parts.described, parts.codec, plan.experiment.budget.steps),
  )


def _replay_node(plan: plan_lib.Plan, index: int) -> nodes.ReplayNode:
  parts = replays_lib.ReplayParts.of(plan, index)
  server_path = plan.path(reverb_replay.SERVER_FOLDER, parts.name)
  steps = math.ceil(plan.experiment.budget.steps / len(parts.names))  # of the actors that write to it
  return nodes.ReplayNode(
    parts.name,
    index,
    tables=functools.partial(replays_lib.served_tables, parts),
    checkpointer=functools.partial(reverb_tables.checkpointer, server_path) if server_path else None,
    client=functools.partial(reverb_replay.ReverbReplay, codec=parts.codec, described=parts.described),
    in_process=functools.partial(replays_lib.in_process, parts),
    most_bytes=sizes.at_most(parts.described, parts.codec, steps),
  )
