"""One learning step of DQN (Mnih et al. 2015), with double Q-learning, n-step returns and prioritized replay."""

from __future__ import annotations

import copy

import tensorflow as tf

from tfacme import core, networks
from tfacme.agents.dqn.config import DQNConfig
from tfacme.agents.dqn.networks import DQNNetworks
from tfacme.losses import values


class DQNUpdate(tf.Module):
  """Learns action values from n-step transitions.

  Attributes:
    published: the online network, by which the policy acts.
  """

  def __init__(self, dqn_networks: DQNNetworks, config: DQNConfig):
    super().__init__(name='dqn')
    self._config = config
    self._online = dqn_networks.q
    self._target = copy.deepcopy(dqn_networks.q)
    self._optimizer = networks.Adam(
      self._online.trainable_variables, config.learning_rate, config.adam_epsilon, config.max_gradient_norm
    )
    self.published = {'policy': self._online}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items whose first and last observations count: [B, 2, ...], or [B, T, ...] around a wrapper."""
    config = self._config
    observation = tf.nest.map_structure(lambda x: x[:, 0], batch.steps.observation)
    last_observation = tf.nest.map_structure(lambda x: x[:, -1], batch.steps.observation)
    returns, discount = self._returns(batch)

    # The target: bootstraps from the target network's value of the action that the online network would take.
    target_q = self._target(last_observation)
    selector_q = self._online(last_observation) if config.double else target_q

    # The loss: the Huber size of the errors, weighted against the bias of prioritized sampling.
    weights = values.sampling_weights(config, batch.info, self._optimizer.steps)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(self._optimizer.parameters)
      q = self._online(observation)
      errors = values.double_q_learning(q, batch.steps.action[:, 0], returns, discount, target_q, selector_q)
      loss = tf.reduce_mean(weights * values.huber(errors, config.huber_delta))

    # The step: Adam along the clipped gradient, and then the target follows.
    norm = self._optimizer.apply(tape.gradient(loss, self._optimizer.parameters))
    self._update_target()
    networks.update_normalizers(self, batch.steps.observation)

    priorities = tf.abs(errors) + config.priority_offset
    metrics = {
      'loss': loss,
      'q': tf.reduce_mean(q),
      'td_error': tf.reduce_mean(tf.abs(errors)),
      'gradient_norm': norm,
      'learning_rate': self._optimizer.learning_rate.read_value(),
    }
    return core.UpdateOutput(metrics, priorities if config.priority_exponent else None)

  def _returns(self, batch):
    """The n-step returns [B], and the discounts [B] of the values of the last observations."""
    config = self._config
    rewards = values.clip_rewards(batch.steps.reward, config.max_abs_reward)
    return values.n_step_return(rewards, batch.steps.discount, batch.mask, config.n_step, config.discount)

  def _update_target(self):
    """A copy every so many steps, or a part of the way in each."""
    config = self._config
    if config.target_update_rate is not None:
      networks.follow(self._target, self._online, config.target_update_rate)
    else:
      assert config.target_update_period is not None
      networks.copy_every(self._target, self._online, config.target_update_period, self._optimizer.steps)
