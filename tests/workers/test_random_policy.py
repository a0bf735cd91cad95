"""Actions at random: within their bounds, and legal."""

import numpy as np
import pytest
import tree
from dm_env import specs as dm_specs

from tfacme import errors, specs
from tfacme.workers.random_policy import RandomPolicy

_FORCE = dm_specs.BoundedArray((2,), np.float32, -1.0, 1.0)


@pytest.mark.parametrize(
  'spec, low, high',
  [
    (dm_specs.DiscreteArray(3), 0, 2),
    (dm_specs.BoundedArray((2,), np.float32, [-1.0, 5.0], [1.0, 6.0]), [-1, 5], [1, 6]),
    (dm_specs.BoundedArray((2,), np.int32, 1, 4), 1, 4),
  ],
)
def test_random_actions_fill_their_bounds(spec, low, high):
  policy = RandomPolicy(spec)
  actions = np.stack([policy(None) for _ in range(500)])
  for action in actions:
    spec.validate(action)
  np.testing.assert_allclose(actions.min(axis=0), low, atol=0.05)
  np.testing.assert_allclose(actions.max(axis=0), high, atol=0.05)


def test_random_actions_are_legal():
  spec = {'move': dm_specs.DiscreteArray(3), 'pair': specs.MultiDiscreteArray([2, 3]), 'force': _FORCE}
  policy = RandomPolicy(spec)
  mask = {'move': np.array([1, 0, 1]), 'pair': np.array([False, True, True, False, True]), 'force': np.array(True)}
  actions = [policy({'action_mask': mask}) for _ in range(100)]
  for action in actions:
    tree.map_structure(lambda part, value: part.validate(value), spec, action)
  assert {int(action['move']) for action in actions} == {0, 2}
  assert {tuple(action['pair']) for action in actions} == {(1, 0), (1, 2)}
  mask['move'][:] = 0
  with pytest.raises(errors.UserError, match='leaves no action to take'):
    policy({'action_mask': mask})


def test_random_actions_of_a_nest_and_without_bounds():
  policy = RandomPolicy({'a': dm_specs.Array((3,), np.float32), 'b': dm_specs.DiscreteArray(2)})
  action = policy(None)
  assert (action['a'].shape, action['a'].dtype) == ((3,), np.float32)
  assert action['b'] in (0, 1)
