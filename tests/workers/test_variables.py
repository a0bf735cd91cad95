"""How a client of the learner keeps a policy up to date."""

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from tfacme.workers import variables


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
    return self.steps, [[tf.fill([self._size], float(self.steps))]]


class Module(snt.Module):
  """Has one variable."""

  def __init__(self):
    super().__init__()
    self.value = tf.Variable(np.full(3, -1, np.float32))


def test_the_first_values_are_waited_for_and_then_every_so_often():
  source, module = Source(), Module()
  client = variables.VariableClient(source, 'policy', module, period=3)
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
  client = variables.VariableClient(source, 'policy', module)
  client.update()
  module.value.assign([7.0, 7.0, 7.0])
  client.update()
  assert source.asked == 2 and module.value.numpy().tolist() == [7, 7, 7]


def test_other_shapes_are_an_error():
  client = variables.VariableClient(Source(size=4), 'policy', Module())
  with pytest.raises(ValueError, match=r'\(4,\).*in the learner, and .*\(3,\)'):
    client.update()
