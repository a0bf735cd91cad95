"""How a client of the learner keeps a policy up to date."""

import pickle
import threading
import types

import cloudpickle
import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from tfacme import errors
from tfacme.graph import remote
from tfacme.workers import saved, variables


def test_what_is_published_has_to_be_a_part_of_the_update():
  class Update(tf.Module):
    published = {'policy': tf.Variable(0.0)}

  with pytest.raises(errors.UserError, match="^Update publishes 'policy', and variable of it is where no checkpoint"):
    saved.layout(Update(), None, variables.published(Update()))


class Source:
  """Serves the step count as the value of all variables."""

  def __init__(self, size=3):
    self.steps = 0
    self.asked = 0
    self._size = size

  def get(self, names, newer_than):
    self.asked += 1
    assert names == ['policy']
    if self.steps <= newer_than:
      return None
    return self.steps, [{'value': tf.fill([self._size], float(self.steps))}]


class Module(snt.Module):
  """Has one variable."""

  def __init__(self):
    super().__init__()
    self.value = tf.Variable(np.full(3, -1, np.float32))


def test_the_first_values_are_waited_for_and_then_every_so_often():
  source, module = Source(), Module()
  client = variables.VariableClient(source, module, period=3)
  assert client.version == -1
  seen = []
  for step in range(7):
    source.steps = step
    client.update()
    seen.append((client.version, module.value.numpy()[0]))
  assert seen == [(0, 0), (0, 0), (0, 0), (3, 3), (3, 3), (3, 3), (6, 6)]
  assert source.asked == 3


def test_what_is_not_newer_is_not_taken():
  source, module = Source(), Module()
  client = variables.VariableClient(source, module)
  client.update()
  module.value.assign([7.0, 7.0, 7.0])
  client.update()
  assert source.asked == 2 and module.value.numpy().tolist() == [7, 7, 7]


def test_other_shapes_are_an_error():
  client = variables.VariableClient(Source(size=4), Module())
  with pytest.raises(
    errors.UserError, match=r"pulls 'policy', where value has the shape \(4,\), and has \(3,\) itself"
  ):
    client.update()


# --- By name ---


class Two(tf.Module):
  """Has two variables of one shape."""

  def __init__(self, a=0.0, b=0.0, order='ab'):
    super().__init__()
    for name in order:
      setattr(self, name, tf.Variable({'a': a, 'b': b}[name]))


class Publishing(tf.Module):
  """Serves what it publishes as a learner does."""

  def __init__(self, networks=None, **published):
    super().__init__()
    self.published = published
    self._networks = networks

  def get(self, names, newer_than):
    del newer_than
    given = variables.published(self, self._networks)
    return 1, [{n: v.read_value() for n, v in given[name].items()} for name in names]


def _pulled(source, policy, networks=None):
  variables.check(source, policy, networks)
  variables.VariableClient(source, policy, networks).update()
  return policy


def test_variables_of_one_shape_are_not_swapped():
  policy = _pulled(Publishing(policy=Two(a=1.0, b=2.0)), Two(order='ba'))
  assert (policy.a.numpy(), policy.b.numpy()) == (1, 2)


def test_a_policy_around_a_network_finds_its_variables_by_their_places_there():
  class Around(tf.Module):
    def __init__(self, network):
      super().__init__()
      self._aside, self._network = network.b, [network]

  learned, acting = {'q': Two(a=1.0, b=2.0)}, {'q': Two()}
  source = Publishing(networks=learned, policy=learned['q'])
  client = variables.VariableClient(source, Around(acting['q']), acting)
  client.update()
  assert (acting['q'].a.numpy(), acting['q'].b.numpy()) == (1, 2)


def test_a_policy_may_pull_something_else():
  policy = Two()
  policy.pulls = 'average'
  _pulled(Publishing(policy=Two(a=1.0, b=2.0), average=Two(a=3.0, b=4.0)), policy)
  assert (policy.a.numpy(), policy.b.numpy()) == (3, 4)


def test_what_a_policy_does_not_find_is_one_sentence():
  policy = Two()
  policy.pulls = 'average'
  with pytest.raises(errors.UserError, match="Two pulls 'average', and Publishing publishes policy\\."):
    variables.check(Publishing(policy=Two()), policy, None)
  other = tf.Module()
  other.a, other.c = tf.Variable(0.0), tf.Variable(0.0)
  with pytest.raises(errors.UserError, match="Two pulls 'policy', and acts by variables .* b, in place of c;"):
    variables.check(Publishing(policy=other), Two(), None)
  other.b = tf.Variable([0.0])
  with pytest.raises(errors.UserError, match=r'where b has the shape \(1,\), and has \(\) itself'):
    variables.check(Publishing(policy=other), Two(), None)


def test_values_of_one_version_are_packed_once():
  looked = []

  class Value:
    def __array__(self, dtype=None):
      looked.append(self)
      return np.arange(3)

  answer = variables.Answer(7, [{'a': Value(), 'b': Value()}])
  answers = []
  endpoint = remote.Endpoint(types.SimpleNamespace(get=lambda: answer))
  request = cloudpickle.dumps(('get', ()))
  threads = [threading.Thread(target=lambda: answers.append(endpoint.call(request))) for _ in range(16)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert len(looked) == 2 and len(answers) == 16 and len(set(map(id, answers))) == 1
  fine, (version, (values,)) = pickle.loads(answers[0])
  assert fine and version == 7 and type(values) is dict
  assert {name: value.tolist() for name, value in values.items()} == {'a': [0, 1, 2], 'b': [0, 1, 2]}
