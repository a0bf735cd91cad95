"""`tf.train.Example` by columns, against the classes that TensorFlow generates for it."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfacme.datasets import examples

integers = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 300))
floats = st.lists(st.floats(width=32, allow_nan=False))
byte_strings = st.lists(st.binary(max_size=300))


def _message(ints, numbers, strings):
  message = tf.train.Example()
  message.features.feature['ints'].int64_list.value.extend(ints)
  message.features.feature['a/floats'].float_list.value.extend(numbers)
  message.features.feature['strings'].bytes_list.value.extend(strings)
  return message


@given(integers, floats, byte_strings)
def test_encodes_what_tensorflow_reads(ints, numbers, strings):
  columns = {'ints': np.array(ints, np.int64), 'a/floats': np.array(numbers, np.float32), 'strings': strings}
  assert tf.train.Example.FromString(examples.encode(columns)) == _message(ints, numbers, strings)


@given(integers, floats, byte_strings)
def test_decodes_what_tensorflow_writes(ints, numbers, strings):
  data = _message(ints, numbers, strings).SerializeToString()
  columns = examples.decode(data)
  one = sorted(columns)[0]
  assert list(examples.decode(data, {one, 'other'})) == [one]
  assert columns['ints'].dtype == np.int64 and columns['ints'].tolist() == ints
  assert columns['a/floats'].dtype == np.float32 and columns['a/floats'].tolist() == numbers
  assert columns['strings'] == strings


@pytest.mark.parametrize('dtype', [np.bool_, np.uint8, np.int32, np.uint64, np.float16])
def test_types_that_are_stored_as_others(dtype):
  values = np.array([[0, 1, 1], [1, 0, 0]], dtype)
  decoded = examples.decode(examples.encode({'x': values}))['x']
  assert decoded.dtype == (np.float32 if dtype == np.float16 else np.int64)
  np.testing.assert_array_equal(decoded, values.ravel())


def test_uint64_keeps_its_bits():
  values = np.array([2**64 - 1, 2**63], np.uint64)
  np.testing.assert_array_equal(examples.decode(examples.encode({'x': values}))['x'].astype(np.uint64), values)


@pytest.mark.parametrize('data', [b'\xff\xff', b'\n\x05\n\x09\n'])
def test_what_is_no_example_is_an_error(data):
  with pytest.raises(ValueError, match='no tf.train.Example'):
    examples.decode(data)
