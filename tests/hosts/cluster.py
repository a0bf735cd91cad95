"""A Ray cluster of several hosts, made as network namespaces of this machine; needs the rights of root.

Each host has an address of its own on a bridge, and a mount namespace; a folder that the first one has is empty in the
others.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
import signal
import subprocess
import time
from typing import Dict, Iterator, List, Optional, Sequence

_NETWORK = '10.213.77'
_PORT = 6399


class Host:
  """A namespace with an address, and the commands that run in it."""

  def __init__(self, name: str, number: int, hidden: Optional[pathlib.Path]):
    """Args: hidden: the folder that is empty here; None if this is the host that has it."""
    self.name = name
    self.address = f'{_NETWORK}.{number}'
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
    _run('ip', '-n', self.name, 'link', 'set', 'eth0', 'up' if connected else 'down')

  def kill_raylet(self) -> None:
    """Kills the process of Ray's by which a host belongs to a cluster."""
    for pid in self.pids():
      with contextlib.suppress(OSError):
        if pathlib.Path(f'/proc/{pid}/comm').read_text().strip() == 'raylet':
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


def start_ray(made: Sequence[Host], ray: str, processors: int, folder: pathlib.Path) -> str:
  """Starts a cluster with so many processors on each host, which says to have a GPU too; returns its address."""
  address = f'{made[0].address}:{_PORT}'
  for host in made:
    own = ['--head', f'--port={_PORT}', '--include-dashboard=false'] if host is made[0] else [f'--address={address}']
    scratch = folder / host.name
    options = [
      f'--node-ip-address={host.address}',
      f'--num-cpus={processors}',
      '--num-gpus=1',
      '--block',
      '--disable-usage-stats',
    ]
    options += [f'--temp-dir={scratch}'] if host is made[0] else []
    log = open(folder / f'{host.name}.log', 'w', encoding='utf-8')
    host.start([ray, 'start', *own, *options], stdout=log, stderr=log, env=environment())
    _wait_for_node(made[0], ray, address, made.index(host) + 1)
  return address


def environment() -> Dict[str, str]:
  """Of all commands of the cluster."""
  return {**os.environ, 'RAY_AUTH_MODE': 'disabled'}


def _wait_for_node(head: Host, ray: str, address: str, count: int) -> None:
  deadline = time.monotonic() + 120
  python = pathlib.Path(ray).with_name('python')
  script = (
    'import ray, sys; ray.init(address=sys.argv[1], logging_level=50, log_to_driver=False); '
    'sys.exit(sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]))'
  )
  while time.monotonic() < deadline:
    tried = head.start(
      [str(python), '-c', script, address, str(count)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
      if tried.wait(30) == 0:
        return
    time.sleep(1)
  raise TimeoutError(f'Ray has not come to {count} hosts')
