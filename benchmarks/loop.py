"""What the framework costs: the inline DQN loop against the sum of its bare parts.

    python benchmarks/loop.py [--steps 6000] [--repeats 5] [--hidden-sizes 64 64]

The bare parts are the environment as the experiment makes it, the policy and the learning step, each compiled and
called in the cheapest public way on inputs that are there already; they take turns at the loop's ratio. The loop does
that and replay, counting, logging, variables and the graph's scheduling besides. Loop and parts alternate every 200
rounds in one process, so that what else the machine does falls on both.
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

_ACTIONS = 2000
_WARM_UP = 100  # learning steps

Parts = Dict[str, Callable[[], Any]]


@dataclasses.dataclass(frozen=True)
class Options:
  """What is measured.

  Attributes:
    steps: environment steps of one run of the loop.
    repeats: how many runs.
    hidden_sizes: of the networks; the agent's own if none are given.
    out: a JSON file for the numbers, or None.
  """

  steps: int = 6000
  repeats: int = 5
  hidden_sizes: Tuple[int, ...] | None = None
  out: str | None = None


def experiment(config: Options) -> tfacme.Experiment:
  """DQN on catch as `tfacme train` has it, without evaluations and checkpoints, which are not part of the loop."""
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig()),
    networks=dqn.default_networks(hidden_sizes=config.hidden_sizes),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=config.steps),
    layout=tfacme.Layout(evaluators=0),
    checkpointing=tfacme.Checkpointing(every=0),
  )


class Turns:
  """Lets the bare parts take a turn after every few rounds of the loop, so that both meet the same machine.

  Attributes:
    pairs: (seconds of a step of the loop, {part: seconds of a call}) of each turn.
    ratio: learning steps for each environment step of the loop.
  """

  def __init__(self, parts: Parts):
    self._parts = parts
    self._before: Tuple[float, int, int] | None = None
    self.pairs: List[Tuple[float, Dict[str, float]]] = []
    self.ratio = 0.0

  def __call__(self, status: Dict[str, Any]) -> None:
    """Is called by the engine now and then, between two rounds."""
    now, totals = time.perf_counter(), status['totals']
    steps, learned = totals['actor_steps'], totals.get('learner_steps', 0)
    if learned < _WARM_UP or status['phase'] > 0:
      return
    if self._before is not None:
      begun, first, learned_first = self._before
      self.ratio = (learned - learned_first) / (steps - first)
      self.pairs.append(((now - begun) / (steps - first), bare_seconds(self._parts, steps - first, self.ratio)))
    self._before = (time.perf_counter(), steps, learned)


def run(config: Options, parts: Parts) -> Dict[str, float]:
  """One run of the loop, with what it and its parts took: medians over the turns, in seconds."""
  turns = Turns(parts)
  with tempfile.TemporaryDirectory() as folder:
    launching.launch(tfacme.make_program(experiment(config), folder), 'inline', turns)
  loop = statistics.median(loop for loop, _ in turns.pairs)
  bare = {name: statistics.median(bare[name] for _, bare in turns.pairs) for name in parts}
  total = bare['environment'] + bare['policy'] + turns.ratio * bare['learner']
  return {**bare, 'learner_steps_per_step': turns.ratio, 'sum': total, 'loop': loop, 'loop_to_sum': loop / total}


def bare_parts(config: Options) -> Parts:
  """The three parts, each as a function that does it once."""
  plan = program.make_plan(experiment(config))
  builder = plan.experiment.builder
  environment = plan.experiment.environment(0)
  environment.reset()
  actions = np.random.default_rng(0).integers(plan.spec.actions.num_values, size=_ACTIONS).astype(np.int32).tolist()
  turn = iter(range(10**9))

  def step_environment() -> Any:  # dm_env resets by itself on the step after the last one.
    return environment.step(actions[next(turn) % _ACTIONS])

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


def bare_seconds(parts: Parts, steps: int, ratio: float) -> Dict[str, float]:
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


def main(config: Options) -> None:
  """Measures and prints."""
  parts = bare_parts(config)
  rows = [run(config, parts) for _ in range(config.repeats)]
  median = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
  for name in ('environment', 'policy', 'learner', 'sum', 'loop'):
    print(f'{name:12} {1e6 * median[name]:8.1f} µs')
  print(f'learner steps for each environment step: {median["learner_steps_per_step"]:.3f}')
  print(f'loop / sum of its bare parts: {median["loop_to_sum"]:.2f}, of', [round(r['loop_to_sum'], 2) for r in rows])
  if config.out:
    with open(config.out, 'w', encoding='utf-8') as file:
      json.dump({'median': median, 'repeats': rows}, file, indent=2)


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
