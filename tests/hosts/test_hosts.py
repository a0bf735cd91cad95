"""The same programs on a Ray cluster of three hosts, two of which lack the run's folder; and on one of its own."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from tests.contract import environment
from tests.hosts import cluster
from tests.programs import processes
from tfacme import checkpoints, datasets, testing

_ROOT = pathlib.Path(__file__).parents[2]
_BIN = _ROOT / '.venv-ray' / 'bin'
_ENVIRONMENT = 'tests.contract.environment:TwoStates'
_BEST = 4.0  # the return of the best policy there

pytestmark = [
  pytest.mark.slow,
  pytest.mark.skipif(not (_BIN / 'ray').exists(), reason='there is no .venv-ray: `make hosts-test` makes it'),
]


class _Cluster:
  """Three hosts, the folder of runs that only the first one has, and commands there."""

  def __init__(self, hosts, runs, address):
    self.hosts, self.runs, self._address = hosts, runs, address

  def train(self, *arguments, folder=_ROOT):
    environment = {**cluster.environment(), 'RAY_ADDRESS': self._address, 'PYTHONPATH': str(_ROOT)}
    command = [str(_BIN / 'python'), '-m', 'tfacme', 'train', *arguments, '--launch', 'ray']
    pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
    return self.hosts[0].start(command, env=environment, cwd=folder, **pipes)

  def nodes(self):
    """{name of a node: numbers of the hosts that it is on, and process id}."""
    found = {}
    for number, host in enumerate(self.hosts):
      for pid in host.pids():
        with contextlib.suppress(OSError):
          title = pathlib.Path(f'/proc/{pid}/cmdline').read_text()
          # 'ray::actor-0', or with the method that it is in, 'ray::actor-0.outcome'; Ray has some of its own
          if named := re.match(r'ray::(actor-\d+|relay-\d+|learner|replay(-\d+)?|counter|saver|evaluator)', title):
            found[named[1]] = number, pid
    return found


@pytest.fixture(scope='module')
def three(tmp_path_factory):
  if not cluster.allowed():
    pytest.skip('network namespaces can not be made here')
  runs = tmp_path_factory.mktemp('runs')
  # Ray's sockets lie in here, whose names may have no more than a hundred characters.
  with tempfile.TemporaryDirectory(prefix='tf') as folder, cluster.hosts(3, runs) as hosts:
    yield _Cluster(hosts, runs, cluster.start_ray(hosts, str(_BIN / 'ray'), 2, pathlib.Path(folder)))


def _end(command, seconds=150):
  out, err = command.communicate(timeout=seconds)
  return command.returncode, out, err


def _wait_until(condition, seconds=90):
  deadline = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < deadline
    time.sleep(0.1)


_RUNS = {  # agent: environment, steps, and what they take
  'dqn': (_ENVIRONMENT, 3000, {}),
  'impala': (_ENVIRONMENT, 20000, {}),
  'ppo': (
    _ENVIRONMENT,
    8000,
    {'unroll-length': 16, 'batch-size': 4, 'minibatches': 2, 'learning-rate': 0.01, 'discount': 0.9},
  ),
  'sac': (
    'tests.contract.environment:Pushed',
    3000,
    {
      **{'policy-learning-rate': 0.003, 'critic-learning-rate': 0.003, 'temperature-learning-rate': 0.003},
      **{'min-replay-size': 200, 'random-steps': 300, 'discount': 0.9},
    },
  ),
  'r2d2': (
    'tests.contract.environment:hiding',
    6000,
    {'burn-in': 0, 'trace-length': 5, 'sequence-period': 5, 'n-step': 1, 'learning-rate': 0.003, 'discount': 0.9},
  ),
}


_ANYWHERE = ('actor', 'relay')  # Nodes of all other roles are where the run's folder is.


@pytest.mark.parametrize('agent', _RUNS)
def test_actors_are_on_all_hosts_and_the_run_comes_to_its_end(agent, three):
  (place, steps, config), run = _RUNS[agent], three.runs / agent
  options = [text for name, value in config.items() for text in (f'--config.{name}', str(value))]
  if agent == 'dqn':
    options += ['--relays', '2', '--replays', '2']
  command = three.train(agent, '--env', place, '--actors', '4', '--steps', str(steps), '--workdir', str(run), *options)
  _wait_until(lambda: (run / 'logs' / 'learner.csv').exists() or command.poll() is not None)
  placed = three.nodes()
  code, out, err = _end(command)
  assert code == 0, err
  assert {number for name, (number, _) in placed.items() if name.startswith('actor')} == {0, 1, 2}
  assert {number for name, (number, _) in placed.items() if not name.startswith(_ANYWHERE)} == {0}
  if agent == 'dqn':
    assert placed['relay-0'][0] != placed['relay-1'][0] and {'replay-0', 'replay-1'} <= set(placed)
  for actor in range(4):  # whose rows have travelled
    assert testing.logs(run)[f'actor-{actor}']
  final = testing.logs(run)['evaluator'][-1]
  assert int(final['actor_steps']) == steps and float(final['episode_return']) >= _BEST - 0.5


def test_modules_that_only_the_first_host_has_travel_with_the_run(three):
  folder = three.runs / 'mine'
  (folder / 'games').mkdir(parents=True)
  (folder / 'rules.py').write_text('LENGTH = 4\n')
  (folder / 'games' / '__init__.py').write_text('')
  (folder / 'games' / 'states.py').write_text(
    'import rules\nfrom tfacme import testing\n\n\nclass Game(testing.TwoStates):\n  length = rules.LENGTH\n'
  )
  options = ['--actors', '4', '--steps', '2000', '--workdir', 'run']
  code, _, err = _end(three.train('dqn', '--env', 'games.states:Game', *options, folder=folder))
  assert code == 0, err
  for actor in range(4):
    assert {row['episode_length'] for row in testing.logs(folder / 'run')[f'actor-{actor}']} == {'4'}


def test_recorded_data_are_learned_from_where_they_are(three):
  run, data = three.runs / 'bc', three.runs / 'data'
  episodes = environment.record(60)
  with datasets.RLDSWriter(str(data), datasets.memory(episodes).spec()) as writer:
    for episode in episodes:
      writer.write(episode)
  steps = ['--learner-steps', '600', '--config.learning-rate', '0.01']
  command = three.train('bc', '--dataset', str(data), '--env', _ENVIRONMENT, *steps, '--workdir', str(run))
  _wait_until(lambda: (run / 'logs' / 'learner.csv').exists() or command.poll() is not None)
  placed = three.nodes()
  code, out, err = _end(command)
  assert code == 0, err
  assert {number for number, _ in placed.values()} == {0}
  final = testing.logs(run)['evaluator'][-1]
  assert int(final['learner_steps']) == 600 and float(final['episode_return']) >= _BEST - 0.5


def test_actors_that_compute_on_gpus_are_where_those_are(three):
  run = three.runs / 'gpus'
  options = ['--env', _ENVIRONMENT, '--actors', '2', '--gpus', 'learner', 'actor', '--workdir', str(run)]
  command = three.train('dqn', *options, '--steps', '3000')
  _wait_until(lambda: (run / 'logs' / 'learner.csv').exists() or command.poll() is not None)
  placed = three.nodes()
  code, out, err = _end(command)
  assert code == 0, err
  assert {placed[name][0] for name in ('actor-0', 'actor-1')} == {1, 2}  # The learner has that of the first host.
  code, _, err = _end(three.train('dqn', '--env', _ENVIRONMENT, '--actors', '4', '--gpus', 'actor'))
  assert code == 2 and 'The 4 actors of this run take a GPU each, and the Ray cluster has 3 for them' in ' '.join(
    err.split()
  )


def test_what_is_killed_is_made_anew_an_actor_alone_and_the_core_as_a_whole(three):
  run, steps = three.runs / 'killed', 12000
  options = ['--env', _ENVIRONMENT, '--actors', '4', '--checkpointing.every', '2000', '--workdir', str(run)]
  command = three.train('dqn', *options, '--steps', str(steps))
  _wait_until(lambda: (run / 'logs' / 'learner.csv').exists())
  nodes = three.nodes()
  elsewhere = next(name for name, (number, _) in nodes.items() if number > 0)
  os.kill(nodes[elsewhere][1], signal.SIGKILL)
  _wait_until(lambda: checkpoints.steps(str(run / 'checkpoints')))
  os.kill(three.nodes()['learner'][1], signal.SIGKILL)
  code, out, err = _end(command)
  assert code == 0, err
  said = ' '.join(err.split())
  assert f'The node {elsewhere} has failed, and is made anew (1 of 3 times in an hour): Its process is gone' in said
  assert 'The node learner was lost, and the run begins again from its last checkpoint (1 of 3' in said
  assert 'Resuming from step ' in out
  final = testing.logs(run)['evaluator'][-1]
  assert int(final['actor_steps']) == steps and float(final['episode_return']) >= _BEST - 0.5


_LOSSES = {  # how a host is lost: the third one, or the second
  'its raylet is killed': (2, lambda host: host.kill_raylet()),
  'its link is down for a while': (1, lambda host: _disconnect(host, 10)),
  'its link is down': (1, lambda host: host.connect(False)),
}


def _disconnect(host, seconds):
  host.connect(False)
  time.sleep(seconds)
  host.connect(True)


@pytest.mark.parametrize('loss', _LOSSES)
def test_a_host_that_is_lost_leaves_its_actors_to_the_others(loss, three):
  """Where too few processors are left for all, the last actors are made anew once others have come to their end.

  One of the relays is lost too; actors elsewhere that took variables from it ask the learner.
  """
  (number, lose), run, steps = _LOSSES[loss], three.runs / loss.replace(' ', '-'), 12000
  options = ['--actors', '4', '--relays', '3', '--workdir', str(run)]
  command = three.train('dqn', '--env', _ENVIRONMENT, *options, '--steps', str(steps))
  _wait_until(lambda: (run / 'logs' / 'learner.csv').exists())
  lost = [name for name, (place, _) in three.nodes().items() if place == number]
  lose(three.hosts[number])
  code, out, err = _end(command, 240)
  assert code == 0, err
  if not loss.endswith('while'):  # Else all may go on.
    assert lost and all(f'The node {name} has failed, and is made anew' in err for name in lost), err
  assert int(testing.logs(run)['evaluator'][-1]['actor_steps']) == steps


def test_too_many_actors_for_the_cluster_are_one_line(three):
  code, _, err = _end(
    three.train('dqn', '--env', _ENVIRONMENT, '--actors', '40', '--workdir', str(three.runs / 'many'))
  )
  assert code == 2
  assert 'The 40 actors of this run take a processor each, and the Ray cluster has' in ' '.join(err.split())


def _alone(*arguments):
  return processes.Command(
    ['-m', 'tfacme', 'train', 'dqn', '--env', _ENVIRONMENT, '--launch', 'ray', *arguments],
    cwd=_ROOT,
    python=str(_BIN / 'python'),
  )


def test_without_a_cluster_it_starts_one_and_ends_it(tmp_path, monkeypatch):
  scratch = tempfile.mkdtemp(prefix='tf')
  monkeypatch.setenv('TMPDIR', scratch)
  command = _alone('--steps', '10000000', '--actors', '2', '--workdir', str(tmp_path))
  command.wait_for(tmp_path / 'logs' / 'learner.csv', 2)
  command.process.terminate()
  ended = command.wait(60)
  assert (ended.code, ended.left) == (143, []), ended.err
  assert checkpoints.steps(str(tmp_path / 'checkpoints'))
  assert not list(pathlib.Path(scratch).glob('tfacme-ray-*'))
  shutil.rmtree(scratch)


def test_no_cluster_at_the_address_is_one_line(tmp_path, monkeypatch):
  monkeypatch.setenv('RAY_ADDRESS', '127.0.0.1:1')
  ended = _alone('--steps', '100', '--workdir', str(tmp_path)).wait(120)
  assert ended.code == 2
  assert 'Nothing answers at 127.0.0.1:1 (RAY_ADDRESS)' in ended.err
