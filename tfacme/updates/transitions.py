"""Transitions, taken out of a batch of items."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from tfacme import configs, core
from tfacme.losses import values


class Transition(NamedTuple):
  """What n steps led to, of each item of a batch."""

  observation: core.Nest  # o_t, [B, ...]
  action: core.Nest  # a_t, [B, ...], as the environment takes it
  returns: tf.Tensor  # the discounted sum of up to n rewards, [B], or [B, K] of rewards with K parts
  discount: tf.Tensor  # of the value of `next_observation`, [B]; 0 after a termination
  next_observation: core.Nest  # o_{t+m}, m <= n steps later, [B, ...]; after a truncation the final observation
  next_action: core.Nest  # a_{t+m}, [B, ...]; zeros where the episode has ended
  next_weight: tf.Tensor  # [B], 0 where a value of `next_action` is asked for and there is none: after a truncation
  extras: core.Nest = ()  # of the row of `observation`, [B, ...]


def n_step_transition(
  batch: core.Batch, config: configs.NStepConfig, max_abs_reward: float = math.inf, reward_scale: float = 1.0
) -> Transition:
  """The n-step transition of each item (Sutton & Barto 2018, section 7.1), shorter where its episode ends.

  An update that learns from the value of the next action (SARSA, one-step offline learning) has to weigh its loss by
  `next_weight`: the row of a final observation holds no action, and after a truncation there is a value to bootstrap
  from, but of no action that was taken.

  Args:
    batch: items of n + 1 rows, whose first and last observations count: [B, 2, ...], or [B, T, ...] around a wrapper.
    config: n and the discount.
    max_abs_reward: rewards are clipped to this size, each before they are summed; inf clips none.
    reward_scale: what they are multiplied with, after that.
  """
  steps = batch.steps
  first = lambda nest: tf.nest.map_structure(lambda x: x[:, 0], nest)
  end = lambda nest: tf.nest.map_structure(lambda x: x[:, -1], nest)
  rewards = values.clip_rewards(steps.reward, max_abs_reward)
  rewards = rewards if reward_scale == 1.0 else reward_scale * rewards
  returns, discount = values.n_step_return(rewards, steps.discount, batch.mask, config.n_step, config.discount)
  return Transition(
    observation=first(steps.observation),
    action=first(steps.action),
    returns=returns,
    discount=discount,
    next_observation=end(steps.observation),
    next_action=end(steps.action),
    next_weight=tf.where(discount > 0.0, batch.mask[:, -1], 1.0),
    extras=first(steps.extras),
  )
