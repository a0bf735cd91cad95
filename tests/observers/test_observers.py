"""The observers against episodes worked by hand."""

import numpy as np
import pytest

from tfacme import errors, observers


def test_action_norm():
  observer = observers.ActionNorm()
  assert observer.metrics() == {'action_norm': 0.0}
  observer.observe_first(None, None)
  observer.observe(None, np.array([3.0, 4.0], np.float32), None)
  observer.observe(None, np.array([0.0, 1.0], np.float32), None)
  assert observer.metrics() == {'action_norm': 3.0}
  observer.observe_first(None, None)
  observer.observe(None, np.float32(-2.0), None)
  assert observer.metrics() == {'action_norm': 2.0}


def test_discrete_action_share():
  observer = observers.DiscreteActionShare(3)
  assert observer.metrics() == {'action_0_share': 0.0, 'action_1_share': 0.0, 'action_2_share': 0.0}
  observer.observe_first(None, None)
  for action in (0, np.int32(2), np.int64(2), 0):
    observer.observe(None, action, None)
  assert observer.metrics() == {'action_0_share': 0.5, 'action_1_share': 0.0, 'action_2_share': 0.5}
  observer.observe_first(None, None)
  assert sum(observer.metrics().values()) == 0.0
  with pytest.raises(errors.UserError, match='number of actions'):
    observers.DiscreteActionShare(0)
