"""On which devices TensorFlow computes: GPUs are for those who ask for them, and all others leave them alone."""

from __future__ import annotations

import contextlib
import functools
from typing import Callable, ContextManager

import tensorflow as tf

CPU = '/CPU:0'


def prepare(gpus: bool) -> None:
  """Prepares this process, before TensorFlow has computed anything in it.

  TensorFlow would take all memory of all GPUs that it sees, in each process.

  Args:
    gpus: whether anybody in this process computes on GPUs, whose memory is then taken as it is needed; if not,
      TensorFlow does not see them.
  """
  try:
    if gpus:
      for gpu in tf.config.get_visible_devices('GPU'):
        tf.config.experimental.set_memory_growth(gpu, True)
    else:
      tf.config.set_visible_devices([], 'GPU')
  except RuntimeError:
    pass  # TensorFlow has computed before, as in a notebook: then it stays as it was there.


def context(gpus: bool) -> Callable[[], ContextManager[object]]:
  """What makes contexts in which a thread computes on the CPU, unless it is to compute on GPUs, or sees none."""
  if gpus or not tf.config.get_visible_devices('GPU'):
    return contextlib.nullcontext
  return functools.partial(tf.device, CPU)
