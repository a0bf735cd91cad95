"""What the framework costs: an agent's inline loop against the sum of its bare parts.

    python benchmarks/loop.py dqn sac [--slots 8] [--hidden-sizes 64 64] [--repeats 5] [--out results.json]

Each agent runs as `tfacme train` has it, with its default config and networks. The bare parts are the environments as
the experiment makes them (dm_env, in single precision), the policy and the learning step, each compiled and called in
the cheapest public way on inputs that are there already; the learning step's is a batch that the agent's actor played.
The loop does that and replay, counting, logging, variables and the graph's scheduling besides. Loop and parts alternate
every 200 rounds in one process, and the parts take turns at the loop's own ratio, so that what else the machine does
falls on both. An agent that learns from recorded data has one part, its learning step.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import statistics
import tempfile
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
import tensorflow as tf
import tyro

import tfacme
from tfacme import core, datasets, environments, launching, networks
from tfacme.agents import registry
from tfacme.graph import building
from tfacme.graph import plan as plan_lib
from tfacme.replay import numpy_replay
from tfacme.tensors import compiling
from tfacme.workers import acting, random_policy

_WARM_UP = 4  # turns after the first learning step
_ACTIONS = 2000
_RECORDED_EPISODES = 50

Parts = Dict[str, Callable[[], Any]]


@dataclasses.dataclass(frozen=True)
class Options:
  """What is measured.

  Attributes:
    agents: their names; all if none are given.
    repeats: how many runs of each.
    slots: environments for one call of the policy; as on the agents' pages if not given.
    hidden_sizes: of the networks; the agents' own if none are given.
    out: a JSON file for the numbers, or None.
  """

  agents: tyro.conf.Positional[Tuple[str, ...]] = ()
  repeats: int = 5
  slots: int | None = None
  hidden_sizes: Tuple[int, ...] | None = None
  out: str | None = None


def experiment(agent: str, options: Options, recording: str) -> tfacme.Experiment:
  """An agent as `tfacme train` has it, without evaluations and checkpoints, which are not part of the loop."""
  about = registry.about(agent)
  task = about.benchmark
  make: Any = registry.default_networks(agent)
  return registry.experiment(
    agent,
    task,
    networks=dataclasses.replace(make, hidden_sizes=options.hidden_sizes) if options.hidden_sizes else make,
    dataset=datasets.rlds(recording) if about.recorded else None,
    layout=tfacme.Layout(evaluators=0, slots=options.slots or task.slots),
    checkpointing=tfacme.Checkpointing(every=0),
  )


class Turns:
  """Lets the bare parts take a turn after every few rounds of the loop, so that both meet the same machine.

  Attributes:
    loop: seconds that the loop took.
    bare: {part: seconds that it took}.
    steps, learned: environment steps and learning steps of the loop in that time.
  """

  def __init__(self, parts: Parts, slots: int):
    self._parts, self._slots = parts, slots
    self._before: Optional[Tuple[float, int, int]] = None
    self._warm_up = _WARM_UP
    self.loop, self.bare, self.steps, self.learned = 0.0, dict.fromkeys(parts, 0.0), 0, 0

  def __call__(self, status: Dict[str, Any]) -> None:
    """Is called by the engine now and then, between two rounds."""
    now, totals = time.perf_counter(), status['totals']
    steps, learned = totals.get('actor_steps', 0), totals.get('learner_steps', 0)
    if not learned or status['steps'] >= status['budget']:
      return
    if self._warm_up:
      self._warm_up -= 1
    elif self._before is not None:
      begun, steps_before, learned_before = self._before
      self.loop += now - begun
      self._take_turns(steps - steps_before, learned - learned_before)
    self._before = (time.perf_counter(), steps, learned)

  def _take_turns(self, steps: int, learned: int) -> None:
    """The parts, as often as the loop has called them and mixed as there.

    In a loop by itself each part would find its code and data in the processor's caches, as it never does in a run.
    """
    self.steps += steps
    self.learned += learned
    rounds, done = max(1, steps // self._slots), 0
    for i in range(rounds):
      for name in [] if not steps else ['policy', *['environment'] * self._slots]:
        self._time(name)
      while done * rounds < learned * (i + 1):
        self._time('learner')
        done += 1

  def _time(self, name: str) -> None:
    begun = time.perf_counter()
    self._parts[name]()
    self.bare[name] += time.perf_counter() - begun


def run(plan: plan_lib.Plan, parts: Parts) -> Dict[str, float]:
  """One run of the loop, and what it and its parts took for each step, in seconds."""
  turns = Turns(parts, plan.experiment.layout.slots)
  with tempfile.TemporaryDirectory() as folder:
    launching.launch(tfacme.make_program(plan.experiment, folder), 'inline', turns)
  total, unit = sum(turns.bare.values()), turns.steps or turns.learned
  each = {name: seconds / unit for name, seconds in turns.bare.items()}
  row = {**each, 'sum': total / unit, 'loop': turns.loop / unit, 'loop_to_sum': turns.loop / total}
  return {**row, 'learner_steps_per_step': turns.learned / unit, 'steps': unit}


def bare_parts(plan: plan_lib.Plan) -> Parts:
  """The parts, each as a function that does it once."""
  with networks.seeded(0):
    nets = plan_lib.make_networks(plan.experiment, plan.spec)
    update, random = plan.experiment.builder.update(nets, plan.spec), networks.Randomness(0)
  batch = _batch(plan)

  def step(batch: core.Batch) -> List[tf.Tensor]:
    with random.step():
      return [x for x in tf.nest.flatten(update(batch)) if x is not None]

  learn = compiling.Compiled(step, [tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), batch)])
  flat = tf.nest.flatten(batch)
  parts: Parts = {'learner': lambda: learn.flat(flat)}
  if not plan.experiment.offline:
    parts.update(environment=_environment(plan), policy=_policy(plan, nets))
  return parts


def _environment(plan: plan_lib.Plan) -> Callable[[], Any]:
  environment = plan.experiment.environment(0)
  environment.reset()
  random = random_policy.RandomPolicy(plan.spec.actions)
  actions = itertools.cycle([random(None) for _ in range(_ACTIONS)])
  return lambda: environment.step(next(actions))  # It resets by itself after the last step.


def _policy(plan: plan_lib.Plan, nets: Any) -> Callable[[], Any]:
  slots = plan.experiment.layout.slots
  policy = plan.experiment.builder.policy(nets, plan.spec, False)
  specs = compiling.tensor_specs(plan.spec.observations, slots)
  arguments = [tf.nest.map_structure(lambda s: tf.zeros(s.shape, s.dtype), specs), policy.initial_state(slots)]
  arguments.append(tf.zeros(acting.numbers_spec(slots).shape, tf.int64))
  described = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), arguments)
  act = compiling.Compiled(
    acting.policy_step(policy, plan.spec.actions, np.arange(slots, dtype=np.int32), slots), described
  )
  flat = tf.nest.flatten(arguments)
  return lambda: act.flat(flat)


def _batch(plan: plan_lib.Plan) -> Any:
  """A batch as the agent learns from: of recorded data, or of what its actor has played."""
  counter = building.build_counter(plan.experiment.budget, plan.phases, None)
  replay = None if plan.experiment.offline else numpy_replay.NumpyReplay(plan.codec, plan.described, 0)
  learner = building.build_learner(plan, counter, **({} if replay is None else {'replay': replay}))
  actor = None if replay is None else building.build_actor(plan, 0, counter, replay, learner)
  while isinstance(batch := learner.try_read(), core.Blocked) and actor is not None:
    actor.step(0.0)
  return batch


def measure(agent: str, options: Options) -> Dict[str, Any]:
  """Measures one agent, and prints what came of it."""
  with tempfile.TemporaryDirectory() as folder:
    recording = os.path.join(folder, 'recording')
    about = registry.about(agent)
    if about.recorded:
      tfacme.record(None, environments.make(about.benchmark.environment), _RECORDED_EPISODES, recording)
    plan = plan_lib.make_plan(experiment(agent, options, recording))
    rows = [run(plan, bare_parts(plan)) for _ in range(options.repeats)]
  median = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
  parts = [name for name in ('environment', 'policy', 'learner') if name in median]
  unit = 'learning step' if plan.experiment.offline else 'environment step'
  print(f'{agent}, {about.benchmark.environment}, {plan.experiment.layout.slots} slots; microseconds for each {unit}:')
  print('  ' + ', '.join(f'{name} {1e6 * median[name]:.1f}' for name in (*parts, 'sum', 'loop')))
  print(f'  learner steps for each: {median["learner_steps_per_step"]:.4f}; over {median["steps"]:.0f} {unit}s')
  each = ', '.join(f'{row["loop_to_sum"]:.2f}' for row in rows)
  print(f'  loop / sum of its bare parts: {median["loop_to_sum"]:.2f}, of {each}', flush=True)
  return {'median': median, 'repeats': rows}


def main(options: Options) -> None:
  """Measures all agents, one after the other."""
  results = {agent: measure(agent, options) for agent in options.agents or registry.names()}
  if options.out:
    with open(options.out, 'w', encoding='utf-8') as file:
      json.dump(results, file, indent=2)


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
