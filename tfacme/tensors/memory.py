"""Arrays that TensorFlow reads where they lie.

An array that is given to a compiled function is converted, which for a small one costs as much as some operations of
the network. An array whose memory is aligned as TensorFlow's own can be handed over as it is.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

_ALIGNMENT = 64  # bytes; TensorFlow's kernels take it for granted


def aligned_empty(shape: Sequence[int], dtype: Any) -> np.ndarray:
  """An array of aligned memory, with anything in it."""
  dtype = np.dtype(dtype)
  size = dtype.itemsize
  for length in shape:
    size *= length
  memory = np.empty(size + _ALIGNMENT, np.uint8)
  start = -_address(memory) % _ALIGNMENT
  return np.ndarray(tuple(shape), dtype, memory, start)


def as_input(array: np.ndarray) -> Any:
  """What a compiled function takes: a tensor in the array's own memory where that can be, else the array.

  The tensor changes with the array, so the function makes a copy of whatever it keeps beyond the call. This is for
  memory that is written again and again, as a policy's inputs are.
  """
  import tensorflow as tf

  # DLPack has no truth values, and TensorFlow takes no other order of bytes or axes.
  if array.dtype.kind not in 'iuf' or not array.dtype.isnative:
    return array
  if _address(array) % _ALIGNMENT or not array.flags.carray:
    return array
  return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def _address(array: np.ndarray) -> int:
  return array.__array_interface__['data'][0]
