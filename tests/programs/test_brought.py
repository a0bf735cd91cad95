"""Data that other libraries wrote are converted, looked at, learned from, and what was learned is evaluated."""

import importlib.util
import json

import gymnasium
import h5py
import numpy as np
import pytest

from tfacme import cli

_NAMES = ('observations', 'actions', 'rewards', 'terminals', 'timeouts', 'next_observations')
_ENVIRONMENT = 'CartPole-v1'
_EPISODES = 6


def _play(environment):
  """Transitions of episodes of random actions, of at most 12 steps each."""
  random = np.random.default_rng(0)
  for episode in range(_EPISODES):
    observation, _ = environment.reset(seed=episode)
    over = False
    while not over:
      action = random.integers(2)
      following, reward, terminated, truncated, _ = environment.step(action)
      yield observation, action, reward, terminated, truncated, following
      observation, over = following, terminated or truncated


def _arrays():
  columns = zip(*_play(gymnasium.make(_ENVIRONMENT, max_episode_steps=12)))
  return {name: np.array(column) for name, column in zip(_NAMES, columns)}


def _hdf5(folder, arrays):
  with h5py.File(folder / 'made.hdf5', 'w') as file:
    for name, values in arrays.items():
      file.create_dataset(name, data=values)
  return str(folder / 'made.hdf5')


def _of_d4rl(folder):
  return _hdf5(folder, _arrays())


def _of_old_d4rl(folder):
  return _hdf5(folder, {name: values for name, values in _arrays().items() if name != 'next_observations'})


def _of_numpy(folder):
  np.savez(folder / 'made.npz', **_arrays())
  return str(folder / 'made.npz')


def _of_minari(folder):
  import minari

  collected = minari.DataCollector(gymnasium.make(_ENVIRONMENT, max_episode_steps=12))
  list(_play(collected))
  collected.create_dataset('made/cartpole-v0')
  return str(folder / 'minari' / 'made' / 'cartpole-v0')


@pytest.mark.slow
@pytest.mark.parametrize('make', [_of_d4rl, _of_old_d4rl, _of_numpy, _of_minari])
def test_from_a_file_to_a_policy(make, tmp_path, monkeypatch, capsys):
  if make is _of_minari and importlib.util.find_spec('minari') is None:
    pytest.skip('minari is not installed')
  monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'minari'))
  data, run, environment = str(tmp_path / 'data'), str(tmp_path / 'run'), f'gym:{_ENVIRONMENT}'
  assert cli.main(['convert', make(tmp_path), '--out', data]) == 0
  capsys.readouterr()
  assert cli.main(['data', data, '--env', environment, '--json']) == 0
  found = json.loads(capsys.readouterr().out)
  lost = found['truncated'] if make is _of_old_d4rl else 0  # the last transition of each of them
  assert (found['episodes'], found['steps']) == (_EPISODES, len(_arrays()['rewards']) - lost)
  assert found['truncated'] > 0 and found['terminated'] > 0 and found['environment']['fits']
  few = '--learner-steps 20 --evaluation.episodes 1'.split()
  assert cli.main(['train', 'bc', '--dataset', data, '--env', environment, '--workdir', run, *few]) == 0
  assert cli.main(['evaluate', run, '--episodes', '1']) == 0
  assert 'return' in capsys.readouterr().out
