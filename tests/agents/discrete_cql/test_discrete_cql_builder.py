"""Discrete CQL's builder: what differs from DQN's; and that it learns from data what cloning them does not show."""

import dataclasses

import cloudpickle
import numpy as np
import pytest
import tensorflow as tf

from tests.agents import choices
from tests.parity import discrete
from tfacme import errors, networks
from tfacme.agents import discrete_cql, dqn
from tfacme.losses import q_learning
from tfacme.replay import tables


def test_what_does_not_fit_is_said_under_its_name():
  builder = discrete_cql.DiscreteCQLBuilder()
  with pytest.raises(errors.UserError, match='^Discrete CQL needs a single discrete action'):
    builder.check(discrete.SPEC._replace(actions=discrete.SPEC.observations))
  with pytest.raises(errors.UserError, match=r'The Q network of Discrete CQL returns \(4,\)'):
    builder.checks_networks(dqn.DQNNetworks(lambda observation: observation), discrete.SPEC)


def test_its_items_are_steps_and_sampled_uniformly():
  (table,) = discrete_cql.DiscreteCQLBuilder().tables(discrete.SPEC)
  assert (table.items.length, table.sampler) == (2, tables.Uniform())


def test_builder_and_networks_can_be_pickled():
  builder, factory = discrete_cql.DiscreteCQLBuilder(), discrete_cql.default_networks((4,), duelling=True)
  assert cloudpickle.loads(cloudpickle.dumps((builder, factory))) == (builder, factory)


def _step(builder):
  with networks.seeded(0):
    made = discrete_cql.default_networks((8,))(discrete.SPEC)
  return builder.update(made, discrete.SPEC)(tf.nest.map_structure(tf.constant, discrete.batch(0, 1))).metrics


def test_the_gap_is_added_to_the_loss_that_it_is_given():
  def constant(online, target, transition):
    zeros = tf.zeros_like(transition.returns)
    return q_learning.Losses(zeros + 3.0, zeros, {'given': tf.reduce_mean(online(transition.observation))})

  config = discrete_cql.DiscreteCQLConfig(conservative_weight=2.0)
  metrics = _step(discrete_cql.DiscreteCQLBuilder(config, loss=constant))
  assert 'given' in metrics and metrics['gap'] > 0
  np.testing.assert_allclose(metrics['loss'], 3.0 + 2.0 * metrics['gap'], rtol=1e-5)


def test_gap_and_error_are_of_the_same_values():
  """Of one evaluation, since a noisy network would have others in a second one."""
  found = []

  def zero(online, target, transition):
    found.append(online(transition.observation) is online(transition.observation))
    zeros = tf.zeros_like(transition.returns)
    return q_learning.Losses(zeros, zeros, {})

  _step(discrete_cql.DiscreteCQLBuilder(loss=zero))
  assert found == [True]


def test_without_weight_it_is_dqn():
  config = discrete_cql.DiscreteCQLConfig(conservative_weight=0.0)
  fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(dqn.DQNConfig)}
  ours, theirs = _step(discrete_cql.DiscreteCQLBuilder(config)), _step(dqn.DQNBuilder(dqn.DQNConfig(**fields)))
  np.testing.assert_allclose([ours[name] for name in theirs], list(theirs.values()), rtol=1e-6)


def test_it_learns_to_catch_from_random_episodes(tmp_path):
  choices.check_learns_to_catch(discrete_cql, tmp_path, conservative_weight=0.1)
