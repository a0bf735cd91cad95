"""On which devices TensorFlow computes: GPUs are for those who ask for them, and all others leave them alone."""

from __future__ import annotations

import contextlib
import functools
import logging
from typing import Callable, ContextManager

import tensorflow as tf

CPU = '/CPU:0'
_LOG = logging.getLogger('tfacme')
_hidden = False  # by a run of this process, and not by who runs it


def prepare(gpus: bool) -> None:
  """Prepares this process, before TensorFlow has computed anything in it; after that it stays as it was.

  Args:
    gpus: whether anybody in this process computes on GPUs; if not, TensorFlow does not see them.
  """
  global _hidden
  try:
    if not gpus and tf.config.get_visible_devices('GPU'):
      tf.config.set_visible_devices([], 'GPU')
      _hidden = True
    elif gpus and _hidden:
      tf.config.set_visible_devices(tf.config.list_physical_devices('GPU'), 'GPU')
      _hidden = False
  except RuntimeError:
    if gpus:
      _LOG.warning(
        'An earlier run of this process has hidden its GPUs: it computes on processors; begin a new process.'
      )


def context(gpus: bool) -> Callable[[], ContextManager[object]]:
  """What makes contexts in which a thread computes on the CPU, unless it is to compute on GPUs, or sees none."""
  if gpus or not tf.config.get_visible_devices('GPU'):
    return contextlib.nullcontext
  return functools.partial(tf.device, CPU)
