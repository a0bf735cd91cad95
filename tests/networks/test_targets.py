"""How target networks follow."""

import numpy as np
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import networks


def _pair():
  modules = [snt.Linear(2, w_init=snt.initializers.Constant(value)) for value in (0.0, 1.0)]
  for module in modules:
    networks.create_variables(module, dm_specs.Array((3,), np.float32))
  return modules


def test_a_share_of_the_way():
  target, online = _pair()
  for expected in (0.25, 0.4375):
    networks.follow(target, online, 0.25)
    np.testing.assert_allclose(target.w, np.full((3, 2), expected))
  np.testing.assert_array_equal(online.w, np.ones((3, 2)))


def test_a_copy_every_so_many_steps():
  target, online = _pair()
  for steps, expected in ((1, 0.0), (2, 0.0), (3, 1.0)):
    networks.copy_every(target, online, 3, tf.constant(steps, tf.int64))
    np.testing.assert_array_equal(target.w, np.full((3, 2), expected))
