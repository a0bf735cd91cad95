"""What the references of agents with memory have in common."""

import jax
import jax.numpy as jnp
import numpy as np
import sonnet as snt

from tfacme import core

BATCH, FEATURES, LSTM = 4, 4, 5


def batch(seed, length, draw_actions):
  """Padded sequences: whole, terminated and truncated ones, from states on the way.

  Args:
    seed: of all that is random.
    length: of a sequence, in rows.
    draw_actions: from random numbers and the rows that have one, bool [B, T], to the actions.
  """
  rng = np.random.RandomState(seed)
  rows = (BATCH, length)
  real = np.arange(length) < rng.randint(2, length + 2, size=BATCH)[:, None]
  observation = rng.randn(*rows, FEATURES).astype(np.float32)
  for i in range(BATCH):  # Padding repeats the final observation.
    end = int(real[i].sum())
    observation[i, end:] = observation[i, min(end, length - 1)]
  state = snt.LSTMState(*(rng.randn(BATCH, 1, LSTM).astype(np.float32) for _ in range(2)))
  steps = core.Step(
    observation=observation,
    action=draw_actions(rng, real),
    reward=(10.0 * rng.randn(*rows) * real).astype(np.float32),
    discount=(real * rng.choice([0.0, 1.0], p=[0.1, 0.9], size=rows)).astype(np.float32),
    first=np.zeros(rows, bool),
    last=~real,
    extras={'state': state},
  )
  zeros = np.zeros(BATCH, np.int64)
  probability = rng.uniform(0.001, 0.1, BATCH).astype(np.float32)
  info = core.Info(zeros.astype(np.uint64), probability, zeros + 100, zeros, zeros)
  return core.Batch(steps, real.astype(np.float32), info)


def lstm(weights, x, hidden, cell):
  """The next hidden and cell states [..., H] of an LSTM for features [..., F] (Hochreiter & Schmidhuber 1997)."""
  i, f, g, o = jnp.split(x @ weights['lstm/w_i'] + hidden @ weights['lstm/w_h'] + weights['lstm/b'], 4, axis=-1)
  cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
  return jax.nn.sigmoid(o) * jnp.tanh(cell), cell


def named(network, parts):
  """The trainable variables of a network by short names: the first of these parts that is in a name, and its end."""
  found = {}
  for variable in network.trainable_variables:
    part = next(part for part in parts if part in variable.name)
    found[f'{part}/{variable.name.split("/")[-1].split(":")[0]}'] = variable
  return found
