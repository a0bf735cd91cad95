"""Whether actors should ask one place what to do: policies of their own, one for all slots, or one that is served.

    python -m benchmarks.inference --out benchmarks/results/inference

Environments wait for some milliseconds in each step, as those do that compute elsewhere. `own`: each has a process
with a policy. `slots`: one process steps all, one after the other, and calls the policy once for all of them. `served`:
each has a process without TensorFlow, and asks a server of Courier's, which calls the policy for those that have asked,
up to as many as there are environments. Policies are compiled, and have one thread each.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import queue
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np
import tyro

from benchmarks import processes

SHAPES = {'64x64': (10,), 'Atari': (84, 84, 4)}  # network: its observations
WAYS = ('own', 'slots', 'served')
_WARM_SECONDS = 3.0
_GATHER_SECONDS = 0.001  # for which the server waits for more, if not all have asked


@dataclasses.dataclass(frozen=True)
class Options:
  """What is measured.

  Attributes:
    environments: how many, one after the other.
    waits: milliseconds that a step takes, one after the other.
    seconds: for which each is measured.
    out: the path of the JSON and the plot, without what their names end with.
  """

  environments: Tuple[int, ...] = (1, 4, 16)
  waits: Tuple[float, ...] = (0.0, 5.0)
  seconds: float = 5.0
  out: str = 'benchmarks/results/inference'


def _observations(network: str, count: int) -> np.ndarray:
  shape, random = SHAPES[network], np.random.default_rng(0)
  if network == 'Atari':
    return random.integers(0, 256, (count, *shape), np.uint8)
  return random.normal(size=(count, *shape)).astype(np.float32)


def _policy(network: str) -> Callable[[np.ndarray], np.ndarray]:
  """The actions of a network of which each output is an action's value."""
  import sonnet as snt
  import tensorflow as tf

  from tfacme import networks

  tf.config.threading.set_intra_op_parallelism_threads(1)
  tf.config.threading.set_inter_op_parallelism_threads(1)
  torso = networks.AtariTorso() if network == 'Atari' else snt.nets.MLP([64, 64], activate_final=True)
  values = snt.Sequential([torso, snt.Linear(6)])
  compiled = tf.function(lambda observation: tf.argmax(values(observation), axis=-1, output_type=tf.int32))

  def act(observations: np.ndarray) -> np.ndarray:
    return compiled(tf.convert_to_tensor(observations)).numpy()

  return act


def act(network: str, environments: int, wait: float, address: str) -> None:
  """Acts until it is killed, and says how many steps it has made once a second.

  Args:
    network: a key of `SHAPES`.
    environments: that it steps, one after the other.
    wait: seconds that a step takes.
    address: of a server to ask; none if it has a policy of its own.
  """
  observations = _observations(network, environments)
  if address:
    import courier

    ask = courier.Client(address).act
    policy: Any = lambda asked: [ask(observation.tobytes()) for observation in asked]
  else:
    policy = _policy(network)
  steps, told = 0, 0.0
  while True:
    policy(observations)
    for _ in range(environments):
      if wait:
        time.sleep(wait)
      steps += 1
    if (now := time.monotonic()) > told + 0.1:
      print(json.dumps([now, steps]), flush=True)
      told = now


def serve(network: str, environments: int) -> None:
  """Serves a policy at a free port, which it says."""
  from launchpad.nodes.courier import courier_utils

  policy = _policy(network)
  policy(_observations(network, environments))  # It is compiled now.

  server = courier_utils.make_courier_server(_Server(policy, network, environments), thread_pool_size=environments + 2)
  server.Start()
  print(json.dumps([server.port, 0]), flush=True)
  server.Join()


class _Server:
  """What is called: gathers those who ask, and answers them together."""

  def __init__(self, policy: Callable[[np.ndarray], np.ndarray], network: str, most: int):
    self._policy, self._most = policy, most
    self._batch = _observations(network, most)
    self._asked: queue.Queue = queue.Queue()
    threading.Thread(target=self._keep_answering, daemon=True).start()

  def act(self, observation: bytes) -> int:
    """The action for an observation; bytes, since arrays in arguments hang a call of Courier's."""
    answer: queue.Queue = queue.Queue()
    self._asked.put((observation, answer))
    return answer.get()

  def _keep_answering(self) -> None:
    while True:
      asked = [self._asked.get()]
      due = time.monotonic() + _GATHER_SECONDS
      while len(asked) < self._most:
        try:
          asked.append(self._asked.get(timeout=max(0.0, due - time.monotonic())))
        except queue.Empty:
          break
      for row, (observation, _) in zip(self._batch, asked):
        row[...] = np.frombuffer(observation, row.dtype).reshape(row.shape)
      for action, (_, answer) in zip(self._policy(self._batch).tolist(), asked):
        answer.put(action)


@contextlib.contextmanager
def _started(call: str) -> Iterator[subprocess.Popen]:
  """A process that calls a function of this module."""
  code = f'from benchmarks import inference; inference.{call}'
  process = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True, start_new_session=True)
  try:
    yield process
  finally:
    processes.end_session(process.pid)
    process.wait()


def _said(process: subprocess.Popen) -> List[float]:
  assert process.stdout is not None
  return json.loads(process.stdout.readline())


def measure(way: str, network: str, environments: int, wait: float, seconds: float) -> float:
  """Steps a second of all environments."""
  with contextlib.ExitStack() as running:
    address = ''
    if way == 'served':
      server = running.enter_context(_started(f'serve({network!r}, {environments})'))
      address = f'localhost:{int(_said(server)[0])}'
    each, count = (environments, 1) if way == 'slots' else (1, environments)
    call = f'act({network!r}, {each}, {wait / 1000}, {address!r})'
    actors = [running.enter_context(_started(call)) for _ in range(count)]
    for actor in actors:
      _said(actor)
    begin = time.monotonic() + _WARM_SECONDS
    first = [_until(actor, begin) for actor in actors]
    last = [_until(actor, begin + seconds) for actor in actors]
  return sum((steps - before) / (then - since) for (since, before), (then, steps) in zip(first, last))


def _until(actor: subprocess.Popen, moment: float) -> List[float]:
  """The first that an actor says after a moment: the time, and its steps."""
  while (said := _said(actor))[0] < moment:
    pass
  return said


def main(options: Options) -> None:
  """Measures all, and writes it after each."""
  processes.end_as_by_interrupt()
  results: List[Dict[str, Any]] = []
  for network in SHAPES:
    for wait in options.waits:
      for environments in options.environments:
        row: Dict[str, Any] = {'network': network, 'wait_ms': wait, 'environments': environments}
        for way in WAYS:
          row[way] = round(measure(way, network, environments, wait, options.seconds), 1)
        print(json.dumps(row), flush=True)
        results.append(row)
  cases = [(network, wait) for network in SHAPES for wait in options.waits]
  title = {case: f'{case[0]}, {case[1]:g} ms' for case in cases}
  drawn = []
  for way in WAYS:
    for environments in options.environments:
      own = {title[row['network'], row['wait_ms']]: row[way] for row in results if row['environments'] == environments}
      drawn.append({'label': way, 'x': environments, **own})
  titles = {name: f'{name}: steps / s' for name in title.values()}
  processes.report(pathlib.Path(options.out), results, drawn, 'environments', titles)


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
