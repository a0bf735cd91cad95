"""Numbers that change as a run goes on."""

from __future__ import annotations

from typing import Tuple, Union

from tfacme import errors

# A constant, or (start, end, steps): linear from start to end over so many steps, and then the end.
Schedule = Union[float, Tuple[float, float, int]]


def value(schedule: Schedule, steps):
  """The value of a schedule after `steps` (an integer tensor []), as a float32 tensor []."""
  import tensorflow as tf  # pylint: disable=g-import-not-at-top

  if not isinstance(schedule, tuple):
    return tf.constant(schedule, tf.float32)
  start, end, length = schedule
  done = tf.minimum(tf.cast(steps, tf.float32) / length, 1.0)
  return start + done * (end - start)


def check(name: str, schedule: Schedule, low: float, high: float) -> None:
  """Raises a `UserError` unless all values of a schedule lie within the bounds."""
  if not isinstance(schedule, (int, float)) and not (isinstance(schedule, tuple) and len(schedule) == 3):
    raise errors.UserError(f'{name} is {schedule!r}, and has to be a number or (start, end, steps).')
  if isinstance(schedule, tuple):
    for end in schedule[:2]:
      errors.in_range(name, end, low=low, high=high)
    errors.count(f'The number of steps of {name}', schedule[2])
  else:
    errors.in_range(name, schedule, low=low, high=high)
