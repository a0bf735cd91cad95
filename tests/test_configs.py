"""The shared fields of configs, and their ranges."""

import dataclasses

import pytest

from tfacme import configs, errors


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


def test_what_may_be_none():
  assert _Config(target_update_period=None, target_update_rate=0.1, limit=None).limit is None
