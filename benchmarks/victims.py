"""Runs whose parts can be killed: in processes of this machine, and on a Ray cluster of hosts that are made of it."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time
from typing import IO, Any, Callable, Dict, List, NamedTuple, Sequence

from benchmarks import hosts, processes
from tfacme import checkpoints, loggers
from tfacme.runs import status as status_lib

LEAVES = {'actor': 'actor_steps', 'evaluator': 'evaluator_episodes', 'relay': None}  # role: what each counts
CORE = ('learner', 'replay', 'counter', 'saver')
RAYLET, HOST = "another host's raylet", "another host's link"
LONGEST_SECONDS = 300.0  # that anything is waited for
_DOWN_SECONDS = 90.0  # that a link is: longer than Ray takes to call the host lost
_REJOIN_SECONDS = 15.0  # after which a host that is lost joins the cluster again, once it can


class Victim(NamedTuple):
  """What can be lost.

  Attributes:
    kill: loses it.
    leaf: whose work shows that all goes on.
  """

  kill: Callable[[], None]
  leaf: str


def role(node: str) -> str:
  """What a node is one of."""
  return re.sub(r'-\d+$', '', node)


def _of_nodes(pids: Dict[str, int]) -> Dict[str, Victim]:
  """What is lost with a process each, by the names of nodes."""
  return {
    name: Victim(functools.partial(_kill, pid), name if role(name) in LEAVES else 'actor-0')
    for name, pid in pids.items()
    if role(name) in (*LEAVES, *CORE)
  }


def _kill(pid: int) -> None:
  with contextlib.suppress(ProcessLookupError):
    os.kill(pid, signal.SIGKILL)


class Machine:
  """This machine, on which nodes are processes of the command's session.

  Attributes:
    launch: the engine.
    actors: how many a run has here.
    left_seconds: after which no process of a command that has ended may be left.
  """

  launch, actors, left_seconds = 'local_mp', 2, 10.0

  def start(self, command: Sequence[str], said: IO[bytes]) -> subprocess.Popen:
    """Starts a program of Python's, which says into a file."""
    return subprocess.Popen([sys.executable, *command], stdout=said, stderr=said, start_new_session=True)

  def victims(self, process: subprocess.Popen) -> Dict[str, Victim]:
    """What of a run is there."""
    return _of_nodes(processes.nodes(process.pid))

  def left(self, process: subprocess.Popen) -> int:
    """How many of its processes still run."""
    return len(list(processes.of_session(process.pid)))

  def mend(self) -> None:
    """Brings back what comes back by itself where a machine is looked after."""

  def whole(self) -> bool:
    """Whether nothing is lost of what was there."""
    return True


class Cluster:
  """Three hosts in a Ray cluster, of which the first one has the command and the run's folder; as a `Machine`."""

  # A host whose link was down hears of all that only once its connections have come up again.
  launch, actors, left_seconds = 'ray', 4, 180.0

  def __init__(self, cluster: hosts.Cluster):
    self._cluster = cluster
    self._chance = random.Random(0)
    self._down: Dict[int, float] = {}  # {number of a host: when its link is to be up again}
    self._lost: Dict[int, float] = {}  # {number of a host without a raylet: when it is to join again}
    self._looked = 0.0  # for those

  def start(self, command: Sequence[str], said: IO[bytes]) -> subprocess.Popen:
    """Starts a program of Python's, which says into a file."""
    return self._cluster.start(['python', *command], stdout=said, stderr=said)

  def victims(self, process: subprocess.Popen) -> Dict[str, Victim]:
    """What of a run is there; a host is, if an actor is on it."""
    del process  # It is the only one.
    placed = self._cluster.nodes()
    found = _of_nodes({name: pid for name, (_, pid) in placed.items()})
    actors = {
      number: name
      for name, (number, _) in placed.items()
      if role(name) == 'actor' and number and self._is_there(number)
    }
    if actors:
      number = self._chance.choice(sorted(actors))
      found[RAYLET] = Victim(self._cluster.hosts[number].kill_raylet, actors[number])
      found[HOST] = Victim(functools.partial(self._take_down, number), actors[number])
    return found

  def left(self, process: subprocess.Popen) -> int:
    """How many of its nodes still run."""
    del process
    return len(self._cluster.nodes())

  def mend(self) -> None:
    """Has links come up again once it is time, and hosts that were lost join again, as a service on them would."""
    for number, due in list(self._down.items()):
      if time.monotonic() >= due:
        self._cluster.hosts[number].connect(True)
        del self._down[number]
    if time.monotonic() < self._looked + 1:
      return
    self._looked = time.monotonic()
    for number, host in enumerate(self._cluster.hosts[1:], 1):  # The first one has the command.
      if number in self._down or host.raylets():
        self._lost.pop(number, None)
      elif time.monotonic() >= self._lost.setdefault(number, time.monotonic() + _REJOIN_SECONDS):
        self._cluster.join(host)
        self._lost[number] = time.monotonic() + _REJOIN_SECONDS

  def whole(self) -> bool:
    """Whether nothing is lost of what was there."""
    return all(self._is_there(number) for number in range(1, len(self._cluster.hosts)))

  def _is_there(self, number: int) -> bool:
    return number not in self._down and bool(self._cluster.hosts[number].raylets())

  def _take_down(self, number: int) -> None:
    self._down[number] = time.monotonic() + _DOWN_SECONDS
    self._cluster.hosts[number].connect(False)


class Run:
  """A command that trains, and what it says of itself; whoever leaves it ends all of its processes."""

  def __init__(self, place: Any, folder: str, steps: int, every: int, restarts: int):
    """Initializes it.

    Args:
      place: a `Machine` or a `Cluster`.
      folder: for its own, and for what it says.
      steps: of its environments.
      every: steps between two checkpoints.
      restarts: how often in an hour it may go on.
    """
    self.place, self.workdir = place, os.path.join(folder, 'run')
    options = ['--launch', place.launch, '--actors', str(place.actors), '--relays', '1', '--steps', str(steps)]
    self._command = ['-m', 'tfacme', 'train', 'dqn', '--env', 'bsuite:catch/0', '--replay', 'reverb', *options]
    self._command += ['--restarts', str(restarts), '--checkpointing.every', str(every), '--workdir', self.workdir]
    self._said = pathlib.Path(folder, 'said.txt')  # A pipe that nobody reads would hold it.
    self._started: List[subprocess.Popen] = []

  def __enter__(self) -> Run:
    self.start()
    return self

  def __exit__(self, *_: Any) -> None:
    for process in self._started:
      processes.end_session(process.pid)
      process.wait()
    wait_until(lambda: not self.left())

  def start(self) -> None:
    """Starts the command; the same one goes on where it was."""
    with open(self._said, 'ab') as said:
      self.process = self.place.start(self._command, said)
    self._started.append(self.process)

  def status(self) -> Dict[str, Any]:
    """What it said last; what it had not begun to say has no steps and no nodes."""
    told = status_lib.read(self.workdir)
    if told is None or told.process != self.process.pid:
      return {'time': 0.0, 'steps': 0, 'nodes': {}, 'notes': {}}
    return {'time': told.time, **told.status}

  def fresh_status(self) -> Dict[str, Any]:
    """The next one; it says how it stands every other second."""
    old = self.status()['time']
    wait_until(lambda: self.status()['time'] not in (0.0, old))
    return self.status()

  def said(self) -> str:
    """All that it has printed, in one line."""
    return ' '.join(self._said.read_text(encoding='utf-8', errors='replace').split())

  def resumed(self) -> List[int]:
    """The steps at which it went on, each time that it did."""
    return [int(steps.replace(',', '')) for steps in re.findall(r'Resuming from step ([\d,]+)', self.said())]

  def victims(self) -> Dict[str, Victim]:
    """What of it is there, by name."""
    return self.place.victims(self.process)

  def is_saved(self) -> bool:
    """Whether it has a checkpoint."""
    return bool(checkpoints.steps(os.path.join(self.workdir, 'checkpoints')))

  def left(self) -> int:
    """How many of its processes still run."""
    return self.place.left(self.process)

  def result(self) -> Dict[str, Any]:
    """Waits for its end: how it ended, where, and what it left running."""
    wait_until(lambda: self.process.poll() is not None or self.place.mend(), 2 * LONGEST_SECONDS)
    wait_until(lambda: self.place.mend() or self.place.whole())  # A host without a link can't be told of the end.
    ended = time.monotonic()
    with contextlib.suppress(TimeoutError):
      wait_until(lambda: not self.left(), self.place.left_seconds)
    left_for = time.monotonic() - ended
    said = self.said()
    last = loggers.read(os.path.join(self.workdir, 'logs', 'evaluator.csv'))[-1]
    return {
      'exit_code': self.process.returncode,
      'steps': int(float(last['actor_steps'])),
      'return': float(last['episode_return']),
      'made_anew': said.count('has failed, and is made anew ('),
      'began_again': said.count('was lost, and the run begins again from its last checkpoint ('),
      'left': self.left(),
      'left_for_seconds': round(left_for, 1),
    }


def wait_until(condition: Callable[[], Any], seconds: float = LONGEST_SECONDS) -> None:
  """Waits until something is so."""
  begun = time.monotonic()
  while not condition():
    if time.monotonic() - begun > seconds:
      raise TimeoutError(f'It was not so after {seconds} s.')
    time.sleep(0.05)


@contextlib.contextmanager
def places(launch: str, runs: pathlib.Path) -> Any:
  """Where runs of an engine are: the place, whose runs have their folders in that one."""
  if launch == Machine.launch:
    yield Machine()
  else:
    with hosts.cluster(3, runs) as cluster:
      yield Cluster(cluster)
