"""Arrays that TensorFlow reads where they lie."""

import numpy as np
import pytest
import tensorflow as tf

from tfacme.tensors import compiling, memory


@pytest.mark.parametrize('shape', [(), (1,), (3, 5), (64, 2, 200)])
@pytest.mark.parametrize('dtype', [np.uint8, np.int32, np.int64, np.float32, np.float64, np.bool_])
def test_memory_is_aligned(shape, dtype):
  array = memory.aligned_empty(shape, dtype)
  assert (array.shape, array.dtype) == (shape, dtype)
  assert array.ctypes.data % 64 == 0
  array[...] = 1
  assert array.all()


def test_an_aligned_array_is_given_as_it_is():
  array = memory.aligned_empty((2, 3), np.float32)
  array[:] = 1
  tensor = memory.as_input(array)
  assert isinstance(tensor, tf.Tensor)
  array[0, 0] = 5
  assert tensor.numpy().tolist() == [[5, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize(
  'array',
  [
    memory.aligned_empty((4,), np.bool_),
    memory.aligned_empty((4, 16), np.float32).T,
    memory.aligned_empty((17,), np.float32)[1:],
    memory.aligned_empty((4,), np.dtype('>f4')),
  ],
  ids=['truth values', 'other order of axes', 'not aligned', 'other order of bytes'],
)
def test_what_can_not_be_a_tensor_stays_an_array(array):
  assert memory.as_input(array) is array


def test_a_compiled_function_sees_what_was_written_before_the_call():
  compiled = compiling.Compiled(lambda x: x + 1.0, [tf.TensorSpec([2])])
  array = memory.aligned_empty((2,), np.float32)
  given = memory.as_input(array)
  for value in (1.0, 2.0):
    array[:] = value
    assert compiled.flat([given])[0].numpy().tolist() == [value + 1] * 2
