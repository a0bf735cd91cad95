"""Networks of a policy and of critics of its actions."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import errors, networks, specs
from tfacme.networks import checks

_ACTIONS = {
  'arm': dm_specs.BoundedArray((2,), np.float32, -2.0, 2.0),
  'leg': dm_specs.BoundedArray((), np.float32, 0, 1),
}
_SPEC = specs.EnvironmentSpec(
  dm_specs.Array((4,), np.float32),
  _ACTIONS,
  dm_specs.Array((), np.float32),
  dm_specs.BoundedArray((), np.float32, 0, 1),
)


@dataclasses.dataclass(frozen=True)
class deterministic(networks.policy_and_critics):
  def policy_head(self, size):
    return networks.DeterministicHead(size)


@dataclasses.dataclass(frozen=True)
class distributional(deterministic):
  def critic_head(self):
    return networks.QuantileHead(8)


def test_they_fit_the_environment():
  made = deterministic((8,), critics=3, normalize_observations=True)(_SPEC)
  checks.check_policy_and_critics('An agent', made, _SPEC, networks.Deterministic)
  action = made.policy(tf.zeros([5, 4])).mode()
  assert action['arm'].shape == (5, 2) and action['leg'].shape == (5, 1)
  assert networks.Ensemble(made.critics)(tf.zeros([5, 4]), action).shape == (3, 5)


@dataclasses.dataclass(frozen=True)
class remembering(deterministic):
  def memory(self):
    return networks.lstm(4)


def test_with_memory_critics_take_observation_and_action_as_one():
  made = remembering((8,), normalize_observations=True)(_SPEC)
  checks.check_policy_and_critics('An agent', made, _SPEC, networks.Deterministic, memory=True)
  distribution, _ = made.policy(tf.zeros([5, 4]), made.policy.initial_state(5))
  for critic in made.critics:
    value, _ = critic((tf.zeros([5, 4]), distribution.mode()), critic.initial_state(5))
    assert value.shape == (5,)
    shapes = [variable.shape for variable in critic.variables if 'mean' in variable.name]
    assert shapes == [(4,)]  # Of the observation alone.


def test_all_have_memory_or_none():
  plain, made = (kind((4,), critics=1)(_SPEC) for kind in (deterministic, remembering))
  for other, memory, says in [
    (made, False, 'An agent learns from single transitions here, .* and this policy has one; leave it out, or'),
    (dataclasses.replace(plain, critics=made.critics), False, 'and this critic has one'),
    (plain, True, 'An agent learns from sequences here, .* and this policy has none; give each of them one'),
    (dataclasses.replace(made, critics=plain.critics), True, 'and this critic has none'),
  ]:
    with pytest.raises(errors.UserError, match=says):
      checks.check_policy_and_critics('An agent', other, _SPEC, networks.Deterministic, memory=memory)


def test_a_subset_of_critics_is_drawn_for_the_whole_batch():
  values = tf.constant([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
  found = set()
  for seed in range(20):
    with networks.drawing([seed, 0]):
      first, second = networks.random_subset(values, 2).numpy().T
    np.testing.assert_array_equal(10 * first, second)
    found.add(tuple(sorted(first.tolist())))
  assert found == {(1.0, 2.0), (1.0, 3.0), (2.0, 3.0)}  # never one twice
  assert networks.random_subset(values, None) is values  # which draws nothing


def test_critics_may_have_another_head():
  made = distributional((8,))(_SPEC)
  action = made.policy(tf.zeros([5, 4])).mode()
  values = networks.Ensemble(made.critics)(tf.zeros([5, 4]), action)
  assert values.values.shape == (2, 5, 8) and values.mean().shape == (2, 5)
  checks.check_policy_and_critics('D4PG', made, _SPEC, networks.Deterministic, value=networks.Quantiles)
  with pytest.raises(
    errors.UserError, match='A critic of TD3 returns a .*Quantiles.*, and has to return a single value'
  ):
    checks.check_policy_and_critics('TD3', made, _SPEC, networks.Deterministic)
  with pytest.raises(
    errors.UserError, match='A critic of D4PG returns a Quantiles, and has to return a networks.DiscreteValues'
  ):
    checks.check_policy_and_critics('D4PG', made, _SPEC, networks.Deterministic, value=networks.DiscreteValues)


def test_critics_return_as_many_numbers_as_each_other():
  made, other = distributional((8,))(_SPEC), deterministic((8,))(_SPEC)
  critics = [made.critics[0], networks.Critic(networks.MLPTorso((8,)), head=networks.QuantileHead(9))]
  with pytest.raises(errors.UserError, match=r'critics of D4PG return \(8,\) and \(9,\) numbers, and have to be alike'):
    checks.check_policy_and_critics(
      'D4PG', dataclasses.replace(made, critics=critics), _SPEC, networks.Deterministic, value=networks.Quantiles
    )
  with pytest.raises(errors.UserError, match='A critic of D4PG returns a TensorSpec, and has to return a .*Quantiles'):
    checks.check_policy_and_critics('D4PG', other, _SPEC, networks.Deterministic, value=networks.Quantiles)


@pytest.mark.parametrize(
  'changes, says',
  [
    ({'critics': []}, 'TD3 needs at least one critic, and these networks have none'),
    ({'policy': lambda observation: observation}, r'The policy network of TD3 returns a .*, and has to return'),
  ],
)
def test_what_does_not_fit_is_said(changes, says):
  made = dataclasses.replace(deterministic((8,))(_SPEC), **changes)
  with pytest.raises(errors.UserError, match=says):
    checks.check_policy_and_critics('TD3', made, _SPEC, networks.Deterministic)


def test_the_expected_value_of_a_choice_is_that_of_the_lowest_critics_by_hand():
  first, second = tf.constant([1.0, 5.0, 9.0]), tf.constant([2.0, 3.0, 9.0])
  state = tf.constant([0.0, 10.0])
  critics = lambda action: tf.stack([state + tf.gather(q, action) for q in (first, second)])
  logits = tf.math.log([[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]])
  found = networks.expected_value(critics, networks.Categorical(logits))
  np.testing.assert_allclose(found, [0.25 * 1.0 + 0.75 * 3.0, 10.0 + 0.5 * 1.0 + 0.25 * 3.0 + 0.25 * 9.0], rtol=1e-6)


def test_the_expected_value_of_a_number_is_that_of_samples_within_its_bounds():
  critics = lambda action: tf.stack([2.0 * action[:, 0], 3.0 - action[:, 0]])
  policy = networks.Gaussian(tf.constant([[0.5], [7.0]]), tf.fill([2, 1], -12.0))
  with networks.drawing(tf.constant([1, 2])):
    found = networks.expected_value(critics, policy, dm_specs.BoundedArray((1,), np.float32, -4.0, 4.0), samples=2)
  np.testing.assert_allclose(found, [1.0, 2.0], atol=1e-3)  # 7 is cut off at 1.
