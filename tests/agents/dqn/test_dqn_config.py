"""DQN's config: ranges, messages, the command line's help, and no TensorFlow."""

import dataclasses
import pickle
import subprocess
import sys

import pytest

from tfacme import errors
from tfacme.agents import registry
from tfacme.agents.dqn import config as config_lib


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'batch_size': 0}, 'batch_size is 0, and has to be at least 1.'),
    ({'n_step': 0}, 'n_step is 0, and has to be at least 1.'),
    ({'discount': 1.1}, 'discount is 1.1, and has to be at most 1.'),
    ({'huber_delta': 0.0}, 'huber_delta is 0.0, and has to be more than 0.'),
    ({'samples_per_insert': 0.0}, 'samples_per_insert is 0.0, and has to be more than 0.'),
    ({'priority_exponent': -1.0}, 'priority_exponent is -1.0, and has to be at least 0.'),
    ({'epsilon': (1.0, 2.0, 10)}, 'epsilon is 2.0, and has to be at most 1.'),
    ({'epsilon': (1.0, 0.0, 0)}, 'The number of steps of epsilon is 0, and has to be at least 1.'),
    ({'learning_rate': -1.0}, 'learning_rate is -1.0, and has to be at least 0.'),
    ({'importance_exponent': 1.5}, 'importance_exponent is 1.5, and has to be at most 1.'),
    ({'target_update_period': 0}, 'target_update_period is 0, and has to be at least 1.'),
    (
      {'target_update_period': None, 'target_update_rate': 0.0},
      'target_update_rate is 0.0, and has to be more than 0.',
    ),
    ({'target_update_rate': 0.1}, 'Set one of target_update_period and target_update_rate, and the other to None.'),
    ({'target_update_period': None}, 'Set one of target_update_period and target_update_rate, and the other to None.'),
    ({'max_replay_size': 10}, 'max_replay_size is 10, and has to be at least min_replay_size, 1000.'),
  ],
)
def test_a_value_out_of_range_is_named(changes, message):
  with pytest.raises(errors.UserError) as error:
    config_lib.DQNConfig(**changes)
  assert str(error.value) == message


def test_it_can_be_pickled():
  config = config_lib.DQNConfig(n_step=5)
  assert pickle.loads(pickle.dumps(config)) == config


def test_the_config_and_the_registry_import_no_tensorflow():
  program = (
    'import sys; from tfacme.agents import registry; from tfacme.agents.dqn import config; '
    'registry.summaries(); registry.config("dqn"); registry.default_networks("dqn"); print("tensorflow" in sys.modules)'
  )
  output = subprocess.run([sys.executable, '-c', program], capture_output=True, check=True, text=True)
  assert output.stdout.split() == ['False']


def test_the_command_line_shows_what_each_number_means():
  tyro = pytest.importorskip('tyro')
  text = ' '.join(tyro.extras.get_parser(config_lib.DQNConfig).format_help().replace('│', ' ').split())
  for field in dataclasses.fields(config_lib.DQNConfig):
    assert f'--{field.name.replace("_", "-")}' in text
  assert 'Rewards summed before the target network' in text
  config = tyro.cli(config_lib.DQNConfig, args=['--epsilon', '1', '0.1', '50', '--n-step', '5'])
  assert (config.epsilon, config.n_step) == ((1.0, 0.1, 50), 5)


def test_the_registry():
  assert 'dqn' in registry.names()
  assert registry.config('dqn', batch_size=5) == config_lib.DQNConfig(batch_size=5)
  assert registry.builder('dqn', config_lib.DQNConfig(n_step=2)).config.n_step == 2
  with pytest.raises(errors.UserError, match="There is no agent 'dpn'; did you mean dqn?"):
    registry.config('dpn')
  with pytest.raises(errors.UserError, match="There is no agent 'xyz'; there are .*dqn"):
    registry.builder('xyz', None)
