"""What a node's process starts: it can be asked to end, and ends with the node."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import pytest

from tests.programs import processes
from tfacme.launching import local


def _sleeps(folder: str) -> None:
  """What an environment may do: one process by `exec`, one by `fork`."""
  children = [subprocess.Popen(['sleep', '987']).pid, os.fork()]
  if not children[1]:
    time.sleep(987)
  for i, pid in enumerate(children):
    _write(folder, f'child-{i}', pid)


def _write(folder: str, name: str, pid: int) -> None:
  path = pathlib.Path(folder, name)
  path.with_suffix('.part').write_text(str(pid))
  path.with_suffix('.part').rename(path)


class Node(NamedTuple):
  """The least that an engine asks of one."""

  folder: str
  ends: bool
  name: str = 'actor'
  threads: int = 0
  gpus: bool = False

  def run(self) -> None:
    """Starts two processes, and goes on for long or not."""
    _write(self.folder, 'node', os.getpid())
    _sleeps(self.folder)
    time.sleep(0 if self.ends else 987)


def _read(folder: pathlib.Path, name: str) -> int:
  _wait(lambda: (folder / name).exists())
  return int((folder / name).read_text())


def _wait(condition) -> None:
  deadline = time.monotonic() + 60
  while not condition():
    assert time.monotonic() < deadline
    time.sleep(0.02)


def _is_there(pid: int) -> bool:
  try:
    return 'State:\tZ' not in pathlib.Path(f'/proc/{pid}/status').read_text()
  except OSError:
    return False


@pytest.fixture
def started(tmp_path, request):
  """(task, the two processes that it started)."""
  task = local._ProcessTask(Node(str(tmp_path), getattr(request, 'param', False)))
  yield task, [_read(tmp_path, f'child-{i}') for i in (0, 1)]
  task.kill()


def test_what_a_node_starts_finds_the_signals_as_any_process_does(started):
  _, children = started
  for pid in children:
    for line in pathlib.Path(f'/proc/{pid}/status').read_text().splitlines():
      name, _, mask = line.partition(':\t')
      if name in ('SigBlk', 'SigIgn'):
        assert not int(mask, 16) & (1 << (signal.SIGTERM - 1) | 1 << (signal.SIGINT - 1)), name
    os.kill(pid, signal.SIGTERM)
  _wait(lambda: not any(map(_is_there, children)))


def test_a_signal_that_comes_while_a_process_is_forked_is_heard():
  code = """
import os, signal, time
from tfacme.launching import forking
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
forking.leave_signals_to_launcher()
before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
child = os.fork()
if not child:
  time.sleep(0.5)  # If it was not heard, the process goes on, and ends with 0.
  os._exit(0)
assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
assert os.waitpid(child, 0)[1] == signal.SIGTERM
"""
  subprocess.run([sys.executable, '-c', code], check=True)


def test_a_node_goes_on_when_it_is_asked_to_stop(started, tmp_path):
  task, _ = started
  for signum in (signal.SIGTERM, signal.SIGINT):
    os.kill(_read(tmp_path, 'node'), signum)
  time.sleep(0.3)
  assert task.running() and task.failure is None


@pytest.mark.parametrize('started', [True], indirect=True)
def test_what_a_node_leaves_running_ends_with_it(started):
  task, children = started
  _wait(lambda: not task.running())
  assert task.failure is None
  _wait(lambda: not any(map(_is_there, children)))


def test_what_a_killed_node_leaves_running_is_ended(started, tmp_path):
  task, children = started
  os.kill(_read(tmp_path, 'node'), signal.SIGKILL)
  _wait(lambda: task.failure is not None)
  assert task.failure.account == 'It was killed by SIGKILL.'
  _wait(lambda: not any(map(_is_there, children)))


@pytest.mark.parametrize('end', ['os.kill(os.getpid(), 9)', 'os.kill(child.pid, 9); os._exit(0)'])
def test_what_a_process_has_started_ends_with_it_where_nobody_is_beside_it(end):
  code = f"""
import os, subprocess
from tfacme.launching import forking
forking.lead_group()
forking.end_group_with_leader()
child = subprocess.Popen(['sh', '-c', 'sleep 987 > /dev/null & echo $!; wait'], stdout=subprocess.PIPE, text=True)
print(child.stdout.readline(), flush=True)
{end}
"""
  ended = subprocess.run([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True)
  _wait(lambda: not _is_there(int(ended.stdout)))


@pytest.mark.slow
def test_when_the_launcher_is_killed_nothing_is_left(tmp_path):
  code = f"""
import time
from tests.launching import test_forking
from tfacme.launching import local
task = local._ProcessTask(test_forking.Node({str(tmp_path)!r}, False))
time.sleep(987)
"""
  launcher = subprocess.Popen([sys.executable, '-c', code])
  started = [_read(tmp_path, name) for name in ('node', 'child-0', 'child-1')]
  launcher.kill()
  launcher.wait()
  _wait(lambda: not any(map(_is_there, started)))


# --- A server that is a copy of the command's own process ---

_COPIED = """
import sys, threading
from tests.launching import copied
from tfacme import launching
from tfacme.launching import forking
if sys.argv[2] == 'thread':
  threading.Thread(target=threading.Event().wait, daemon=True).start()
if sys.argv[2] == 'file':
  open(__file__)
  kept = open(__file__)
if sys.argv[2] == 'devices':
  import tensorflow as tf
  tf.config.list_physical_devices()
print('printed once')
launching.warm_up()
process = forking.start_process(copied.work, (sys.argv[1],), 'node')
process.join()
forking.stop_server()
"""


@pytest.mark.slow
@pytest.mark.parametrize('what, name', [('new', 'tfacme-server'), ('thread', None), ('file', None), ('devices', None)])
def test_processes_of_environments_start_in_every_way(what, name, tmp_path):
  """A node is forked from a copy of the command's process, if that is as new; environments start their own."""
  script = tmp_path / 'script.py'
  script.write_text(_COPIED)
  ended = processes.Command([str(script), str(tmp_path / 'did'), what]).wait(200)
  assert (ended.code, ended.left) == (0, []), ended.err
  parent, *did = (tmp_path / 'did').read_text().split()
  assert (parent == 'tfacme-server') == (name is not None)
  assert did == ['fork', 'forkserver', 'spawn']
  assert ended.out == 'printed once\n'
