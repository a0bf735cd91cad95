"""What a run in a network of its own serves is reached from within, and from nowhere else."""

import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

from tests import pages
from tests.programs import processes
from tfacme import errors, launching
from tfacme.launching import private_network

_ENTER = [sys.executable, private_network.__file__]
_LISTENS = '0A'  # in the kernel's tables of sockets
_SERVES = """
import os, socket
server = socket.create_server(('', 0))
port = server.getsockname()[1]
socket.create_connection(('127.0.0.1', port)).close()
print(os.geteuid(), port, [name for _, name in socket.if_nameindex()], flush=True)
input()
"""


@pytest.fixture(scope='module', autouse=True)
def _allowed():
  if subprocess.run([*_ENTER, sys.executable, '-c', ''], capture_output=True).returncode:
    pytest.skip('this system gives a process no network of its own')


def _is_reached(port: int) -> bool:
  try:
    socket.create_connection(('127.0.0.1', port), timeout=5).close()
  except ConnectionRefusedError:
    return False
  return True


@pytest.mark.parametrize('private', [True, False])
def test_its_server_is_reached_from_within_alone(private):
  command = [*(_ENTER if private else []), sys.executable, '-c', _SERVES]
  with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
    user, port, interfaces = server.stdout.readline().split(maxsplit=2)
    assert int(user) == os.geteuid()
    assert _is_reached(int(port)) is not private
    assert (interfaces.strip() == "['lo']") is private or not private
    server.communicate('\n')


def _ports(pid: int):
  """Those on which anything listens in the network of a process."""
  tables = [pathlib.Path(f'/proc/{pid}/net/{name}').read_text().splitlines()[1:] for name in ('tcp', 'tcp6')]
  fields = [line.split() for table in tables for line in table]
  return {int(field[1].rpartition(':')[2], 16) for field in fields if field[3] == _LISTENS}


@pytest.mark.slow
def test_a_run_in_processes_is_reached_by_nobody_else(tmp_path):
  (line,) = pages.commands((pages.ROOT / 'docs' / 'security.md').read_text())
  name, *arguments = line.replace('--steps 1000 ', '--steps 10000000 ').split()
  assert (name, arguments.count('10000000')) == ('tfacme', 1)
  command = processes.tfacme(*arguments, cwd=tmp_path)
  command.wait_for(tmp_path / 'runs' / 'private' / 'logs' / 'learner.csv', 2)
  network = lambda pid: os.readlink(f'/proc/{pid}/ns/net')
  nodes = [command.named(name) for name in ('learner', 'counter')]
  assert {network(pid) for pid in nodes} == {network(command.process.pid)} != {network('self')}
  ports = _ports(nodes[0])
  assert len(ports) >= 2 and not any(map(_is_reached, ports))
  command.process.send_signal(signal.SIGTERM)
  ended = command.wait(60)
  assert (ended.code, ended.left) == (143, []), ended.err


def test_where_it_can_not_be_it_is_said():
  with pytest.raises(errors.UserError, match='hosts of a Ray cluster could not reach each other'):
    launching.check_goes_with('ray', debug=False, private=True)
  with pytest.raises(errors.UserError, match='for a command of its own'):  # This process is one of many tests.
    launching.check_goes_with('local_mp', debug=False, private=True)
