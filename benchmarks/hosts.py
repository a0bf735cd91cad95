"""A Ray cluster of several hosts, made as network namespaces of this machine; needs the rights of root.

Each host has an address of its own on a bridge, and a mount namespace; a folder that the first one has is empty in the
others.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import secrets
import signal
import subprocess
import tempfile
import time
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

ROOT = pathlib.Path(__file__).parents[1]
BIN = ROOT / '.venv-ray' / 'bin'  # `make hosts-test` makes it
_NODE = re.compile(
  r'ray::((actor|relay)-\d+|learner|replay(-\d+)?|counter|saver|evaluator)'
)  # then '.outcome', or the end
_NETWORK = '10.213.77'
_PORT = 6399


class Host:
  """A namespace with an address, and the commands that run in it."""

  def __init__(self, name: str, number: int, hidden: Optional[pathlib.Path]):
    """Args: hidden: the folder that is empty here; None if this is the host that has it."""
    self.name = name
    self.address = f'{_NETWORK}.{number}'
    self.is_connected = True
    self._hidden = hidden
    self._started: List[subprocess.Popen] = []

  def start(self, command: Sequence[str], **options) -> subprocess.Popen:
    """Starts a command, whose processes all end with this host."""
    hide = f'mount -t tmpfs none {self._hidden} && ' if self._hidden else ''
    script = f'mount --make-rprivate / && {hide}exec "$@"'
    inside = ['ip', 'netns', 'exec', self.name, 'unshare', '--mount', '--', 'sh', '-c', script, 'sh', *command]
    process = subprocess.Popen(inside, start_new_session=True, **options)
    self._started.append(process)
    return process

  def pids(self) -> List[int]:
    """Of all processes in it."""
    return [int(pid) for pid in _run('ip', 'netns', 'pids', self.name).split()]

  def connect(self, connected: bool) -> None:
    """Takes its link down, so that no other host reaches it, or up again."""
    self.is_connected = connected
    _run('ip', '-n', self.name, 'link', 'set', 'eth0', 'up' if connected else 'down')

  def raylets(self) -> List[int]:
    """The processes of Ray's by which it belongs to a cluster: one, or none where it is lost."""
    return [pid for pid in self.pids() if read(pid, 'comm').strip() == 'raylet']

  def kill_raylet(self) -> None:
    """Kills that process."""
    for pid in self.raylets():
      with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)

  def kill(self) -> None:
    """Kills all that runs in it."""
    for _ in range(5):
      for pid in self.pids():
        with contextlib.suppress(ProcessLookupError):
          os.kill(pid, signal.SIGKILL)
      time.sleep(0.1)
    for process in self._started:
      process.wait()


def read(pid: int, file: str) -> str:
  """What `/proc` says of a process; nothing of one that is gone."""
  with contextlib.suppress(OSError):
    return pathlib.Path(f'/proc/{pid}/{file}').read_text(encoding='utf-8')
  return ''


def _run(*command: str) -> str:
  return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def allowed() -> bool:
  """Whether this machine lets us make hosts."""
  name = f'tf{secrets.token_hex(3)}'
  try:
    _run('ip', 'netns', 'add', name)
  except (OSError, subprocess.CalledProcessError):
    return False
  _run('ip', 'netns', 'del', name)
  return True


@contextlib.contextmanager
def hosts(count: int, folder: pathlib.Path) -> Iterator[List[Host]]:
  """So many hosts, of which the first one has the folder."""
  mark = secrets.token_hex(3)
  bridge = f'tf{mark}'
  with contextlib.ExitStack() as undo:
    _run('ip', 'link', 'add', bridge, 'type', 'bridge')
    undo.callback(_run, 'ip', 'link', 'del', bridge)
    _run('ip', 'link', 'set', bridge, 'up')
    made = []
    for number in range(1, count + 1):
      host = Host(f'tf{mark}-{number}', number, None if number == 1 else folder)
      _run('ip', 'netns', 'add', host.name)
      undo.callback(_run, 'ip', 'netns', 'del', host.name)
      undo.callback(host.kill)
      outside = f'{bridge}v{number}'
      _run('ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.name)
      _run('ip', 'link', 'set', outside, 'master', bridge, 'up')
      for command in (f'addr add {host.address}/24 dev eth0', 'link set eth0 up', 'link set lo up'):
        _run('ip', '-n', host.name, *command.split())
      _run('ip', '-n', host.name, 'route', 'add', 'default', 'via', f'{_NETWORK}.254', 'dev', 'eth0', 'onlink')
      made.append(host)
    yield made


class Cluster:
  """Hosts with a Ray cluster, the folder of runs that only the first of them has, and commands there.

  Attributes:
    hosts: of which each says to have two processors and a GPU.
    runs: the folder.
    started: the programs that were, those that have ended too.
  """

  def __init__(self, hosts_: Sequence[Host], runs: pathlib.Path, scratch: pathlib.Path):
    """Args: scratch: a folder for Ray, whose sockets' names may have no more than a hundred characters."""
    self.hosts, self.runs = hosts_, runs
    self.started: List[subprocess.Popen] = []
    self._address, self._scratch = f'{hosts_[0].address}:{_PORT}', scratch
    for count, host in enumerate(hosts_, 1):
      self.join(host)
      self.wait_for(count)

  def join(self, host: Host) -> None:
    """Has a host belong to the cluster, the first of all being its head."""
    own = [f'--address={self._address}']
    if host is self.hosts[0]:
      own = ['--head', f'--port={_PORT}', '--include-dashboard=false', f'--temp-dir={self._scratch / host.name}']
    own += [f'--node-ip-address={host.address}', '--num-cpus=2', '--num-gpus=1', '--block', '--disable-usage-stats']
    with open(self._scratch / f'{host.name}.log', 'a', encoding='utf-8') as log:
      host.start([str(BIN / 'ray'), 'start', *own], stdout=log, stderr=log, env=environment())

  def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen:
    """Starts a program of the environment with Ray on the first host, for this cluster."""
    env = {**environment(), 'RAY_ADDRESS': self._address, 'PYTHONPATH': str(ROOT)}
    self.started.append(self.hosts[0].start([str(BIN / command[0]), *command[1:]], env=env, **options))
    return self.started[-1]

  def nodes(self) -> Dict[str, Tuple[int, int]]:
    """{name of a node of a run: the number of its host, and its process id}."""
    found = {}
    for number, host in enumerate(self.hosts):
      for pid in host.pids():
        if named := _NODE.match(read(pid, 'cmdline')):
          found[named[1]] = number, pid
    return found

  def wait_for(self, count: int) -> None:
    """Waits until it has so many hosts."""
    deadline = time.monotonic() + 120
    script = (
      'import ray, sys; ray.init(logging_level=50, log_to_driver=False); '
      'sys.exit(sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[1]))'
    )
    while time.monotonic() < deadline:
      tried = self.start(['python', '-c', script, str(count)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
      with contextlib.suppress(subprocess.TimeoutExpired):
        if tried.wait(30) == 0:
          return
      time.sleep(1)
    raise TimeoutError(f'Ray has not come to {count} hosts')


@contextlib.contextmanager
def cluster(count: int, runs: pathlib.Path) -> Iterator[Cluster]:
  """So many hosts in a Ray cluster; the first one has the folder of runs."""
  with tempfile.TemporaryDirectory(prefix='tf') as folder, hosts(count, runs) as made:
    yield Cluster(made, runs, pathlib.Path(folder))


def environment() -> Dict[str, str]:
  """Of all commands of the cluster."""
  return {**os.environ, 'RAY_AUTH_MODE': 'disabled'}
