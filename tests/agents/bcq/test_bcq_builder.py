"""BCQ: what differs from DQN in its builder; its loss, worked by hand; and that it learns from recorded episodes."""

import cloudpickle
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.agents import choices, contexts
from tests.parity import continuous, discrete
from tfacme import errors, networks
from tfacme.agents import bcq, dqn
from tfacme.losses import q_learning
from tfacme.replay import tables
from tfacme.tensors import naming

_IMAGES = discrete.SPEC._replace(observations=dm_specs.Array((10, 10, 2), np.float32))


def test_what_does_not_fit_is_said_under_its_name():
  with pytest.raises(errors.UserError, match='^BCQ needs a single discrete action'):
    bcq.BCQBuilder().check(continuous.SPEC)
  with pytest.raises(errors.UserError, match='threshold is 1.5, and has to be at most 1'):
    bcq.BCQConfig(threshold=1.5)
  made = bcq.default_networks((8,))(discrete.SPEC)
  other = bcq.default_networks((8,))(discrete.SPEC._replace(actions=dm_specs.DiscreteArray(2)))
  for changed, says in (
    (bcq.BCQNetworks(made.torso, other.q, made.behaviour), 'The Q network of BCQ returns .2,. for each observation'),
    (bcq.BCQNetworks(made.torso, made.q, other.behaviour), 'The behaviour network of BCQ returns .2,. for each'),
    (bcq.BCQNetworks(made.torso, made.q, made.q), 'The behaviour network of BCQ returns a TensorSpec'),
    (dqn.default_networks((8,))(discrete.SPEC), 'has no torso and no behaviour'),
  ):
    with pytest.raises(errors.UserError, match=says):
      bcq.BCQBuilder().checks_networks(changed, discrete.SPEC)


def test_items_are_sampled_uniformly():
  (table,) = bcq.BCQBuilder().tables(discrete.SPEC)
  assert (table.items.length, table.sampler) == (2, tables.Uniform())


def test_builder_and_networks_can_be_pickled():
  builder, factory = bcq.BCQBuilder(bcq.BCQConfig(threshold=0.1)), bcq.default_networks((4,), duelling=True)
  builder, factory = cloudpickle.loads(cloudpickle.dumps((builder, factory)))
  builder.checks_networks(factory(discrete.SPEC), discrete.SPEC)


def test_values_and_behaviour_share_convolutions_alone():
  made = bcq.default_networks((8,))(_IMAGES)
  sizes = lambda module: sorted(variable.shape.rank for variable in module.variables)
  assert (sizes(made.torso), sizes(made.q), sizes(made.behaviour)) == ([1, 4], [1, 1, 2, 2], [1, 1, 2, 2])
  bcq.BCQBuilder().checks_networks(made, _IMAGES)


def test_dqn_finds_its_layers_there():
  """So that it goes on from what BCQ has learned (`Experiment.start`)."""
  shapes = lambda made: {place: variable.shape for place, variable in naming.places(made).items()}
  theirs = shapes(dqn.default_networks((8, 6))(discrete.SPEC))
  assert theirs.items() <= shapes(bcq.default_networks((8, 6))(discrete.SPEC)).items()


def _actions(evaluation, legal=None, size=2_000, **changes):
  """Of values 3, 2, 1, 4, whose actions the data have with probabilities 0.1, 0.3, 0.6 and nearly 0."""
  identity = lambda x: x
  q = lambda x: tf.tile(tf.constant([[3.0, 2.0, 1.0, 4.0]]), [tf.shape(x)[0], 1])
  behaviour = lambda x: networks.Categorical(tf.tile(tf.math.log([[0.1, 0.3, 0.6, 1e-6]]), [tf.shape(x)[0], 1]))
  torso = identity if legal is None else lambda x: x['numbers']
  observation = tf.zeros([size, 2])
  if legal is not None:
    observation = {'numbers': observation, 'action_mask': tf.tile(tf.constant(legal), [size, 1])}
  spec = discrete.SPEC._replace(actions=dm_specs.DiscreteArray(4))
  made, config = bcq.BCQNetworks(torso, q, behaviour), bcq.BCQConfig(**changes)
  action, state, extras = bcq.BCQBuilder(config).policy(made, spec, evaluation)(observation, (), contexts.context(size))
  assert (state, extras) == ((), {})
  return np.bincount(action, minlength=4) / size


@pytest.mark.parametrize('threshold, best', [(0.0, 3), (0.1, 0), (0.3, 1), (0.6, 2), (1.0, 2)])
def test_it_takes_the_best_of_the_likely_actions(threshold, best):
  np.testing.assert_array_equal(_actions(True, threshold=threshold), np.eye(4)[best])


def test_it_explores_unlikely_actions_too():
  np.testing.assert_allclose(_actions(False, epsilon=0.4), [0.1, 0.7, 0.1, 0.1], atol=0.03)


@pytest.mark.parametrize('threshold', [0.0, 0.3])
def test_illegal_actions_are_neither_likely_nor_explored(threshold):
  legal = np.array([[True, False, False, True]])
  expected = [0.2, 0, 0, 0.8] if threshold == 0 else [0.8, 0, 0, 0.2]
  np.testing.assert_allclose(_actions(False, legal, threshold=threshold, epsilon=0.4), expected, atol=0.03)


def test_the_loss_of_its_config_or_the_one_that_it_is_given():
  config = bcq.BCQConfig(threshold=0.2, logit_cost=0.5, double=False, huber_delta=3.0)
  assert bcq.BCQBuilder(config).q_loss() == bcq.BatchConstrained(0.2, 0.5, False, 3.0)
  own = q_learning.DoubleQLearning()
  assert bcq.BCQBuilder(loss=own).q_loss() is own


def _network(q, logits):
  """From observations, which nobody looks at."""
  return lambda observation: bcq.ValuesAndBehaviour(tf.constant(q), networks.Categorical(tf.constant(logits)))


class _Transition:
  """One of one step, with reward 1 and a discount of 0.5."""

  observation, next_observation = 'before', 'after'
  action, returns, discount = tf.constant([1]), tf.constant([1.0]), tf.constant([0.5])


def _losses(**changes):
  after = _network([[10.0, 30.0, 20.0]], np.log([[0.5, 0.1, 0.4]]).astype(np.float32))
  before = _network([[0.0, 2.0, 0.0]], np.array([[0.0, 0.0, networks.ILLEGAL]], np.float32))
  online = lambda observation: {'before': before, 'after': after}[observation](observation)
  target = _network([[100.0, 300.0, 8.0]], np.zeros((1, 3), np.float32))
  return bcq.BatchConstrained(**changes)(online, target, _Transition)


@pytest.mark.parametrize(
  'changes, value',
  [
    ({}, 8.0),  # Of actions 0 and 2, which are likely, the online network takes 2.
    ({'double': False}, 100.0),  # The target network takes 0.
    ({'threshold': 0.0}, 300.0),
    ({'threshold': 1.0}, 100.0),
  ],
)
def test_errors_worked_by_hand(changes, value):
  np.testing.assert_allclose(_losses(**changes).errors, [1.0 + 0.5 * value - 2.0], rtol=1e-6)


def test_the_loss_worked_by_hand():
  losses = _losses(logit_cost=0.1, huber_delta=2.0)
  # The error is 3; the two legal actions are as likely; the logit of the illegal one costs nothing.
  np.testing.assert_allclose(losses.loss, [2.0 * (3.0 - 1.0) + np.log(2.0)], rtol=1e-6)
  assert {name: float(value) for name, value in losses.metrics.items()} == pytest.approx(
    {'q': 2.0, 'imitation_loss': np.log(2.0), 'likely_actions': 2.0}
  )


def test_large_logits_cost():
  network = _network([[0.0, 0.0]], [[3.0, -1.0]])
  losses = [bcq.BatchConstrained(logit_cost=cost)(network, network, _Transition).loss for cost in (0.0, 0.1)]
  np.testing.assert_allclose(losses[1] - losses[0], [0.1 * (9.0 + 1.0) / 2], rtol=1e-5)


@pytest.mark.slow
def test_it_learns_to_catch_from_random_episodes(tmp_path):
  choices.check_learns_to_catch(bcq, tmp_path, learning_rate=3e-3)
