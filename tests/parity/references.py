"""What the references of all parity tests are made of, in plain numpy."""

import numpy as np
import tensorflow as tf

from tfacme import networks


def at(schedule, steps):
  """The value of a schedule."""
  if not isinstance(schedule, tuple):
    return schedule
  start, end, length = schedule
  return start + min(steps / length, 1) * (end - start)


class Adam:
  """Adam with clipping, on a list of weights (Kingma & Ba 2015, algorithm 1)."""

  def __init__(self, weights, learning_rate, epsilon, max_norm=np.inf):
    self.learning_rate, self.epsilon, self.max_norm, self.t = learning_rate, epsilon, max_norm, 0
    self.m, self.v = ([np.zeros_like(w) for w in weights] for _ in range(2))

  def step(self, weights, gradients):
    """The next weights."""
    norm = np.sqrt(sum(np.sum(np.square(g)) for g in gradients))
    gradients = [g * min(1.0, self.max_norm / norm) for g in gradients]
    rate, self.t = at(self.learning_rate, self.t), self.t + 1
    self.m = [0.9 * m + 0.1 * g for m, g in zip(self.m, gradients)]
    self.v = [0.999 * v + 0.001 * g**2 for v, g in zip(self.v, gradients)]
    moments = [(m / (1 - 0.9**self.t), v / (1 - 0.999**self.t)) for m, v in zip(self.m, self.v)]
    return [w - rate * m / (np.sqrt(v) + self.epsilon) for w, (m, v) in zip(weights, moments)]


SEED = 7  # of what a compiled update draws: its n-th draw is (SEED, n)


def compiled(update):
  """An update as a learner calls it, compiled."""
  random = networks.Randomness(SEED)

  @tf.function(autograph=False)
  def step(batch):
    with random.step():
      return update(batch)

  return step


def disturb(variables, seed=0):
  """Moves all weights, biases too, so that a mistake in any of them shows."""
  rng = np.random.RandomState(seed)
  for variable in variables:
    variable.assign(variable + 0.1 * rng.randn(*variable.shape))


def layers(weights, x, activation):
  """Fully connected layers from weights in the order bias, matrix, bias, matrix, ...; none after the last."""
  pairs = list(zip(weights[::2], weights[1::2]))
  for i, (bias, matrix) in enumerate(pairs):
    x = x @ matrix + bias
    x = activation(x) if i < len(pairs) - 1 else x
  return x
