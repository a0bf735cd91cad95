"""Optimizers: a step, with its schedule and its clipping, that can be saved before it is first taken."""

from __future__ import annotations

import math
from typing import Any, Callable, NamedTuple, Optional, Sequence, Union

import sonnet as snt
import tensorflow as tf

from tfacme import configs, mistakes, schedules


class Step(NamedTuple):
  """What a gradient step returns."""

  value: Any  # what the loss's function returned
  norm: tf.Tensor  # the global norm of the gradient, before any clipping, []


class Adam(tf.Module):
  """Adam along a clipped gradient, with a step size that may change (Kingma & Ba 2015, algorithm 1).

  Attributes:
    parameters: the variables that it updates.
    steps: how many steps it has taken, int64 [].
    learning_rate: of its last step, float32 [].
  """

  def __init__(
    self,
    parameters: Sequence[tf.Variable],
    learning_rate: schedules.Schedule,
    epsilon: float = 1e-8,
    max_gradient_norm: float = math.inf,
    name: Optional[str] = None,
  ):
    """Initializes the optimizer and its moments.

    Args:
      parameters: the variables that it updates.
      learning_rate: a schedule over its own steps.
      epsilon: added to the root of the second moment.
      max_gradient_norm: gradients of a larger global norm are scaled down to it; inf scales none.
      name: of the module.
    """
    super().__init__(name=name)
    # Once each, though two networks may share a part: it would take two steps otherwise.
    self.parameters = list({id(parameter): parameter for parameter in parameters}.values())
    self.steps = tf.Variable(0, trainable=False, dtype=tf.int64, name='steps')
    self.learning_rate = tf.Variable(0.0, trainable=False, name='learning_rate')
    self._schedule = learning_rate
    self._max_gradient_norm = max_gradient_norm
    self._optimizer = snt.optimizers.Adam(self.learning_rate, epsilon=epsilon)
    # Sonnet creates the moments at the first step: too late to be saved and restored before it.
    self._optimizer._initialize(self.parameters)  # pylint: disable=protected-access

  @classmethod
  def of(
    cls,
    what: Union[tf.Module, Sequence[tf.Variable]],
    config: configs.OptimizerConfig,
    learning_rate: Optional[schedules.Schedule] = None,
  ) -> Adam:
    """An optimizer of a module's variables, or of these variables, from a config.

    Args:
      what: a module whose variables exist, or variables.
      config: its hyperparameters.
      learning_rate: for an agent that has several; None is the config's.
    """
    parameters = what.trainable_variables if isinstance(what, tf.Module) else what
    rate = config.learning_rate if learning_rate is None else learning_rate  # type: ignore[attr-defined]
    return cls(parameters, rate, config.adam_epsilon, config.max_gradient_norm)

  def minimize(self, loss: Callable[[], Any]) -> Step:
    """Takes a step that lowers a loss: the gradient with respect to `parameters`, clipped, and Adam.

    Args:
      loss: returns the loss [], or a tuple that begins with it.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(self.parameters)
      value = loss()
      total = value[0] if isinstance(value, tuple) else value
    if total is None:
      raise mistakes.returned(loss, total, 'a loss, or a tuple that begins with one')
    return Step(value, self.apply(tape.gradient(total, self.parameters)))

  def apply(self, gradients: Sequence[Optional[tf.Tensor]]) -> tf.Tensor:
    """Takes a step along the gradients of `parameters`; returns the global norm that they had, []."""
    norm = tf.linalg.global_norm(gradients)
    if math.isfinite(self._max_gradient_norm):
      gradients, _ = tf.clip_by_global_norm(gradients, self._max_gradient_norm, use_norm=norm)
    self.learning_rate.assign(schedules.value(self._schedule, self.steps))
    self._optimizer.apply(gradients, self.parameters)
    self.steps.assign_add(1)
    return norm
