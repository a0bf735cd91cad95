"""The same programs on a Ray cluster of three hosts, two of which lack the run's folder; and on one of its own."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from benchmarks import hosts
from tests.contract import environment
from tests.programs import processes
from tfacme import checkpoints, datasets, testing

_ENVIRONMENT = 'tests.contract.environment:TwoStates'
_BEST = 4.0  # the return of the best policy there

pytestmark = [
  pytest.mark.slow,
  pytest.mark.skipif(not (hosts.BIN / 'ray').exists(), reason='there is no .venv-ray: `make hosts-test` makes it'),
]


@pytest.fixture(scope='module')
def cluster(tmp_path_factory):
  if not hosts.allowed():
    pytest.skip('network namespaces can not be made here')
  with hosts.cluster(3, tmp_path_factory.mktemp('runs')) as made:
    yield made


@pytest.fixture
def three(cluster):
  """Three hosts, with two processors each, where nothing is left of other tests."""
  yield cluster
  for command in cluster.started:
    command.kill()
  cluster.started.clear()
  for host in cluster.hosts:
    if not host.is_connected:
      host.kill()  # It can't be told that the run has ended.
  _wait_until(lambda: not cluster.nodes())


def _training(*arguments):
  return ['python', '-m', 'tfacme', 'train', *arguments, '--launch', 'ray']


def _train(three, *arguments, folder=hosts.ROOT):
  return _start(three, _training(*arguments), folder)


def _start(three, command, folder=hosts.ROOT, stderr=subprocess.PIPE):
  return three.start(command, cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True)


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
  command = _train(
    three, agent, '--env', place, '--actors', '4', '--steps', str(steps), '--workdir', str(run), *options
  )
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
  code, _, err = _end(_train(three, 'dqn', '--env', 'games.states:Game', *options, folder=folder))
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
  command = _train(three, 'bc', '--dataset', str(data), '--env', _ENVIRONMENT, *steps, '--workdir', str(run))
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
  command = _train(three, 'dqn', *options, '--steps', '3000')
  _wait_until(lambda: (run / 'logs' / 'learner.csv').exists() or command.poll() is not None)
  placed = three.nodes()
  code, out, err = _end(command)
  assert code == 0, err
  assert {placed[name][0] for name in ('actor-0', 'actor-1')} == {1, 2}  # The learner has that of the first host.


@pytest.mark.parametrize(
  'options, takes, room',
  [
    (('--actors', '40'), 'a processor', '6 of 40'),
    (('--actors', '4', '--gpus', 'actor'), 'a processor and a GPU', '3 of 4'),
    (('--actor-processors', '2.5'), '2.5 processors', '0 of 1'),
    (('--actor-memory', '9000'), 'a processor and 9000 GB of memory', '0 of 1'),
  ],
)
def test_more_than_the_cluster_has_is_one_line(options, takes, room, three):
  code, _, err = _end(_train(three, 'dqn', '--env', _ENVIRONMENT, '--workdir', str(three.runs / 'much'), *options))
  said = ' '.join(err.split())
  assert code == 2 and f'Each actor of this run takes {takes}, and the Ray cluster has room for {room}: make' in said


def test_room_that_comes_later_is_taken(three):
  """Another program has two processors of the cluster's six, and gives them back."""
  script = (
    'import ray, time; ray.init(); A = ray.remote(num_cpus=2)(type("A", (), {"f": lambda self: 0})); a = A.remote()'
  )
  other = _start(
    three, ['python', '-c', f'{script}; ray.get(a.f.remote()); print("there", flush=True); time.sleep(999)']
  )
  assert other.stdout.readline() == 'there\n'
  run, said = three.runs / 'later', three.runs / 'later.txt'
  options = ['--actors', '5', '--steps', '10000000', '--actor-memory', '0.1', '--workdir', str(run)]
  with open(said, 'w', encoding='utf-8') as file:
    command = _start(three, _training('dqn', '--env', _ENVIRONMENT, *options), stderr=file)
  _wait_until(lambda: 'has no room yet for actor-' in ' '.join(said.read_text().split()))
  assert '(a processor and 0.1 GB of memory)' in ' '.join(said.read_text().split())
  _wait_until(lambda: len(list((run / 'logs').glob('actor-*.csv'))) == 4)  # They do not wait for it.
  other.kill()
  _wait_until(lambda: len(list((run / 'logs').glob('actor-*.csv'))) == 5)
  command.terminate()
  _end(command)
  assert command.returncode == 143, said.read_text()


@pytest.fixture
def installed(three):
  """A folder of modules that are installed on the first host: the environment names it, and others do not have it."""
  folder = three.runs / 'installed'
  folder.mkdir()
  (packages,) = hosts.BIN.parent.glob('lib/python*/site-packages')
  named = packages / 'test_hosts.pth'
  named.write_text(f'{folder}\n')
  yield folder
  named.unlink()


def test_a_module_that_other_hosts_do_not_have_is_one_line(three, installed):
  (installed / 'simulator.py').write_text('from tfacme.testing import TwoStates\n')
  options = ['--env', 'simulator:TwoStates', '--actors', '5', '--workdir', str(three.runs / 'missing')]
  code, _, err = _end(_train(three, 'dqn', *options))
  assert code == 2
  assert re.search(r"On the host 10\.213\.77\.[23]: There is no environment 'simulator:TwoStates'", err)


def test_another_version_of_ray_is_one_line(three):
  code = 'import sys, ray; ray.__version__ = "1.2.3"; from tfacme import cli; sys.exit(cli.main())'
  options = _training('dqn', '--env', _ENVIRONMENT, '--workdir', str(three.runs / 'version'))[3:]
  code, _, err = _end(_start(three, ['python', '-c', code, *options]))
  said = ' '.join(err.split())
  assert code == 2 and 'does not take this run: Version mismatch' in said and '1.2.3' in said


def test_the_same_command_goes_on_where_it_was_killed(three):
  run = three.runs / 'again'
  options = ['--env', _ENVIRONMENT, '--actors', '4', '--checkpointing.every', '2000', '--workdir', str(run)]
  command = _train(three, 'dqn', *options, '--steps', '8000')
  _wait_until(lambda: checkpoints.steps(str(run / 'checkpoints')))
  command.kill()
  command.wait()
  _wait_until(lambda: not three.nodes(), 10)
  code, out, err = _end(_train(three, 'dqn', *options, '--steps', '8000'))
  assert code == 0, err
  assert 'Resuming from step ' in out
  assert int(testing.logs(run)['evaluator'][-1]['actor_steps']) == 8000


def test_what_an_environment_has_started_ends_with_its_actor_however_that_ends(three):
  """A process, which is one of the actor's own, and one of that process's."""
  folder = three.runs / 'starting'
  folder.mkdir()
  (folder / 'starting.py').write_text(
    'import subprocess\nfrom tfacme import testing\n\n\nclass Starting(testing.TwoStates):\n  made = 0\n\n'
    '  def step(self, action):\n    self.made += 1\n    if self.made == 100:  # in a node\n'
    "      subprocess.Popen(['sh', '-c', 'sleep 987 & wait'])\n    return super().step(action)\n"
  )
  sleeping = lambda: [pid for host in three.hosts for pid in host.pids() if 'sleep\0987' in hosts.read(pid, 'cmdline')]
  options = ['--env', 'starting:Starting', '--actors', '4', '--steps', '6000', '--workdir', 'run']
  command = _train(three, 'dqn', *options, folder=folder)
  _wait_until(lambda: len(sleeping()) >= 4)
  _, pid = three.nodes()['actor-3']
  group = lambda: [each for each in sleeping() if os.getpgid(each) == pid]
  assert group()
  os.kill(pid, signal.SIGKILL)
  _wait_until(lambda: not group(), 10)
  code, _, err = _end(command)
  assert code == 0, err
  _wait_until(lambda: not sleeping(), 10)


def test_what_is_killed_is_made_anew_an_actor_alone_and_the_core_as_a_whole(three):
  run, steps = three.runs / 'killed', 12000
  options = ['--env', _ENVIRONMENT, '--actors', '4', '--checkpointing.every', '2000', '--workdir', str(run)]
  command = _train(three, 'dqn', *options, '--steps', str(steps))
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
  command = _train(three, 'dqn', '--env', _ENVIRONMENT, *options, '--steps', str(steps))
  _wait_until(lambda: (run / 'logs' / 'learner.csv').exists())
  lost = [name for name, (place, _) in three.nodes().items() if place == number]
  lose(three.hosts[number])
  code, out, err = _end(command, 240)
  assert code == 0, err
  if not loss.endswith('while'):  # Else all may go on.
    assert lost and all(f'The node {name} has failed, and is made anew' in err for name in lost), err
  assert int(testing.logs(run)['evaluator'][-1]['actor_steps']) == steps


def test_a_run_begins_again_at_once_though_a_host_is_silent(three):
  """It takes Ray more than a minute to call that host lost, and some of the nodes were asked for through it before."""
  host, run = three.hosts[1], three.runs / 'silent'
  host.connect(True)
  host.kill()  # It is one that was lost in another test.
  three.join(host)
  three.wait_for(2)
  options = ['--env', _ENVIRONMENT, '--actors', '4', '--checkpointing.every', '2000', '--workdir', str(run)]
  command = _train(three, 'dqn', *options, '--steps', '10000000')
  _wait_until(lambda: checkpoints.steps(str(run / 'checkpoints')) and 'actor-3' in three.nodes())
  _, learner = three.nodes()['learner']
  host.connect(False)
  os.kill(learner, signal.SIGKILL)
  _wait_until(lambda: three.nodes().get('learner', (0, learner))[1] != learner, 45)
  command.terminate()
  code, out, err = _end(command)
  assert code == 143 and 'Resuming from step ' in out, err


def _alone(*arguments):
  return processes.Command(
    ['-m', 'tfacme', 'train', 'dqn', '--env', _ENVIRONMENT, '--launch', 'ray', *arguments],
    cwd=hosts.ROOT,
    python=str(hosts.BIN / 'python'),
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
