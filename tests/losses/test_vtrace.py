"""V-trace against trfl's, where episodes don't end, and against numbers worked by hand, where they do."""

import numpy as np
import tensorflow as tf
import trfl
from hypothesis import given
from hypothesis import strategies as st

from tfacme.losses import vtrace as vtrace_lib


@given(st.integers(0, 10_000), st.floats(0.5, 2.0), st.floats(0.5, 2.0))
def test_it_is_trfls_within_an_episode(seed, clip_rho, clip_policy_rho):
  rng = np.random.RandomState(seed)
  log_rhos, rewards, discounts, values = (rng.randn(3, 6).astype(np.float32) for _ in range(4))
  discounts = np.clip(np.abs(discounts), 0, 1)
  last = rng.randn(3, 1).astype(np.float32)
  found = vtrace_lib.vtrace(
    tf.constant(log_rhos),
    tf.constant(rewards),
    tf.constant(discounts),
    tf.constant(np.concatenate([values, last], axis=1)),
    tf.ones([3, 6]),
    clip_rho,
    clip_policy_rho,
  )
  expected = trfl.vtrace_from_importance_weights(
    log_rhos.T, discounts.T, rewards.T, values.T, last[:, 0], clip_rho, clip_policy_rho
  )
  np.testing.assert_allclose(found[0], expected.vs.numpy().T, rtol=1e-3, atol=1e-4)
  np.testing.assert_allclose(found[1], expected.pg_advantages.numpy().T, rtol=1e-3, atol=1e-4)


def _vtrace(rewards, discounts, values, mask, log_rhos=None):
  log_rhos = np.zeros(len(rewards)) if log_rhos is None else log_rhos
  arrays = [tf.constant([x], tf.float32) for x in (log_rhos, rewards, discounts, values, mask)]
  return [x.numpy()[0] for x in vtrace_lib.vtrace(*arrays)]


def test_a_truncation_bootstraps_from_its_final_observation():
  # On-policy, so these are returns: row 1 holds the final observation of an episode that was cut off, worth 10.
  targets, advantages = _vtrace([1, 0, 3], [0.5, 0, 0.5], [2, 10, 1, 8], [1, 0, 1])
  np.testing.assert_allclose(targets, [1 + 5, 10, 3 + 4])
  np.testing.assert_allclose(advantages, [4, 0, 6])


def test_a_termination_bootstraps_from_nothing():
  targets, advantages = _vtrace([1, 0, 3], [0, 0, 0.5], [2, 10, 1, 8], [1, 0, 1])
  np.testing.assert_allclose(targets, [1, 10, 7])
  np.testing.assert_allclose(advantages, [-1, 0, 6])


def test_what_is_masked_may_be_huge():
  targets, advantages = _vtrace([1, 0], [0.5, 0], [2, 10, 1], [1, 0], log_rhos=[0.0, 1e3])
  assert np.isfinite(targets).all() and np.isfinite(advantages).all()


def test_no_gradient_flows_into_either():
  values = tf.constant([[1.0, 2.0]])
  with tf.GradientTape() as tape:
    tape.watch(values)
    sums = sum(map(tf.reduce_sum, vtrace_lib.vtrace(*[tf.ones([1, 1])] * 3, values, tf.ones([1, 1]))))
  assert tape.gradient(sums, values) is None
