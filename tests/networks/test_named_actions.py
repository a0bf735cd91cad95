"""Actions that are a named tuple, from a distribution to an agent that learns, and from there to recorded data."""

from typing import Any, NamedTuple

import dm_env
import numpy as np
import pytest
import tensorflow as tf
import tree
from dm_env import specs as dm_specs

import tfacme
from tfacme import datasets, errors, networks, specs, testing
from tfacme.agents import bc, ppo
from tfacme.networks import checks
from tfacme.workers import random_policy


class Action(NamedTuple):
  """Its fields have the names of what arrays and distributions have, and are not in the order of the alphabet."""

  shape: Any
  push: Any
  mode: Any


_SPEC = Action(
  shape=dm_specs.DiscreteArray(3),
  push=dm_specs.BoundedArray((1,), np.float32, -3.0, 3.0),
  mode=(dm_specs.DiscreteArray(2), dm_specs.BoundedArray((2,), np.float32, -0.5, 0.5)),
)
_SEED = tf.constant([1, 2])


class Pushed(testing.TwoStates):
  """What counts is the choice within `mode`; the action of its number leads to a state."""

  def action_spec(self):
    return _SPEC

  def step(self, action: Action) -> dm_env.TimeStep:
    assert action._fields == Action._fields  # An exported policy makes a class of its own.
    tree.map_structure(lambda spec, value: spec.validate(value), _SPEC, action)
    return super().step(int(action.mode[0]))


def _spec(actions=_SPEC):
  return specs.environment_spec(Pushed(0))._replace(actions=actions)


def test_a_joint_distribution_is_of_named_tuples():
  joint = networks.distribution_head(_SPEC)(tf.ones([4, 5]))
  sample = joint.sample(_SEED)
  assert isinstance(sample, Action) and sample.shape.shape == (4,) and sample.mode[1].shape == (4, 2)
  assert isinstance(joint.mode(), Action)
  parts = joint.parts
  expected = (
    parts.shape.log_prob(sample.shape)
    + parts.push.log_prob(sample.push)
    + parts.mode[0].log_prob(sample.mode[0])
    + parts.mode[1].log_prob(sample.mode[1])
  )
  np.testing.assert_allclose(joint.log_prob(sample), expected, rtol=1e-5)
  action = networks.to_environment(sample, _SPEC)
  back = networks.from_environment(action, _SPEC)
  assert isinstance(action, Action) and isinstance(back, Action)
  np.testing.assert_allclose(back.push, np.clip(sample.push, -1.0, 1.0), atol=1e-6)


def test_their_masks():
  joint = networks.distribution_head(_SPEC)(tf.ones([4, 5]))
  yes = tf.ones([4], tf.bool)
  legal = Action(tf.constant([[False, True, False]] * 4), yes, (tf.constant([[False, True]] * 4), yes))
  masked = joint.masked(legal)
  assert masked.mode().shape.numpy().tolist() == [1] * 4 and masked.mode().mode[0].numpy().tolist() == [1] * 4


@pytest.mark.parametrize('change', [tuple, lambda action: action._asdict(), lambda action: action[:2]])
def test_what_is_built_in_another_way_is_said(change):
  made = ppo.default_networks((8,))(_spec())
  parts = change(_SPEC)
  other = lambda observation: networks.distribution_head(parts)(observation)
  with pytest.raises(errors.UserError, match=r'policy network of PPO .* has to return .* of the structure of .*Action'):
    checks.check_actions('The policy network of PPO', other(tf.ones([1, 4])), _SPEC)
  with pytest.raises(errors.UserError, match='another nest than the actions'):
    specs._check_mask(specs.action_mask_spec(parts), _SPEC)
  ppo.PPOBuilder().checks_networks(made, _spec())


@pytest.mark.slow
def test_ppo_learns_them():
  experiment = tfacme.Experiment(
    ppo.PPOBuilder(ppo.PPOConfig(unroll_length=8, batch_size=4, epochs=4, minibatches=2, learning_rate=0.01)),
    Pushed,
    ppo.default_networks((16,)),
    tfacme.Budget(actor_steps=3000),
    layout=tfacme.Layout(slots=2),
  )
  assert (
    tfacme.train(experiment, progress=False).evaluate(episodes=20).mean >= 3.0
  )  # By the exported policy; chance: 2.


class Expert:
  """Chooses the cue, and all else at random."""

  def __init__(self):
    self._random = random_policy.RandomPolicy(_SPEC, 0)

  def reset(self):
    self._random.reset()

  def __call__(self, observation):
    action = self._random(observation)
    return action._replace(mode=(np.int32(observation[1]), action.mode[1]))


def test_bc_learns_them_from_data(tmp_path):
  tfacme.record(Expert(), Pushed(7), 50, str(tmp_path))
  experiment = tfacme.Experiment(
    bc.BCBuilder(bc.BCConfig(batch_size=16, learning_rate=0.01)),
    Pushed,
    bc.default_networks((16,)),
    tfacme.Budget(learner_steps=300),
    dataset=datasets.rlds(str(tmp_path)),
  )
  assert tfacme.train(experiment, progress=False).evaluate(episodes=20).mean >= 3.5
