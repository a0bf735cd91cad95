"""TD3+BC's builder: what differs from TD3's; and that it learns from data what cloning them does not show."""

import cloudpickle
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.agents import replayed
from tests.parity import continuous, references
from tfacme import errors, networks
from tfacme.agents import sac, td3, td3_bc
from tfacme.losses import deterministic


def test_what_does_not_fit_is_said_under_its_name():
  with pytest.raises(errors.UserError, match=r'^TD3\+BC needs continuous actions'):
    td3_bc.TD3BCBuilder().check(continuous.SPEC._replace(actions=dm_specs.DiscreteArray(3)))
  with pytest.raises(errors.UserError, match=r'of TD3\+BC returns a TanhGaussian'):
    td3_bc.TD3BCBuilder().checks_networks(sac.default_networks((8,))(continuous.SPEC), continuous.SPEC)
  with pytest.raises(errors.UserError, match='alpha is -1.0, and has to be at least 0'):
    td3_bc.TD3BCConfig(alpha=-1.0)


def test_builder_and_networks_can_be_pickled():
  builder, factory = td3_bc.TD3BCBuilder(td3_bc.TD3BCConfig(alpha=1.0)), td3_bc.default_networks((4,))
  assert cloudpickle.loads(cloudpickle.dumps((builder, factory))) == (builder, factory)


def _step(builder, steps=1):
  """The metrics of learning steps from one batch, and the networks that took them."""
  with networks.seeded(0):
    made = td3_bc.default_networks((8,))(continuous.SPEC)
  update = references.compiled(builder.update(made, continuous.SPEC))
  batch = tf.nest.map_structure(tf.constant, continuous.batch(0, 1))
  return [update(batch).metrics for _ in range(steps)][-1], made, batch


def test_the_loss_of_its_config_or_the_one_that_it_is_given():
  weights = [
    float(_step(td3_bc.TD3BCBuilder(td3_bc.TD3BCConfig(alpha=alpha)))[0]['value_weight']) for alpha in (1.0, 2.0)
  ]
  np.testing.assert_allclose(weights[1], 2.0 * weights[0], rtol=1e-5)
  given = _step(td3_bc.TD3BCBuilder(policy_loss=deterministic.policy_gradient))[0]
  assert 'value_weight' not in given


def test_observations_are_normalized_by_those_of_the_data():
  _, made, batch = _step(td3_bc.TD3BCBuilder(), steps=3)
  observations = batch.steps.observation.numpy().reshape(-1, 4)
  for module in (made.policy, *made.critics):
    (normalizer,) = [part for part in module.submodules if isinstance(part, networks.ObservationNormalizer)]
    expected = (observations - observations.mean(axis=0)) / observations.std(axis=0)
    np.testing.assert_allclose(normalizer(observations), expected, atol=1e-4)


def test_its_variables_are_where_td3_looks_for_them():
  """So that TD3 goes on from what it has learned (`Experiment.start`)."""
  ours = td3_bc.default_networks((8,))(continuous.SPEC)
  theirs = td3.default_networks((8,), normalize_observations=True)(continuous.SPEC)
  shapes = lambda made: [(v.name, v.shape) for module in (made.policy, *made.critics) for v in module.variables]
  assert shapes(ours) == shapes(theirs)


def _halting(observation):
  """Pushes halfway to the target, and now and then the other way."""
  push = (observation[1:] - observation[:1]) / 0.25
  return np.clip(_halting.draw.normal(0.3, 0.7) * push, -2.0, 2.0).astype(np.float32)


_halting.reset = lambda: None
_halting.draw = np.random.default_rng(0)


@pytest.mark.slow
def test_it_does_better_than_the_data(tmp_path):
  rates = {'policy_learning_rate': 3e-3, 'critic_learning_rate': 3e-3}
  config = td3_bc.TD3BCConfig(discount=0.9, batch_size=64, **rates)
  builder, made = td3_bc.TD3BCBuilder(config), td3_bc.default_networks((32, 32))
  recorded, learned = replayed.learned_to_reach(builder, made, tmp_path, 2_000, _halting, episodes=200)
  assert learned > recorded + 0.5
