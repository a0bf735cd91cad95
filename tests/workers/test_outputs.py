"""What an update returns is held against the contract, by a sentence that names the thing."""

from __future__ import annotations

import types

import pytest
import tensorflow as tf

from tfacme import core, errors
from tfacme.workers import outputs


class Learning(tf.Module):
  """Stands for an update; the class is defined here, and its `__call__` nowhere."""


def _batch(size):
  return types.SimpleNamespace(info=types.SimpleNamespace(age=tf.zeros([size], tf.int64)))


def _check(metrics=None, priorities=None, batch=None):
  output = core.UpdateOutput({'loss': tf.zeros([])} if metrics is None else metrics, priorities)
  return outputs.check(Learning(), output, batch or _batch(4))


def test_what_keeps_to_it_is_given_back():
  output = _check({'loss': tf.zeros([]), 'share': 0.5, 'steps': tf.Variable(3)}, tf.ones([4]))
  assert sorted(output.metrics) == ['loss', 'share', 'steps']


@pytest.mark.parametrize(
  'output, says',
  [
    (None, r'^Learning \(.*test_outputs.py, line \d+\) returned None, and has to return a core.UpdateOutput[.]$'),
    (
      {'loss': 0.0},
      r'^Learning \(.*test_outputs.py, line \d+\) returned a dict, and has to return a core.UpdateOutput[.]$',
    ),
    (
      core.UpdateOutput(tf.zeros([])),
      r'^The metrics of Learning \(.*\) are .*, and have to be a dict of scalars by name[.]$',
    ),
  ],
)
def test_what_is_no_output(output, says):
  with pytest.raises(errors.UserError, match=says):
    outputs.check(Learning(), output, _batch(4))


@pytest.mark.parametrize(
  'value, found', [(tf.zeros([4]), r'of shape \(4,\)'), (tf.zeros([1]), r'of shape \(1,\)'), (None, 'None')]
)
def test_a_metric_that_is_no_scalar(value, found):
  with pytest.raises(
    errors.UserError, match=f"^The metric 'td_error' of Learning \\(.*\\) is {found}, and has to be a scalar, such"
  ):
    _check({'loss': tf.zeros([]), 'td_error': value})


@pytest.mark.parametrize('priorities', [tf.ones([3]), tf.ones([4, 1]), tf.ones([])])
def test_priorities_of_the_wrong_length(priorities):
  with pytest.raises(
    errors.UserError, match=r'^The priorities of Learning \(.*\) are of shape .*, and have to be of shape \(4,\)'
  ):
    _check(priorities=priorities)


def test_priorities_of_batches_side_by_side():
  batch = {'own': _batch(4), 'agent': {'replay': _batch(2), 'expert': _batch(3)}}
  _check(priorities={'own': tf.ones([4]), 'agent': {'replay': tf.ones([2]), 'expert': None}}, batch=batch)
  for priorities, says in (
    (tf.ones([4]), 'are a EagerTensor, and have to be a dict of those of own, agent'),
    ({'own': tf.ones([2])}, r"in 'own', are of shape \(2,\), and have to be of shape \(4,\)"),
    ({'agent': {'replay': tf.ones([3])}}, r"in 'agent',, in 'replay', are of shape"),
    ({'owm': tf.ones([4])}, "There is no source of batches 'owm'; did you mean own"),
  ):
    with pytest.raises(errors.UserError, match=says):
      _check(priorities=priorities, batch=batch)
  with pytest.raises(errors.UserError, match=r'are a dict, and have to be an array \[B\]'):
    _check(priorities={'own': tf.ones([4])})
