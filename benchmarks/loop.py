"""What the framework costs: the inline DQN loop against the sum of its bare parts.

    python benchmarks/loop.py [--steps 6000] [--repeats 5]

The bare parts are the environment with nothing around it, the policy and the learning step, each compiled and called
in the cheapest public way on inputs that are there already; they take turns at the loop's ratio. The loop does that and
replay, counting, logging, variables and the graph's scheduling besides. Loop and parts alternate within one process, so
that what else the machine does falls on both.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import tempfile
import time
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import tensorflow as tf
import tyro

import tfacme
from tfacme import acting, compiling, environments, launching, networks, program
from tfacme.agents import dqn
from tfacme.replay import numpy_replay, readers

_CALLS = 2000


@dataclasses.dataclass(frozen=True)
class Options:
  """What is measured.

  Attributes:
    steps: environment steps of one run of the loop.
    repeats: how often loop and parts alternate.
    out: a JSON file for the numbers, or None.
  """

  steps: int = 6000
  repeats: int = 5
  out: str | None = None


def experiment(steps: int) -> tfacme.Experiment:
  """DQN's defaults on catch, without evaluations and checkpoints, which are not part of the loop."""
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig()),
    networks=dqn.mlp_networks(hidden_sizes=(64, 64)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=steps),
    layout=tfacme.Layout(evaluators=0),
    checkpointing=tfacme.Checkpointing(every=0),
  )


def loop_seconds(steps: int) -> Tuple[float, float]:
  """(seconds for an environment step, learning steps for an environment step) of the loop once it learns."""
  seen: List[Tuple[float, int, int]] = []

  def note(status: Dict[str, Any]) -> None:
    totals = status['totals']
    if totals.get('learner_steps', 0) > 100 and status['phase'] == 0:
      seen.append((time.perf_counter(), totals['actor_steps'], totals['learner_steps']))

  with tempfile.TemporaryDirectory() as folder:
    launching.launch(tfacme.make_program(experiment(steps), folder), 'inline', note)
  (begun, first, learned), (ended, last, learned_last) = seen[0], seen[-1]
  return (ended - begun) / (last - first), (learned_last - learned) / (last - first)


def bare_parts() -> Dict[str, Callable[[], Any]]:
  """The three parts, each as a function that does it once."""
  plan = program.make_plan(experiment(1))
  builder = plan.experiment.builder
  environment = plan.experiment.environment(0)
  environment.reset()
  actions = np.random.default_rng(0).integers(plan.spec.actions.num_values, size=_CALLS).astype(np.int32).tolist()
  turn = iter(range(10**9))

  def step_environment() -> Any:  # dm_env resets by itself on the step after the last one.
    return environment.step(actions[next(turn) % _CALLS])

  with networks.seeded(0):
    nets = plan.experiment.networks(plan.spec)
    policy, update = builder.policy(nets, plan.spec, False), builder.update(nets, plan.spec)
  observation = tf.zeros([1, *plan.spec.observations.shape])
  numbers = tf.zeros([4], tf.int64)
  act = compiling.Compiled(
    acting.policy_step(policy, np.zeros(1, np.int32), 1),
    [tf.TensorSpec(observation.shape), (), tf.TensorSpec([4], tf.int64)],
  )
  batch = _batch(plan)
  learn = compiling.Compiled(update, [tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), batch)])
  flat = tf.nest.flatten(batch)
  return {
    'environment': step_environment,
    'policy': lambda: act.flat([observation, numbers]),
    'learner': lambda: learn.flat(flat),
  }


def _batch(plan: program.Plan) -> Any:
  """A batch of the agent's size, of one transition."""
  replay = numpy_replay.NumpyReplay(plan.codec, plan.described, 0)
  writer = replay.writer()
  row = {name: column[0] for name, column in plan.codec.rows(1).items()}
  for _ in range(plan.described[0].limiter.min_size + 10):
    writer.append(row, False)
  source = readers.open_source(plan.source, readers.Room(replay, plan.described, plan.step_spec, None, 0))
  return source.unpack(tf.nest.map_structure(tf.constant, source.read(0.0, 0).packed))


def bare_seconds(parts: Dict[str, Callable[[], Any]], steps: int, ratio: float) -> Dict[str, float]:
  """Seconds of one call of each part, when they take turns as in the loop.

  In a loop by itself each part would find its code and data in the processor's caches, as it never does in a run.
  """
  spent, calls = dict.fromkeys(parts, 0.0), dict.fromkeys(parts, 0)
  owed = 0.0
  for _ in range(steps):
    owed += ratio
    for name, function in parts.items():
      if name == 'learner':
        if owed < 1.0:
          continue
        owed -= 1.0
      begun = time.perf_counter()
      function()
      spent[name] += time.perf_counter() - begun
      calls[name] += 1
  return {name: spent[name] / calls[name] for name in parts}


def main(options: Options) -> None:
  """Measures and prints."""
  parts = bare_parts()
  _, ratio = loop_seconds(options.steps)
  bare_seconds(parts, _CALLS, ratio)
  rows = []
  for _ in range(options.repeats):
    loop, ratio = loop_seconds(options.steps)
    bare = bare_seconds(parts, options.steps, ratio)
    total = bare['environment'] + bare['policy'] + ratio * bare['learner']
    rows.append({**bare, 'learner_steps_per_step': ratio, 'sum': total, 'loop': loop, 'loop_to_sum': loop / total})
  median = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
  for name in ('environment', 'policy', 'learner', 'sum', 'loop'):
    print(f'{name:12} {1e6 * median[name]:8.1f} µs')
  print(f'learner steps for each environment step: {median["learner_steps_per_step"]:.3f}')
  print(f'loop / sum of its bare parts: {median["loop_to_sum"]:.2f}, of', [round(r['loop_to_sum'], 2) for r in rows])
  if options.out:
    with open(options.out, 'w', encoding='utf-8') as file:
      json.dump({'median': median, 'repeats': rows}, file, indent=2)


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
