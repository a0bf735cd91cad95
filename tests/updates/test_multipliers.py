"""Weights of penalties, fixed and learned."""

import numpy as np
import pytest
import tensorflow as tf

from tfacme import configs, errors, updates


def test_a_fixed_weight_stays_what_it_is_and_has_no_variables():
  weight = updates.Multiplier(0.0, None, 0.1, configs.OptimizerConfig())
  weight.update(tf.constant(9.0))
  assert (float(weight()), weight.variables) == (0.0, ())


@pytest.mark.parametrize('penalty, factor', [(1.5, 1.1), (0.5, 1 / 1.1)])
def test_a_learned_one_rises_above_the_threshold_and_falls_below(penalty, factor):
  # The first step of Adam is as long as its step size.
  weight = updates.Multiplier(2.0, 1.0, float(np.log(1.1)), configs.OptimizerConfig())
  np.testing.assert_allclose(weight(), 2.0, rtol=1e-6)
  weight.update(tf.constant(penalty))
  np.testing.assert_allclose(weight(), 2.0 * factor, rtol=1e-5)


def test_a_learned_one_has_a_limit():
  weight = updates.Multiplier(9e5, 0.0, 1.0, configs.OptimizerConfig())
  for _ in range(3):
    weight.update(tf.constant(1.0))
  np.testing.assert_allclose(weight(), 1e6, rtol=1e-5)


def test_what_can_not_be_learned_is_refused():
  with pytest.raises(errors.UserError, match='conservative_weight is 0.0, and has to be more than 0'):
    configs.ConservativeConfig(conservative_weight=0.0, gap_threshold=1.0)
