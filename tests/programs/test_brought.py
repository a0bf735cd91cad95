"""Data that other libraries wrote are brought, looked at, learned from, and what was learned is evaluated."""

import json

import dm_env
import gymnasium
import h5py
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from dm_env import specs as dm_specs
from rlds.tfds import config_generator, episode_writer

from tests.datasets import foreign
from tfacme import cli

_NAMES = ('observations', 'actions', 'rewards', 'terminals', 'timeouts', 'next_observations')
_ENVIRONMENT = 'CartPole-v1'
_EPISODES = 6
_LONGEST = 12


def _make():
  return gymnasium.make(_ENVIRONMENT, max_episode_steps=_LONGEST)


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
  return {name: np.array(column) for name, column in zip(_NAMES, zip(*_play(_make())))}


# --- What is converted ---


def _hdf5(folder, *without):
  with h5py.File(folder / 'made.hdf5', 'w') as file:
    for name, values in _arrays().items():
      if name not in without:
        file.create_dataset(name, data=values)
  return str(folder / 'made.hdf5')


def _of_d4rl(folder):
  return _hdf5(folder)


def _of_d4rl_without_next_observations(folder):
  return _hdf5(folder, 'next_observations')


def _of_d4rl_without_timeouts(folder):
  return _hdf5(folder, 'timeouts')


def _of_d4rl_without_both(folder):
  return _hdf5(folder, 'timeouts', 'next_observations')


def _of_numpy(folder):
  np.savez(folder / 'made.npz', **_arrays())
  return str(folder / 'made.npz')


def _of_minari(folder):
  pytest.importorskip('minari')
  import minari

  collected = minari.DataCollector(_make())
  list(_play(collected))
  collected.create_dataset('made/cartpole-v0')
  return str(folder / 'minari' / 'made' / 'cartpole-v0')


# --- What is read as it is ---


def _steps():
  """Episodes as RLDS has them: lists of steps, the last with the final observation."""
  steps = []
  for observation, action, reward, terminated, truncated, following in _play(_make()):
    row = {'is_first': not steps, 'is_last': False, 'is_terminal': False}
    steps.append({'observation': observation, 'action': action, 'reward': reward, 'discount': 1.0 - terminated, **row})
    if terminated or truncated:
      last = {'observation': following, 'action': action * 0, 'reward': 0.0, 'discount': 0.0}
      yield [*steps, {**last, 'is_first': False, 'is_last': True, 'is_terminal': terminated}]
      steps = []


def _of_rlds(folder):
  """By the writer of `rlds`, with the features that it finds itself."""
  flags = {name: tf.TensorSpec((), tf.bool) for name in ('is_first', 'is_last', 'is_terminal')}
  row = {'observation': tf.TensorSpec((4,), tf.float32), 'action': tf.TensorSpec((), tf.int64), **flags}
  row.update({name: tf.TensorSpec((), tf.float64) for name in ('reward', 'discount')})
  spec = {'steps': tf.data.DatasetSpec(row), 'number': tf.TensorSpec((), tf.int64)}
  config = config_generator.generate_config_from_spec(spec, name='cartpole')
  (folder / 'written').mkdir()
  writer = episode_writer.EpisodeWriter(str(folder / 'written'), config, max_episodes_per_file=4)
  for number, steps in enumerate(_steps()):
    writer.add_episode({'steps': steps, 'number': number})
  writer.close()
  return str(folder / 'written')


class _Logged(dm_env.Environment):
  """The environment as one of `dm_env`, for `envlogger`."""

  def __init__(self):
    self._environment, self._episodes = _make(), 0

  def reset(self):
    """The next episode."""
    observation, _ = self._environment.reset(seed=self._episodes)
    self._episodes += 1
    return dm_env.restart(observation)

  def step(self, action):
    """One step."""
    observation, reward, terminated, truncated, _ = self._environment.step(action)
    end = dm_env.termination if terminated else dm_env.truncation if truncated else dm_env.transition
    return end(reward, observation)

  def observation_spec(self):
    return dm_specs.Array((4,), np.float32)

  def action_spec(self):
    return dm_specs.DiscreteArray(2)


def _config():
  """Of a data set as `tfds.rlds` makes them, with metadata of steps and of episodes."""
  return tfds.rlds.rlds_base.DatasetConfig(
    name='cartpole',
    observation_info=tfds.features.Tensor(shape=(4,), dtype=np.float32, encoding=tfds.features.Encoding.ZLIB),
    action_info=np.int64,
    reward_info=np.float64,
    discount_info=np.float64,
    step_metadata_info={'timestamp': np.int64},
    episode_metadata_info={'number': np.int64},
  )


def _of_tfds_rlds(folder):
  """With the features that `tfds.rlds` makes of a config."""
  path = folder / 'made'
  identity = tfds.core.dataset_info.DatasetIdentity('cartpole', tfds.core.Version('0.0.1'), str(path), '')
  features = tfds.rlds.rlds_base.build_info(_config(), identity).features
  stamped = ([{**step, 'timestamp': t} for t, step in enumerate(steps)] for steps in _steps())
  foreign.write_all(path, features, [{'steps': steps, 'number': number} for number, steps in enumerate(stamped)])
  return str(path)


def _of_envlogger(folder):
  """By `envlogger`, with its back end for `tfds`."""
  envlogger = pytest.importorskip('envlogger')
  from envlogger.backends import tfds_backend_writer

  path = folder / 'logged'
  path.mkdir()
  random = np.random.default_rng(0)
  backend = tfds_backend_writer.TFDSBackendWriter(str(path), _config(), max_episodes_per_file=4)
  note = {'step_fn': lambda *_: {'timestamp': 1}, 'episode_fn': lambda *_: {'number': 2}}
  with envlogger.EnvLogger(_Logged(), backend=backend, **note) as environment:
    for _ in range(_EPISODES):
      timestep = environment.reset()
      while not timestep.last():
        timestep = environment.step(random.integers(2))
  return str(path)


@pytest.mark.slow
@pytest.mark.parametrize(
  'make, loses, options',
  [
    (_of_d4rl, False, []),
    (_of_d4rl_without_next_observations, True, []),
    (_of_d4rl_without_timeouts, False, []),
    (_of_d4rl_without_both, True, ['--max-episode-steps', str(_LONGEST)]),
    (_of_numpy, False, []),
    (_of_minari, False, []),
    (_of_rlds, False, None),
    (_of_tfds_rlds, False, None),
    (_of_envlogger, False, None),
  ],
)
def test_from_a_file_to_a_policy(make, loses, options, tmp_path, monkeypatch, capsys):
  """Where `loses`, the last transition of each truncated episode leads nowhere; with options, it is converted first."""
  monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'minari'))
  made, run, environment = make(tmp_path), str(tmp_path / 'run'), f'gym:{_ENVIRONMENT}'
  data = made if options is None else str(tmp_path / 'data')
  if options is not None:
    assert cli.main(['convert', made, '--out', data, *options]) == 0
  capsys.readouterr()
  assert cli.main(['data', data, '--env', environment, '--json']) == 0
  found = json.loads(capsys.readouterr().out)
  lost = found['truncated'] if loses else 0
  assert (found['episodes'], found['steps']) == (_EPISODES, len(_arrays()['rewards']) - lost)
  assert found['truncated'] > 0 and found['terminated'] > 0 and found['environment']['fits']
  named = {'dataset': {'made/cartpole-v0': 6}, 'environment': {environment: 6}} if make is _of_minari else {}
  assert named.items() <= found['metadata'].items()
  few = '--learner-steps 20 --evaluation.episodes 1'.split()
  assert cli.main(['train', 'bc', '--dataset', data, '--env', environment, '--workdir', run, *few]) == 0
  assert cli.main(['evaluate', run, '--episodes', '1']) == 0
  assert 'return' in capsys.readouterr().out
