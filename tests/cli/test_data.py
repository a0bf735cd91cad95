"""`tfacme data`, `convert` and `watch --dataset`: what they print, and what they do with mistakes."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

import tfacme
from tests.datasets import foreign
from tfacme import cli, core, datasets, environments
from tfacme.datasets import layout


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
  """Random episodes of catch."""
  path = tmp_path_factory.mktemp('data') / 'catch'
  tfacme.record(None, environments.make('bsuite:catch/0', seed=0), 6, str(path))
  return path


def _lines(capsys):
  return capsys.readouterr().out.splitlines()


def _fails(arguments):
  with pytest.raises(SystemExit) as exit_:
    cli.main(arguments)
  assert exit_.value.code == 1


def test_data(recorded, capsys):
  assert cli.main(['data', str(recorded), '--verify', '--env', 'bsuite:catch/0']) == 0
  checked, counts, returns, lengths, *rest = _lines(capsys)
  assert checked == 'All checksums are right.'
  assert counts == '6 episodes, 54 steps: 6 terminated, 0 truncated'
  assert returns.startswith('return ') and lengths.startswith('length 9 ± 0 (mean and standard deviation), median 9')
  assert any('█' in line for line in rest)
  assert any(line.split()[:6] == ['observation', 'float32', '[10,', '5]', '0', '1'] for line in rest)
  assert any(line.startswith('  action') and line.endswith('within 0 to 2') for line in rest)
  assert rest[-1] == 'In bsuite:catch/0 it fits as it is.'


def test_data_are_read_once(recorded, monkeypatch, capsys):
  read, reads = layout.Layout.read, []
  monkeypatch.setattr(layout.Layout, 'read', lambda *given, **more: reads.append(None) or read(*given, **more))
  assert cli.main(['data', str(recorded), '--env', 'bsuite:catch/0']) == 0
  assert _lines(capsys)[-1] == 'In bsuite:catch/0 it fits as it is.' and len(reads) == 6


def test_data_as_json_and_picture(recorded, tmp_path, capsys):
  assert cli.main(['data', str(recorded), '--json', '--plot', str(tmp_path / 'a.png')]) == 0
  found = json.loads(capsys.readouterr().out)
  assert (found['episodes'], found['steps'], found['terminated'], found['cut']) == (6, 54, 6, 0)
  assert found['length'] == {'mean': 9, 'deviation': 0, 'median': 9, 'minimum': 9, 'maximum': 9}
  assert sum(count for _, _, count in found['histogram']) == 6
  assert found['fields']['observation']['largest'] == 1 and found['fields']['action']['type'] == 'int32'
  assert (tmp_path / 'a.png').stat().st_size > 1000


def test_what_lies_beside_the_steps(tmp_path, capsys):
  out = str(tmp_path / 'data')
  for part in ('left', 'right'):
    record = ['record', '--random', '--env', 'bsuite:catch/0', '--episodes', '3', '--part', part, '--out', out]
    assert cli.main(record) == 0
  _lines(capsys)
  assert cli.main(['data', out, '--recover']) == 0
  lines = _lines(capsys)
  assert lines[:2] == ['Taken in: 0 episodes.', '6 episodes, 54 steps: 6 terminated, 0 truncated']
  told = dict(line.split(None, 1) for line in lines[lines.index('metadata of the episodes') + 1 :] if line.strip())
  assert told['policy'] == 'random (6)' and told['environment'] == 'bsuite:catch/0 (6)' and told['time'].endswith('UTC')
  assert ' to ' in told['seed']  # Parts are of other episodes.
  assert cli.main(['data', out, '--json', '--dataset.where', 'policy=random', 'return<=1']) == 0
  assert json.loads(capsys.readouterr().out)['metadata']['policy'] == {'random': 6}


def test_another_environment_and_other_options_are_told(tmp_path, capsys):
  out = str(tmp_path / 'data')
  limit = ['--env.step-limit', '5']
  assert cli.main(['record', '--random', '--env', 'bsuite:catch/0', *limit, '--episodes', '2', '--out', out]) == 0

  def told(*environment):
    capsys.readouterr()
    assert cli.main(['data', out, '--json', '--env', *environment]) == 0
    return json.loads(capsys.readouterr().out)

  assert told('bsuite:catch/0', *limit)['environment']['how'] == []
  found = told('bsuite:catch/0')
  assert found['metadata']['environment_options'] == {'step_limit=5': 2}
  (line,) = found['environment']['how']
  assert 'recorded in bsuite:catch/0 with step_limit=5, and the environment is bsuite:catch/0: what differs' in line
  (line,) = told('bsuite:catch/1', *limit)['environment']['how']
  assert 'and the environment is bsuite:catch/1 with step_limit=5' in line
  assert told('bsuite:catch/0', *limit, '--env.frame-stack', '2')['environment']['how'] == [
    'The data set goes through FrameStacking.'
  ]


def test_data_that_do_not_fit(recorded, capsys):
  _fails(['data', str(recorded), '--env', 'gym:CartPole-v1', '--json'])
  found = json.loads(capsys.readouterr().out)['environment']
  assert not found['fits'] and 'does not fit the environment: its observation is' in found['how'][-1]
  _fails(['data', str(recorded), '--env', 'gym:CartPole-v1'])
  assert 'In gym:CartPole-v1 it does not fit:' in _lines(capsys)


def test_data_of_others(tmp_path, capsys):
  """What is not read is told: text, and an episode without a transition."""
  episodes = [foreign.rows(3), foreign.rows(2, terminal=False), foreign.rows(0)]
  for episode in episodes:
    episode['observation'] = {'x': episode['observation'], 'language': episode['language']}
  features = {'x': foreign.FIELDS['observation'], 'language': tfds.features.Text()}
  foreign.write(tmp_path / 'data', episodes, observation=tfds.features.FeaturesDict(features))
  assert cli.main(['data', str(tmp_path / 'data')]) == 0
  counts, *lines = _lines(capsys)
  assert counts == '2 episodes, 5 steps: 1 terminated, 1 truncated'
  text, empty = lines[-2:]
  assert text.startswith('Not read: observation/language is ')
  assert empty == 'Not read: episodes that have no transition, 1 of 3.'
  assert cli.main(['data', str(tmp_path / 'data'), '--dataset.where', 'length=3', '--json']) == 0
  assert json.loads(capsys.readouterr().out)['episodes'] == 1


@pytest.mark.parametrize('options', [[], ['--env', 'bsuite:catch/0']])
def test_what_is_left_out_at_the_ends_of_episodes_is_told_with_and_without_an_environment(
  recorded, tmp_path, options, capsys
):
  episodes = [step._asdict() for step in datasets.rlds(str(recorded)).episodes()]
  for one in episodes:
    one.update(is_first=one['first'], is_last=one['last'], is_terminal=one['last'])
    one['reward'][-1] = 5.0
  features = {'observation': tfds.features.Tensor(shape=(10, 5), dtype=np.float32), 'action': np.int32}
  foreign.write(tmp_path / 'data', episodes, **features)
  assert cli.main(['data', str(tmp_path / 'data'), *options]) == 0
  captured = capsys.readouterr()
  (line,) = [line for line in (captured.out + captured.err).splitlines() if 'holds a reward' in line]
  assert line.startswith('Look at: the last row of 6 episodes holds a reward (up to 5) that is left out')
  assert cli.main(['data', str(tmp_path / 'data'), '--json']) == 0
  assert json.loads(capsys.readouterr().out)['findings'] == [line.partition(': ')[2]]


def test_data_that_are_damaged(tmp_path, recorded, capsys):
  path = tmp_path / 'copy'
  path.mkdir()
  for file in recorded.iterdir():
    (path / file.name).write_bytes(file.read_bytes()[: -1 if 'tfrecord' in file.name else None])
  _fails(['data', str(path), '--verify'])
  (line,) = _lines(capsys)
  assert line.startswith(f'The shard {path}') and 'runs over the end of the file' in line
  _fails(['data', str(path), '--verify', '--json'])
  assert json.loads(capsys.readouterr().out)['damaged'] == [line]


def test_convert(tmp_path, capsys):
  np.savez(
    tmp_path / 'a.npz',
    observations=np.arange(6, dtype=np.float64)[:, None],
    actions=np.zeros(6, np.int64),
    rewards=np.ones(6),
    terminals=np.array([0, 0, 1, 0, 0, 0]),
  )
  arguments = ['convert', str(tmp_path / 'a.npz'), '--out', str(tmp_path / 'data')]
  assert cli.main(arguments) == 2
  assert '--max-episode-steps N' in capsys.readouterr().err and not (tmp_path / 'data').exists()
  assert cli.main([*arguments, '--max-episode-steps', '100']) == 0
  assert capsys.readouterr().out == f'2 episodes, 5 steps, are in {tmp_path / "data"}\n'
  assert cli.main([*arguments, '--max-episode-steps', '100']) == 2
  assert 'There is something in' in capsys.readouterr().err
  lengths = sorted(len(step.last) for step in datasets.rlds(str(tmp_path / 'data')).episodes())
  assert lengths == [3, 4]


def test_watch(recorded, tmp_path, capsys):
  out = tmp_path / 'a.gif'
  assert cli.main(['watch', '--dataset', str(recorded), '--episodes', '2', '--out', str(out)]) == 0
  assert out.read_bytes().startswith(b'GIF89a')
  assert capsys.readouterr().out.startswith('Episodes with return ')
  again = ['watch', '--dataset', str(recorded), '--env', 'bsuite:catch/0', '--out', str(out)]
  assert cli.main(again) == 0
  assert capsys.readouterr().out.startswith('An episode with return ')


def test_watch_without_rewards(recorded, tmp_path, capsys):
  """An environment draws also what no agent can learn from."""
  names = ('observation', 'action', 'first', 'last')
  image = tfds.features.Tensor(shape=(10, 5), dtype=np.float32)
  episodes = [{name: getattr(step, name) for name in names} for step in datasets.rlds(str(recorded)).episodes()]
  episodes = [{**one, 'is_first': one['first'], 'is_last': one['last']} for one in episodes]
  foreign.write(tmp_path / 'data', episodes, observation=image, reward=None, is_terminal=None)
  out = tmp_path / 'a.gif'
  assert cli.main(['watch', '--dataset', str(tmp_path / 'data'), '--env', 'bsuite:catch/0', '--out', str(out)]) == 0
  assert out.read_bytes().startswith(b'GIF89a')


@pytest.mark.parametrize(
  ('command', 'message'),
  [
    ('data nowhere', 'no folder nowhere'),
    ('data {data} --env.frame-stack 2', 'needs the id of the environment'),
    ('data {data} --dataset.shares 1', 'leave --dataset.shares out'),
    ('data {data} --plot {data}/picture', 'has no ending'),
    ('data {data} --plot {data}/picture.xyz', "the ending 'xyz', which is no format of pictures"),
    ('convert nothing.hdf5 --out there', 'There is no file nothing.hdf5: give one of D4RL'),
    ('convert {data}/features.json --out there', 'features.json can not be converted'),
    ('watch', 'needs the folder of a run (tfacme watch RUN), or else --dataset DIR'),
    ('watch run --dataset {data}', 'needs the folder of a run (tfacme watch RUN), or else --dataset DIR'),
    ('watch run --env gym:CartPole-v1', 'needs --env with --dataset'),
    ('watch --dataset {data} --checkpoint best', 'needs --checkpoint with a run'),
    ('watch --dataset {data} --env.frame-stack 2', 'needs the id of the environment'),
  ],
)
def test_mistakes_are_one_line(recorded, tmp_path, monkeypatch, capsys, command, message):
  monkeypatch.chdir(tmp_path)
  assert cli.main([part.format(data=recorded) for part in command.split()]) == 2
  said, error = capsys.readouterr()
  assert message in error and error.count('\n') == 1, error
  assert not said  # not even of what was to come


def test_watching_vectors_needs_an_environment(tmp_path, capsys):
  step = core.Step(
    observation=np.zeros((2, 3), np.float32),
    action=np.zeros(2, np.int32),
    reward=np.zeros(2, np.float32),
    discount=np.ones(2, np.float32),
    first=np.array([True, False]),
    last=np.array([False, True]),
  )
  with datasets.RLDSWriter(tmp_path / 'data', datasets.memory([step]).spec()) as writer:
    writer.write(step)
  assert cli.main(['watch', '--dataset', str(tmp_path / 'data'), '--out', str(tmp_path / 'a.gif')]) == 2
  assert 'of shape (3,), are neither images nor boards; an environment' in capsys.readouterr().err
