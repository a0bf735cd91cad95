"""The shared fields of configs, and their ranges."""

import dataclasses
import math

import pytest

from tfacme import configs, errors
from tfacme.agents import registry


@dataclasses.dataclass(frozen=True)
class _Config(configs.AdamConfig, configs.TargetConfig, configs.ReplayConfig):
  margin: float = configs.number(0.8, low=0, high=1)
  limit: float = configs.number(None, above=0)
  kind: str = configs.choice('plain', ('plain', 'exact'))


@pytest.mark.parametrize(
  'changes, says',
  [
    ({'margin': 1.5}, 'margin is 1.5, and has to be at most 1.'),
    ({'limit': 0.0}, 'limit is 0.0, and has to be more than 0.'),
    ({'kind': 'exakt'}, "There is no kind 'exakt'; did you mean exact?"),
    ({'batch_size': 1.5}, 'batch_size is 1.5, and has to be a whole number.'),
    ({'batch_size': None}, 'batch_size is None, and has to be a whole number.'),
    ({'learning_rate': (1.0, -1.0, 10)}, 'learning_rate is -1.0, and has to be at least 0.'),
    ({'min_replay_size': 2_000_000}, 'max_replay_size is 1000000, and has to be at least min_replay_size, 2000000.'),
    ({'target_update_rate': 0.1}, 'Set one of target_update_period and target_update_rate, and the other to None.'),
  ],
)
def test_what_is_out_of_range_is_named(changes, says):
  with pytest.raises(errors.UserError) as error:
    _Config(**changes)
  assert str(error.value) == says


@pytest.mark.parametrize('agent', registry.names())
def test_every_number_of_an_agent_has_to_be_one(agent):
  config = registry.config(agent)
  numbers = [f.name for f in dataclasses.fields(config) if any(kind in f.type for kind in ('float', 'int', 'Schedule'))]
  assert len(numbers) > 2
  for name in numbers:
    with pytest.raises(errors.UserError, match=f'{name} is nan, and has to be'):
      dataclasses.replace(config, **{name: math.nan})


@pytest.mark.parametrize('changes', [{'burn_in': 1}, {'sequence_period': 5}, {'across_episodes': True}])
def test_what_is_of_sequences_needs_some(changes):
  (name,) = changes
  with pytest.raises(errors.UserError, match=f'^{name} is of sequences, and without trace_length there are none'):
    configs.SequenceConfig(**changes)
  assert configs.SequenceConfig(trace_length=5, **changes).trace_length == 5


def test_what_may_be_none():
  assert _Config(target_update_period=None, target_update_rate=0.1, limit=None).limit is None
