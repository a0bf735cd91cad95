"""Recording episodes: what is written is what was played, and plain tfds reads it."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds

import tfacme
from tfacme import cli, datasets, environments, errors, launching, testing


def test_plain_tfds_reads_it(tmp_path):
  returns = tfacme.record(None, testing.Reach(1), 3, str(tmp_path), seed=2)
  builder = tfds.builder_from_directory(str(tmp_path))
  episodes = [list(episode['steps'].as_numpy_iterator()) for episode in builder.as_dataset(split='train')]
  assert [len(steps) for steps in episodes] == [11, 11, 11]
  read = [sum(step['reward'] for step in steps) for steps in episodes]
  np.testing.assert_allclose(sorted(read), sorted(returns), rtol=1e-5)
  for steps in episodes:
    assert [step['is_last'] for step in steps] == [False] * 10 + [True]
    assert not any(step['is_terminal'] for step in steps)  # cut off, not terminated
    moved = [after['observation'][0] - before['observation'][0] for before, after in zip(steps, steps[1:])]
    np.testing.assert_allclose(moved, [0.25 * step['action'][0] for step in steps[:-1]], atol=1e-5)


def test_episodes_are_added(tmp_path):
  for seed in range(2):
    tfacme.record(None, testing.Reach(seed), 2, str(tmp_path), seed=seed)
  assert len(list(datasets.rlds(str(tmp_path)).episodes(0))) == 4


def test_other_data_is_not_touched(tmp_path):
  tfacme.record(None, testing.Reach(0), 2, str(tmp_path))
  with pytest.raises(errors.UserError, match='has another spec'):
    tfacme.record(None, environments.make('bsuite:catch/0'), 2, str(tmp_path))


def test_what_an_environment_gives_is_held_against_its_spec(tmp_path):
  class Narrow(testing.Reach):
    def step(self, action):
      timestep = super().step(action)
      return timestep._replace(observation=timestep.observation[:1]) if timestep.last() else timestep

  says = r'The recording at step 9 of episode 0: .* observation_spec: the observation has the shape \(1,\)'
  with pytest.raises(errors.UserError, match=says):
    tfacme.record(None, Narrow(0), 2, str(tmp_path))


def test_an_episode_that_is_cut_off_is_recorded_as_truncated(tmp_path, caplog):
  returns = tfacme.record(None, testing.Reach(1), 2, str(tmp_path), seed=2, max_episode_steps=4)
  episodes = list(datasets.rlds(str(tmp_path)).episodes(seed=0))
  assert [episode.last.tolist() for episode in episodes] == [[False] * 4 + [True]] * 2
  assert [episode.discount[:4].tolist() for episode in episodes] == [[1.0] * 4] * 2
  np.testing.assert_allclose(sorted(float(e.reward.sum()) for e in episodes), sorted(returns), rtol=1e-5)
  assert '2 of 2 episodes were cut off at 4 steps' in caplog.text


def _push(observation):
  """A scripted policy, which has no `reset`."""
  return [float(np.clip(observation[1] - observation[0], -2.0, 2.0))]


def test_what_lies_beside_the_steps(tmp_path):
  returns = tfacme.record(_push, testing.Reach(1), 2, str(tmp_path), seed=2)
  tfacme.record(None, testing.Reach(1), 1, str(tmp_path), origin=datasets.Origin('anna', 'reach', 7, 'runs/one'))
  one, two, three = (episode.metadata for episode in datasets.rlds(str(tmp_path)).recorded())
  assert (one['policy'], one['seed'], one['length'], one['learner_steps']) == ('_push', 2, 10, -1)
  np.testing.assert_allclose([one['return'], two['return']], returns, rtol=1e-6)
  assert (three['policy'], three['environment'], three['seed'], three['run']) == ('anna', 'reach', 7, 'runs/one')
  assert abs(three['time'] - time.time()) < 600
  plain = tfds.builder_from_directory(str(tmp_path)).as_dataset(split='train')
  assert sorted(episode['policy'].numpy() for episode in plain) == [b'_push', b'_push', b'anna']
  chosen = datasets.rlds(str(tmp_path), options=datasets.Options(where=['policy=_push', 'time>1000000000']))
  assert chosen.size == 2


class _Faulty(testing.Reach):
  """Gives what is no number at step 3 of its second episode."""

  def __init__(self, **parts):
    super().__init__(1)
    self._parts, self._episodes, self._at = parts, 0, 0

  def reset(self):
    self._episodes, self._at = self._episodes + 1, 0
    return super().reset()

  def step(self, action):
    self._at += 1
    timestep = super().step(action)
    return timestep._replace(**self._parts) if (self._episodes, self._at) == (2, 3) else timestep


@pytest.mark.parametrize(
  'parts, says',
  [
    ({'reward': np.nan}, 'The recording at step 2 of episode 1: the reward is nan, '),
    (
      {'observation': np.array([0, np.inf], np.float32)},
      'In row 3 of episode 1 of the recording, observation is inf, ',
    ),
  ],
)
def test_what_is_no_number_ends_a_recording_and_what_is_finished_stays(parts, says, tmp_path):
  with pytest.raises(errors.UserError) as caught:
    tfacme.record(None, _Faulty(**parts), 5, str(tmp_path))
  message = str(caught.value)
  assert message.startswith(says) and message.endswith(f'; 1 of 5 episodes is written to {tmp_path}.'), message
  assert len(list(datasets.rlds(str(tmp_path)).episodes())) == 1


@pytest.mark.parametrize(
  'environment, action, says',
  [
    (testing.Reach, np.array([np.nan], np.float32), 'row 0 of episode 0 of the recording, action is nan'),
    (testing.Reach, np.zeros(2, np.float32), r'gives an action of shape \(2,\), and the environment takes \(1,\)'),
    (testing.Reach, {'a': np.zeros(1)}, 'gives actions of'),
    (testing.Reach, [5.0], r'action is \[5.\], and the environment has those from -2 to 2: look at the policy'),
    (
      testing.TwoStates,
      2,
      'row 0 of episode 0 of the recording, action is 2, and the environment has those from 0 to 1',
    ),
    (testing.TwoStates, 0.5, 'gives actions of type float64'),
  ],
)
def test_an_action_that_is_none_is_named(environment, action, says, tmp_path):
  with pytest.raises(errors.UserError, match=says):
    tfacme.record(lambda observation: action, environment(0), 5, str(tmp_path))


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_all_episodes_that_have_ended(signum, tmp_path):
  steps = []

  def policy(observation):
    steps.append(0)
    if len(steps) == 25:
      signal.raise_signal(signum)
    return np.zeros(1, np.float32)

  with pytest.raises(launching.Stopped) as caught:
    tfacme.record(policy, testing.Reach(1), 9, str(tmp_path))
  assert str(caught.value) == f'stopped by {signum.name}; 2 of 9 episodes are written to {tmp_path}'
  assert caught.value.exit_code == 128 + signum and len(steps) == 25
  assert len(list(datasets.rlds(str(tmp_path)).episodes())) == 2


def test_a_second_signal_does_not_wait_for_a_policy(tmp_path):
  def ask(observation):
    for _ in range(2):
      signal.raise_signal(signal.SIGINT)
    raise AssertionError('it went on')

  with pytest.raises(launching.Stopped, match='0 of 9 episodes are written'):
    tfacme.record(ask, testing.Reach(1), 9, str(tmp_path))


@pytest.mark.slow
def test_commands_that_are_stopped_and_killed(tmp_path):
  """Two record into one data set at the same time; one is asked to end, the other one is killed."""
  out = tmp_path / 'data'
  record = [sys.executable, '-m', 'tfacme', 'record', '--random', '--env', 'bsuite:catch/0', '--out', str(out)]
  more = ['--episodes', '1000000', '--part']
  stopped, killed = (
    subprocess.Popen([*record, *more, part], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for part in ('stopped', 'killed')
  )
  try:
    deadline = time.monotonic() + 200
    while len(list(out.glob('part-*/*.tfrecord-00001'))) < 2:
      assert stopped.poll() is None and killed.poll() is None and time.monotonic() < deadline
      time.sleep(0.1)
    killed.kill()
    stopped.send_signal(signal.SIGTERM)
    said = stopped.communicate(timeout=60)[1].splitlines()[-1]
    killed.communicate(timeout=60)
  finally:
    stopped.kill()
    killed.kill()
  assert stopped.returncode == 143 and 'checkpoint' not in said
  assert said.startswith('tfacme: stopped by SIGTERM; ') and said.endswith(f' of 1000000 episodes are written to {out}')
  assert datasets.rlds(str(out / 'part-stopped')).size == int(said.split()[4])
  left = sum(datasets.left_open(out).values())
  before = datasets.rlds(str(out / 'part-killed')).size
  assert cli.main(['record', *record[4:], '--episodes', '1', '--part', 'killed']) == 0
  assert (
    datasets.rlds(str(out / 'part-killed')).size >= before + left + 1
  )  # More, if it was killed between two renames.
  read = tfds.builder_from_directories([os.path.join(out, name) for name in os.listdir(out)]).as_dataset(split='train')
  assert sum(1 for _ in read) == datasets.rlds(str(out)).size
  datasets.rlds(str(out)).check()


@pytest.mark.parametrize(
  'arguments, says',
  [
    ([], 'either --run RUN, or --random --env ID'),
    (['--random'], 'needs --env with --random'),
    (['--run', 'nowhere', '--env', 'bsuite:catch/0'], 'needs --env with --random, and not with --run'),
    (['--run', 'nowhere'], 'There is no run in nowhere'),
    (['--random', '--env', 'bsuite:catch/0', '--episodes', '0'], '--episodes is 0'),
  ],
)
def test_a_wrong_option_is_one_line(arguments, says, tmp_path, capsys):
  assert cli.main(['record', '--out', str(tmp_path / 'out'), *arguments]) == 2
  caught = capsys.readouterr()
  assert caught.err.count('\n') == 1 and says in caught.err


def test_episodes_that_are_added_are_new_ones(tmp_path, capsys):
  record = ['record', '--random', '--env', 'gym:CartPole-v1', '--out', str(tmp_path), '--episodes', '2']
  for _ in range(2):
    assert cli.main(record) == 0
  assert '2 episodes with a mean return of' in (out := capsys.readouterr().out) and 'beside 2 from before' in out
  starts = [episode.observation[0].tolist() for episode in datasets.rlds(str(tmp_path)).episodes(seed=0)]
  assert len(starts) == 4 == len(set(map(tuple, starts)))


@pytest.mark.slow
def test_from_a_run_to_a_clone_by_commands(tmp_path, capsys):
  run, data, clone = (str(tmp_path / name) for name in ('run', 'data', 'clone'))
  quick = ['--evaluation.every', '0', '--checkpointing.every', '0']
  assert cli.main(['train', 'dqn', '--env', 'bsuite:catch/0', '--steps', '6000', '--workdir', run, *quick]) == 0
  assert cli.main(['record', '--run', run, '--episodes', '30', '--out', data]) == 0
  assert '30 episodes with a mean return of 1\n' in capsys.readouterr().out
  train = [
    'train',
    'bc',
    '--dataset',
    data,
    '--env',
    'bsuite:catch/0',
    '--learner-steps',
    '1000',
    '--workdir',
    clone,
    *quick,
  ]
  assert cli.main(train) == 0
  capsys.readouterr()
  assert cli.main(['evaluate', clone, '--json']) == 0
  assert json.loads(capsys.readouterr().out)['mean'] >= 0.7
