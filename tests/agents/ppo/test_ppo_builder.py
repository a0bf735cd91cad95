"""PPO's builder: what it refuses, what it puts together, how it acts; and that it learns."""

import cloudpickle
import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

import tfacme
from tests.agents import contexts
from tfacme import core, environments, errors, networks, specs, testing
from tfacme.agents import ppo
from tfacme.replay import sources
from tfacme.replay.items import Items

_DISCRETE = dm_specs.DiscreteArray(3)
_CONTINUOUS = dm_specs.BoundedArray((2,), np.float32, -2.0, 2.0)


def _spec(actions=_DISCRETE, observations=dm_specs.Array((4,), np.float32)):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0, 1)
  return specs.EnvironmentSpec(observations, actions, reward, discount)


@pytest.mark.parametrize('actions', [_DISCRETE, _CONTINUOUS, (_DISCRETE, {'arm': _CONTINUOUS})])
def test_it_takes_actions_of_all_kinds(actions):
  ppo.PPOBuilder().check(_spec(actions))


@pytest.mark.parametrize(
  'actions, says',
  [
    (dm_specs.Array((2,), np.float32), 'actions with bounds'),
    (dm_specs.BoundedArray((2,), np.int32, 0, 3), r'has actions of shape \(2,\) and type int32'),
    ((_DISCRETE, dm_specs.Array((2,), np.float32)), 'actions with bounds'),
    ((), 'PPO needs actions, and this environment takes none'),
  ],
)
def test_it_refuses_other_actions(actions, says):
  with pytest.raises(errors.UserError, match=says):
    ppo.PPOBuilder().check(_spec(actions))


@pytest.mark.parametrize(
  'changes, says',
  [
    ({'gae_lambda': 1.5}, 'gae_lambda is 1.5, and has to be at most 1'),
    ({'epochs': 0}, 'epochs is 0, and has to be at least 1'),
    ({'batch_size': 3, 'unroll_length': 5, 'minibatches': 4}, '4 minibatches do not divide the 15 transitions'),
  ],
)
def test_its_config_refuses_what_makes_no_sense(changes, says):
  with pytest.raises(errors.UserError, match=says):
    ppo.PPOConfig(**changes)


def test_it_refuses_networks_that_do_not_fit():
  made, other = (ppo.default_networks((8,))(_spec(actions)) for actions in (_DISCRETE, dm_specs.DiscreteArray(4)))
  with pytest.raises(errors.UserError, match=r'policy network of PPO returns \(4,\) .* a distribution of 3 actions'):
    ppo.PPOBuilder().checks_networks(other, _spec())
  with pytest.raises(errors.UserError, match='returns a Categorical, and has to return a networks.Gaussian'):
    ppo.PPOBuilder().checks_networks(made, _spec(_CONTINUOUS))
  with pytest.raises(errors.UserError, match=r'value network of PPO returns \(1,\) .* has to return a single value'):
    ppo.PPOBuilder().checks_networks(ppo.PPONetworks(made.policy, snt.Linear(1)), _spec())


def test_its_table_and_source():
  builder = ppo.PPOBuilder(ppo.PPOConfig(unroll_length=4, batch_size=6, minibatches=3))
  (table,) = builder.tables(_spec())
  assert table.items == Items(length=5, period=4, end='continue')
  assert (table.max_times_sampled, table.name) == (1, 'queue')
  assert builder.source(_spec()) == sources.Sample('queue', 6)


@pytest.mark.parametrize('actions', [_DISCRETE, _CONTINUOUS])
@pytest.mark.parametrize(
  'observations',
  [
    dm_specs.Array((10, 10, 4), np.uint8),
    {'image': dm_specs.Array((10, 10, 4), np.uint8), 'speed': dm_specs.Array((), np.float32)},
  ],
)
def test_default_networks_take_images_and_dicts(actions, observations):
  spec = _spec(actions, observations)
  ppo.PPOBuilder().checks_networks(ppo.default_networks(normalize_observations=True)(spec), spec)


def test_builder_and_networks_can_be_pickled():
  factory = ppo.default_networks((4,), normalize_observations=True)
  assert cloudpickle.loads(cloudpickle.dumps(factory)) == factory
  builder = cloudpickle.loads(cloudpickle.dumps(ppo.PPOBuilder()))
  builder.checks_networks(factory(_spec()), _spec())


def _act(network, actions, evaluation, size=1_000):
  policy = networks.NetworkPolicy(network, (networks.Mode if evaluation else networks.Sample)(actions))
  context = contexts.context(size)
  return policy(tf.zeros([size, 4]), (), context)


def test_continuous_actions_are_cut_to_their_bounds_and_the_sample_is_kept():
  network = lambda observation: networks.Gaussian(tf.fill([1_000, 2], 0.5), tf.zeros([1_000, 2]))
  action, _, extras = _act(network, _CONTINUOUS, evaluation=False)
  np.testing.assert_allclose(action, np.clip(2.0 * extras['sample'], -2.0, 2.0), atol=1e-6)
  assert np.abs(extras['sample']).max() > 1.0
  np.testing.assert_allclose(extras['log_prob'], network(None).log_prob(extras['sample']))
  action, _, extras = _act(network, _CONTINUOUS, evaluation=True)
  np.testing.assert_allclose(action, np.ones((1_000, 2)))
  assert extras == {}


class _Table(testing.TwoStates):
  """What counts is one of six choices in a table."""

  def action_spec(self):
    return specs.MultiDiscreteArray([[2, 3, 2], [2, 2, 2]])

  def step(self, action):
    self.action_spec().validate(action)
    return super().step(int(action[1, 0]))


@pytest.mark.slow
def test_a_table_of_choices():
  config = ppo.PPOConfig(unroll_length=8, batch_size=4, epochs=4, minibatches=2, learning_rate=0.01)
  experiment = tfacme.Experiment(
    ppo.PPOBuilder(config), _Table, ppo.default_networks((16,)), tfacme.Budget(actor_steps=3000)
  )
  assert tfacme.train(experiment, progress=False).evaluate(episodes=20).mean >= 3.0  # chance: 2


def test_discrete_actions():
  network = lambda observation: networks.Categorical(tf.math.log(tf.tile([[0.2, 0.8, 0.0]], [1_000, 1])))
  action, _, extras = _act(network, _DISCRETE, evaluation=False)
  np.testing.assert_array_equal(action, extras['sample'])
  np.testing.assert_allclose(np.bincount(action, minlength=3) / 1_000, [0.2, 0.8, 0.0], atol=0.05)
  assert np.all(_act(network, _DISCRETE, evaluation=True)[0] == 1)


def test_the_ratios_are_1_where_the_policy_that_acted_learns():
  # Through the normalizer, the bounds and the extras: what acts is what is compared with it.
  config = ppo.PPOConfig(unroll_length=4, batch_size=8, epochs=1, minibatches=1)
  spec = _spec(_CONTINUOUS)
  made = ppo.default_networks((8,), normalize_observations=True)(spec)
  builder = ppo.PPOBuilder(config)
  policy, update = builder.policy(made, spec, evaluation=False), builder.update(made, spec)
  rng = np.random.RandomState(0)
  for step in range(3):
    observation = tf.constant(5.0 + 3.0 * rng.randn(8, 5, 4), tf.float32)
    context = contexts.context(40, seed=(step, 0))
    action, _, extras = policy(tf.reshape(observation, [40, 4]), (), context)
    rows = tf.nest.map_structure(lambda x: tf.reshape(x, [8, 5, *x.shape[1:]]), (action, extras))
    ones, none = tf.ones([8, 5]), tf.zeros([8, 5], tf.bool)
    steps = core.Step(observation, rows[0], tf.constant(rng.randn(8, 5), tf.float32), ones, none, none, rows[1])
    with networks.drawing([step, 1]):
      metrics = update(core.Batch(steps, ones, None)).metrics
    np.testing.assert_allclose(metrics['kl'], 0.0, atol=1e-5)
    assert metrics['clipped'] == 0.0 and metrics['gradient_norm'] > 0.0


def _learned(environment, config, steps, seed=0, **networks_options):
  experiment = tfacme.Experiment(
    builder=ppo.PPOBuilder(config),
    networks=ppo.default_networks((32,), **networks_options),
    environment=environment,
    budget=tfacme.Budget(actor_steps=steps),
    layout=tfacme.Layout(slots=8),
    evaluation=tfacme.Evaluation(every=0, episodes=20),
    seed=seed,
  )
  return tfacme.train(experiment, progress=False).evaluate(20).mean


def test_it_learns_catch():  # Six seeds came to 1.0.
  config = ppo.PPOConfig(unroll_length=32, epochs=4, minibatches=4, learning_rate=5e-3, entropy_cost=0.01)
  assert _learned(environments.factory('bsuite:catch/0'), config, 24_000) >= 0.7


@pytest.mark.slow
def test_it_learns_to_reach():  # Six seeds came to between -0.57 and -0.95; at random it is -7.9.
  config = ppo.PPOConfig(
    discount=0.9, unroll_length=32, epochs=8, minibatches=4, learning_rate=5e-3, normalize_values=True
  )
  assert _learned(testing.Reach, config, 24_000, normalize_observations=True, initial_log_std=-0.5) > -1.8
