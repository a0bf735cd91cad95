"""What toys share of networks, policies and updates."""

import sonnet as snt
import tensorflow as tf

from tfacme import core, networks, updates


def linear(spec) -> snt.Linear:
  """One layer, which suffices where the cue is shown: from observations [..., 3] to 2 logits and a value [..., 3].

  All of it is zero at first, so that nothing is right by chance.
  """
  layer = snt.Linear(spec.actions.num_values + 1, w_init=snt.initializers.Zeros())
  networks.create_variables(layer, spec.observations)
  return layer


def recurrent(spec) -> snt.RNNCore:
  """From observations [B, 3] and a state to the values of both actions [B, 2] and the next state."""
  core = snt.DeepRNN([snt.GRU(16), snt.Linear(spec.actions.num_values)])
  networks.create_variables(lambda observation: core(observation, core.initial_state(1)), spec.observations)
  return core


class Greedy(networks.MemorylessPolicy):
  """The policy that takes the action of the largest logit, by a `linear` layer."""

  def __init__(self, layer):
    super().__init__()
    self.layer = layer

  def __call__(self, observation, state, context):
    """From observations [B, 3] to actions [B]."""
    return tf.argmax(self.layer(observation)[:, :2], axis=1, output_type=tf.int32), state, ()


class Update(tf.Module):
  """The base of updates that learn one network, by which the policy acts: a subclass says its loss.

  Attributes:
    network: what learns, whose variables exist.
  """

  def __init__(self, network, learning_rate=0.02):
    super().__init__()
    self.network, self._optimizer = network, updates.Adam(network.trainable_variables, learning_rate)
    self.published = {'policy': network}

  def loss(self, batch):
    """From a batch to the loss [] and metrics."""
    raise NotImplementedError

  def __call__(self, batch):
    """One step of Adam along the gradient of the loss."""
    loss, metrics = self._optimizer.minimize(lambda: self.loss(batch)).value
    return core.UpdateOutput({'loss': loss, **metrics})
