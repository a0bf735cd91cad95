"""Data that no line of tfacme wrote, from a builder of `tfds` to a policy, by the commands."""

import json
import pathlib

import gymnasium
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfacme import cli

features = tfds.features


class Cart(tfds.core.GeneratorBasedBuilder):
  """CartPole in the way of Open X-Embodiment: pictures and text in observations, no reward, and no is_terminal."""

  VERSION = tfds.core.Version('1.2.0')
  pkg_dir_path = pathlib.Path(__file__).parent

  def _info(self):
    seen = {
      'state': features.Tensor(shape=(4,), dtype=np.float32),
      'image': features.Image(shape=(8, 8, 3), encoding_format='jpeg'),
      'natural_language_instruction': features.Text(),
    }
    steps = {
      'observation': seen,
      'action': features.ClassLabel(num_classes=2),
      'is_first': np.bool_,
      'is_last': np.bool_,
      'language_embedding': features.Tensor(shape=(16,), dtype=np.float32),
    }
    metadata = {'file_path': features.Text(), 'expert': np.bool_}
    nest = features.FeaturesDict({'steps': features.Dataset(steps), 'episode_metadata': metadata})
    return tfds.core.DatasetInfo(builder=self, features=nest)

  def _split_generators(self, dl_manager):
    del dl_manager
    return {'train': self._generate_examples()}

  def _generate_examples(self):
    environment, random = gymnasium.make('CartPole-v1'), np.random.default_rng(0)
    for number in range(30):
      rows, over = [], False
      state, _ = environment.reset(seed=number)
      while not over:
        action = int(state[2] + state[3] > 0) if number % 3 else int(random.integers(2))
        rows.append((state, action))
        state, _, over, _, _ = environment.step(action)
        over = over or len(rows) == 60
      rows.append((state, 0))
      metadata = {'file_path': f'/robot/{number}', 'expert': bool(number % 3)}
      yield number, {'steps': list(self._steps(rows)), 'episode_metadata': metadata}

  def _steps(self, rows):
    for row, (state, action) in enumerate(rows):
      seen = {'state': state, 'image': np.zeros((8, 8, 3), np.uint8), 'natural_language_instruction': 'balance it'}
      yield {
        'observation': seen,
        'action': action,
        'is_first': row == 0,
        'is_last': row == len(rows) - 1,
        'language_embedding': np.zeros(16, np.float32),
      }


@pytest.mark.slow
def test_from_a_builder_of_tfds_to_a_policy(tmp_path, capsys):
  Cart(data_dir=str(tmp_path)).download_and_prepare()
  capsys.readouterr()
  data = ['--dataset.data_dir', str(tmp_path), '--env', 'gym:CartPole-v1']
  named = ['--dataset.observation', 'observation/state', '--dataset.where', 'episode_metadata/expert=true']
  with pytest.raises(SystemExit):
    cli.main(['data', 'tfds:cart', *data, '--json'])
  (*_, how) = json.loads(capsys.readouterr().out)['environment']['how']
  assert how.endswith('say --dataset.observation observation/state.')
  assert cli.main(['data', 'tfds:cart', *data, *named]) == 0
  said = capsys.readouterr().out
  assert '20 episodes' in said and 'Its steps do not say the reward' in said
  train = ['train', 'bc', '--dataset', 'tfds:cart', *data, *named, '--learner-steps', '1000', '--evaluation.every', '0']
  assert cli.main([*train, '--workdir', str(tmp_path / 'run')]) == 0
  assert cli.main(['evaluate', str(tmp_path / 'run'), '--json', '--episodes', '5']) == 0
  assert json.loads(capsys.readouterr().out.splitlines()[-1])['mean'] > 300
