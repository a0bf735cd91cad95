"""Recording episodes: what is written is what was played, and plain tfds reads it."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

import tfacme
from tfacme import cli, datasets, environments, errors, testing


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

  says = r'The recording at step 9 of an episode: .* observation_spec: the observation has the shape \(1,\)'
  with pytest.raises(errors.UserError, match=says):
    tfacme.record(None, Narrow(0), 2, str(tmp_path))


def test_an_episode_that_is_cut_off_is_recorded_as_truncated(tmp_path, caplog):
  returns = tfacme.record(None, testing.Reach(1), 2, str(tmp_path), seed=2, max_episode_steps=4)
  episodes = list(datasets.rlds(str(tmp_path)).episodes(seed=0))
  assert [episode.last.tolist() for episode in episodes] == [[False] * 4 + [True]] * 2
  assert [episode.discount[:4].tolist() for episode in episodes] == [[1.0] * 4] * 2
  np.testing.assert_allclose(sorted(float(e.reward.sum()) for e in episodes), sorted(returns), rtol=1e-5)
  assert '2 of 2 episodes were cut off at 4 steps' in caplog.text


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


def test_from_a_run_to_a_clone_by_commands(tmp_path, capsys):
  run, data, clone = (str(tmp_path / name) for name in ('run', 'data', 'clone'))
  quick = ['--evaluation.every', '0', '--checkpointing.every', '0']
  assert cli.main(['train', 'dqn', '--env', 'bsuite:catch/0', '--steps', '6000', '--workdir', run, *quick]) == 0
  assert cli.main(['record', '--run', run, '--episodes', '30', '--out', data]) == 0
  assert '30 episodes with a mean return of 1 are in' in capsys.readouterr().out
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
