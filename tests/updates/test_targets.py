"""How target networks follow."""

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import errors, networks, updates


def _online():
  online = snt.Linear(2, w_init=snt.initializers.Zeros())
  networks.create_variables(online, dm_specs.Array((3,), np.float32))
  return online


def test_a_share_of_the_way():
  online = _online()
  target = updates.Target(online, rate=0.25)
  online.w.assign(np.ones((3, 2)))
  for expected in (0.25, 0.4375):
    target.update()
    np.testing.assert_allclose(target.network.w, np.full((3, 2), expected))
  np.testing.assert_array_equal(online.w, np.ones((3, 2)))


def test_a_copy_every_so_many_steps():
  online = _online()
  target = updates.Target(online, period=3)
  online.w.assign(np.ones((3, 2)))
  for expected in (0.0, 0.0, 1.0):
    target.update()
    np.testing.assert_array_equal(target.network.w, np.full((3, 2), expected))
  np.testing.assert_array_equal(target(tf.ones([1, 3])), [[3.0, 3.0]])


def test_one_of_the_two():
  with pytest.raises(errors.UserError, match='either by a period or by a rate'):
    updates.Target(_online(), period=3, rate=0.1)
