"""Initial values are a function of the seed, and of nothing else."""

import hashlib
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import networks
from tfacme.networks import seeding

_OBSERVATION = dm_specs.Array((5,), np.float32)


def _values(seed):
  """The initial values of two modules made one after the other."""
  with networks.seeded(seed):
    modules = [snt.nets.MLP([4, 3]) for _ in range(2)]
    for module in modules:
      networks.create_variables(module, _OBSERVATION)
  return [[variable.numpy() for variable in module.variables] for module in modules]


def _digest(seed):
  return hashlib.sha256(b''.join(value.tobytes() for module in _values(seed) for value in module)).hexdigest()


def test_the_same_seed_gives_the_same_bits():
  assert _digest(3) == _digest(3)


def test_the_same_seed_gives_the_same_bits_in_another_process():
  program = (
    f'import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import test_seeding as t; print(t._digest(3))'
  )
  environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
  output = subprocess.run([sys.executable, '-c', program], env=environment, capture_output=True, check=True, text=True)
  assert output.stdout.split() == [_digest(3)]


class Several(snt.Module):
  """Makes variables in each of the ways there are: Sonnet's, Keras', in a function of its own, and by hand."""

  def __init__(self):
    super().__init__()
    self.first, self.keras, self.last = snt.Linear(4), tf.keras.layers.Dense(3, name='dense'), snt.Linear(2)
    self.given = tf.Variable(3.0)

  def __call__(self, inputs):
    hidden = self.keras(self.first(inputs))
    if not hasattr(self, 'drawn'):
      self.drawn = tf.Variable(lambda: tf.random.normal([3]), trainable=False, name='drawn')
    return self._within(hidden + self.drawn)

  @tf.function(autograph=False)
  def _within(self, inputs):
    return self.last(inputs)


def _told(module):
  return [(variable.name, variable.trainable, variable.numpy().tobytes()) for variable in module.variables]


def test_the_values_are_those_that_a_function_of_tensorflow_would_give():
  module, reference = Several(), Several()
  with networks.seeded(5):
    output = networks.create_variables(module, _OBSERVATION)
  with networks.seeded(5):
    seed = seeding.next_seed()

    @tf.function(autograph=False)
    def trace():
      tf.random.set_seed(seed)
      return reference(tf.zeros([1, 5]))

    trace.get_concrete_function()
  assert output == tf.TensorSpec([1, 2])
  assert len(_told(module)) == 8 and _told(module) == _told(reference)


def test_other_seeds_and_other_modules_differ():
  (first, second), (other, _) = _values(3), _values(4)
  assert not np.any(first[1] == other[1])
  assert not np.any(first[1] == second[1])


def test_without_a_seed_values_are_random():
  modules = [snt.Linear(3), snt.Linear(3)]
  for module in modules:
    networks.create_variables(module, _OBSERVATION)
  assert not np.any(modules[0].w.numpy() == modules[1].w.numpy())


def test_the_global_seed_is_untouched():
  tf.random.set_seed(7)
  expected = tf.random.uniform([3]).numpy()
  tf.random.set_seed(7)
  _values(3)
  np.testing.assert_array_equal(tf.random.uniform([3]), expected)


def test_the_global_seed_does_not_matter():
  tf.random.set_seed(1)
  first = _digest(3)
  tf.random.set_seed(2)
  assert _digest(3) == first


def test_the_output_spec():
  class Module(snt.Module):
    def __init__(self):
      super().__init__()
      self.linear = snt.Linear(2)

    def __call__(self, observation, action):
      return {'out': self.linear(tf.concat([observation['a'], action], axis=1)), 'size': tf.shape(action)[0]}

  output = networks.create_variables(Module(), {'a': _OBSERVATION}, dm_specs.Array((2,), np.float32))
  assert output == {'out': tf.TensorSpec((1, 2), tf.float32), 'size': tf.TensorSpec((), tf.int32)}


def test_the_output_spec_of_a_distribution():
  tfp = pytest.importorskip('tensorflow_probability')

  def module(x):
    return tfp.distributions.MultivariateNormalDiag(x)

  assert networks.create_variables(module, _OBSERVATION) == tf.TensorSpec((1, 5), tf.float32)


def test_variables_that_exist_are_left_alone():
  module = snt.Linear(3)
  networks.create_variables(module, _OBSERVATION)
  before = module.w.numpy()
  assert networks.create_variables(module, _OBSERVATION).shape == (1, 3)
  np.testing.assert_array_equal(module.w, before)


def test_the_module_does_not_run():
  runs = tf.Variable(0)
  networks.create_variables(lambda x: runs.assign_add(1) + 0 * tf.cast(x[0, 0], tf.int32), _OBSERVATION)
  assert runs.numpy() == 0


def _functional():
  inputs = tf.keras.Input([3])
  return tf.keras.Model(inputs, tf.keras.layers.Dense(4)(inputs))


def test_initial_values_of_keras_are_a_function_of_the_seed():
  values = []
  before = random.getstate()
  for seed in (1, 1, 2):
    with networks.seeded(seed):
      model = tf.keras.Sequential([tf.keras.layers.Dense(4), tf.keras.layers.Dense(4)])
      networks.create_variables(model, tf.TensorSpec([4]))
      values.append([v.numpy().tolist() for v in [*model.variables, *_functional().variables]])
  assert values[0] == values[1] != values[2]
  assert values[0][0] != values[0][2]
  assert random.getstate() == before
