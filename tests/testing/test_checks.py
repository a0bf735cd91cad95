"""The checks of agents find what they are for."""

import dataclasses
import threading

import numpy as np
import pytest
import tensorflow as tf

import tfacme
from tests.contract import layers, on_policy
from tfacme import core, testing


class _Counts:
  """A number that no checkpoint finds, since it is in no `tf.Module`."""

  def __init__(self):
    self.steps = tf.Variable(0.0)


class _Forgetful(on_policy.Update):
  """Learns with a step size that it does not keep."""

  def __init__(self, layer):
    super().__init__(layer)
    self._counts = _Counts()

  def __call__(self, batch):
    rate = 1.0 / (1.0 + self._counts.steps.assign_add(1.0))
    return super().__call__(batch._replace(steps=batch.steps._replace(reward=rate * batch.steps.reward)))


class _Vector(on_policy.Update):
  """Gives a metric of several numbers."""

  def __call__(self, batch):
    output = super().__call__(batch)
    return core.UpdateOutput({'loss': output.metrics['loss'] * tf.ones([2])})


class _Restless:
  """An actor that draws by a generator of its own."""

  version = 0

  def __init__(self, parts):
    self._parts = parts
    self._random = np.random.default_rng()
    self.update = parts.variables.update

  def act(self, observation, first, steps):
    logits = np.zeros((len(first), 2), np.float32)
    return self._random.integers(2, size=len(first)).astype(np.int32), {'logits': logits}


@dataclasses.dataclass(frozen=True)
class _Variant(on_policy.Builder):
  """The toy with another update or actor, and with whatever else."""

  kind: type = on_policy.Update
  acts: type = None
  more: object = None

  def update(self, networks, spec):
    return self.kind(networks)

  def actor(self, parts):
    return self.acts and self.acts(parts)


def _experiment(**fields):
  return tfacme.Experiment(
    _Variant(**fields),
    testing.TwoStates,
    layers.linear,
    tfacme.Budget(actor_steps=300),
    evaluation=tfacme.Evaluation(every=0, episodes=2),
  )


@pytest.mark.slow
def test_an_agent_that_holds_everything(tmp_path):
  testing.check_agent(_experiment(), tmp_path, engines=['inline'])
  assert testing.logs(tmp_path / 'inline')['learner'][-1]['learner_steps'] != '0'


def test_state_that_is_not_saved():
  with pytest.raises(AssertionError, match='The learning step of an update that was restored differ in loss'):
    testing.check_update(_experiment(kind=_Forgetful))


def test_a_metric_of_several_numbers():
  with pytest.raises(Exception, match="metric 'loss' .* is of shape .*, and has to be a scalar"):
    testing.check_update(_experiment(kind=_Vector))


@pytest.mark.slow
def test_an_actor_that_does_not_repeat(tmp_path):
  with pytest.raises(AssertionError, match='Two runs of one seed differ in logs/'):
    testing.check_repeats(_experiment(acts=_Restless), tmp_path)


def test_nodes_that_can_not_be_sent():
  with pytest.raises(AssertionError, match='The node .* can not be pickled: .*lock'):
    testing.check_travels(_experiment(more=threading.Lock()))


def test_an_agent_that_learns_nothing(tmp_path):
  experiment = dataclasses.replace(_experiment(), budget=tfacme.Budget(actor_steps=20))
  with pytest.raises(AssertionError, match='learned nothing'):
    testing.check_runs(experiment, tmp_path)
  with pytest.raises(AssertionError, match='No worker can continue, and nothing was learned'):
    testing.check_update(experiment)
