"""One learning step of PPO (Schulman et al. 2017, "Proximal policy optimization algorithms", algorithm 1)."""

from __future__ import annotations

import math
from typing import Dict, NamedTuple

import tensorflow as tf

from tfacme import core, networks, schedules, updates
from tfacme.agents.ppo.config import PPOConfig
from tfacme.agents.ppo.networks import PPONetworks
from tfacme.losses import policy_gradient

_METRICS = ('loss', 'policy_loss', 'value_loss', 'entropy', 'kl', 'clipped', 'gradient_norm')


class _Transitions(NamedTuple):
  """What is learned from, each [N, ...]."""

  observation: core.Nest
  sample: core.Nest
  log_prob: tf.Tensor  # when it was taken
  advantage: tf.Tensor
  value: tf.Tensor  # before this learning step, as the network gives it
  target: tf.Tensor  # of the value, as the network should give it
  mask: tf.Tensor


class PPOUpdate(tf.Module):
  """Learns a policy and its values from segments of streams, going over them several times.

  Attributes:
    published: the policy.
  """

  def __init__(self, ppo_networks: PPONetworks, config: PPOConfig):
    super().__init__(name='ppo')
    self._config = config
    self._policy = ppo_networks.policy
    self._value = ppo_networks.value
    self._targets = networks.Normalizer((), config.value_decay) if config.normalize_values else None
    parameters = [*self._policy.trainable_variables, *self._value.trainable_variables]  # type: ignore[attr-defined]
    self._optimizer = updates.Adam.of(parameters, config)
    self.published = {'policy': self._policy}

  def __call__(self, batch: core.Batch) -> core.UpdateOutput:
    """Learns from items of unroll_length + 1 rows: observations [B, T + 1, ...]."""
    transitions = self._transitions(batch)
    metrics = self._epochs(transitions)
    networks.update_normalizers(self, batch.steps.observation)
    metrics.update(value=policy_gradient.masked_mean(transitions.value, transitions.mask))
    return core.UpdateOutput(metrics)

  def _transitions(self, batch: core.Batch) -> _Transitions:
    """All transitions of a batch, with their advantages by the values as they are now."""
    config, steps = self._config, batch.steps
    flat = tf.nest.map_structure(lambda x: tf.reshape(x, [-1, *x.shape[2:]]), steps.observation)
    raw = tf.reshape(self._value(flat), batch.mask.shape)
    mask = batch.mask[:, :-1]
    advantages, targets = policy_gradient.generalized_advantages(
      steps.reward[:, :-1],
      steps.discount[:, :-1],
      self._targets.inverse(raw) if self._targets else raw,
      mask,
      config.discount,
      config.gae_lambda,
    )
    if self._targets:
      self._targets.update(tf.reshape(targets, [-1]), tf.reshape(mask, [-1]))
      targets = self._targets(targets)
    rows = tf.nest.map_structure(lambda x: x[:, :-1], (steps.observation, steps.extras, raw))
    observation, extras, value = rows
    every = _Transitions(observation, extras['sample'], extras['log_prob'], advantages, value, targets, mask)
    return tf.nest.map_structure(lambda x: tf.reshape(x, [-1, *x.shape[2:]]), every)

  def _epochs(self, transitions: _Transitions) -> Dict[str, tf.Tensor]:
    """Goes over the transitions in a new order in each epoch; the mean metrics of the last one."""
    config = self._config
    count, seed = transitions.mask.shape[0], networks.draw()
    size = count // config.minibatches

    def epoch(number: tf.Tensor, metrics: tf.Tensor):
      del metrics
      own = networks.fold(seed, number)
      order = tf.random.experimental.stateless_shuffle(tf.range(count), own)

      def minibatch(part: tf.Tensor, sums: tf.Tensor):
        with networks.drawing(networks.fold(own, part)):
          return part + 1, sums + self._step(transitions, order[part * size : (part + 1) * size])

      _, sums = tf.while_loop(
        lambda part, sums: part < config.minibatches,
        minibatch,
        (0, tf.zeros(len(_METRICS))),
        maximum_iterations=config.minibatches,
      )
      return number + 1, sums / config.minibatches

    start = (0, tf.zeros(len(_METRICS)))
    _, metrics = tf.while_loop(lambda number, metrics: number < config.epochs, epoch, start)
    return dict(zip(_METRICS, tf.unstack(metrics)))

  def _step(self, transitions: _Transitions, chosen: tf.Tensor) -> tf.Tensor:
    """A step of Adam on a minibatch; its metrics [M]."""
    config = self._config
    part = tf.nest.map_structure(lambda x: tf.gather(x, chosen), transitions)
    clip = schedules.value(config.clip, self._optimizer.steps)
    advantage = part.advantage
    if config.normalize_advantages:
      advantage = policy_gradient.standardize(advantage, part.mask)
    mean = lambda x: policy_gradient.masked_mean(x, part.mask)

    def loss():
      distribution = networks.evaluate(self._policy, part.observation)
      log_ratio = distribution.log_prob(part.sample) - part.log_prob
      log_ratio = tf.where(part.mask > 0, log_ratio, 0.0)  # Before any power of it: what is masked may be huge.
      policy_loss = -mean(policy_gradient.clipped_surrogate(log_ratio, advantage, clip))  # Equation 7.
      value_loss = 0.5 * mean(self._value_errors(part))
      entropy = mean(distribution.entropy())
      total = policy_loss + config.value_cost * value_loss - config.entropy_cost * entropy  # Equation 9.
      return total, policy_loss, value_loss, entropy, log_ratio

    (*losses, log_ratio), norm = self._optimizer.minimize(loss)
    kl = mean(tf.exp(log_ratio) - 1.0 - log_ratio)  # Schulman 2020, "Approximating KL divergence": k3.
    clipped = mean(tf.cast(tf.abs(tf.exp(log_ratio) - 1.0) > clip, tf.float32))
    return tf.stack([*losses, kl, clipped, norm])

  def _value_errors(self, part: _Transitions) -> tf.Tensor:
    """Squared errors [N]; with a clip, the larger of those with and without."""
    value, limit = self._value(part.observation), self._config.value_clip
    errors = (value - part.target) ** 2
    if math.isinf(limit):
      return errors
    near = part.value + tf.clip_by_value(value - part.value, -limit, limit)
    return tf.maximum(errors, (near - part.target) ** 2)
