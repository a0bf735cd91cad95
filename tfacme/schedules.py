"""Numbers that change during a run."""

from __future__ import annotations

import contextlib
import contextvars
import fractions
import re
from typing import Any, Iterator, NamedTuple, Optional, Tuple, Union

from tfacme import errors

# A constant, or (start, end, length): linear from start to end, and then the end. Its length is a number of the steps
# that the schedule is over (its user says which), or a share of the run: '50%' ends when half of the run's budget is
# spent. Such a schedule stays the same if the run is extended, and follows the new budget.
Schedule = Union[float, Tuple[float, float, Union[int, str]]]

_SHARE = re.compile(r'(\d+(?:\.\d+)?)%')


class _Run(NamedTuple):
  """How far a run has come, while a graph is traced that learns or acts in it."""

  steps: Any  # int64 tensor [], in the unit of its budget
  budget: int


_run: contextvars.ContextVar[Optional[_Run]] = contextvars.ContextVar('run', default=None)


@contextlib.contextmanager
def in_run(steps: Any, budget: Optional[int]) -> Iterator[None]:
  """Within it, schedules may end at a share of the run.

  Args:
    steps: of the run so far, an integer tensor [], in the unit of its budget.
    budget: at how many of them it ends; None if there is no run, and no share of one.
  """
  token = _run.set(None if budget is None else _Run(steps, budget))
  try:
    yield
  finally:
    _run.reset(token)


def value(schedule: Schedule, steps: Any) -> Any:
  """The value of a schedule after `steps` (an integer tensor []), as a float32 tensor [].

  Raises:
    errors.UserError: if it ends at a share of the run, and there is no run.
  """
  import tensorflow as tf

  if not isinstance(schedule, tuple):
    return tf.constant(schedule, tf.float32)
  start, end, length = schedule
  if isinstance(length, str):
    run = _run.get()
    if run is None:
      raise errors.UserError(
        f'The schedule {schedule} ends at a share of a run, and there is none here; give it a number of steps.'
      )
    # As exact as a number of steps: the product is rounded once.
    steps, length = run.steps, float(_share(length) * run.budget)
  done = tf.minimum(tf.cast(steps, tf.float32) / length, 1.0)
  return start + done * (end - start)


def check(name: str, schedule: Schedule, low: float, high: float) -> None:
  """Raises a `UserError` unless all values of a schedule lie within the bounds."""
  if not isinstance(schedule, (int, float)) and not (isinstance(schedule, tuple) and len(schedule) == 3):
    raise errors.UserError(
      f"{name} is {schedule!r}, and has to be a number, (start, end, steps), or (start, end, '50%') of the run."
    )
  if not isinstance(schedule, tuple):
    errors.in_range(name, schedule, low=low, high=high)
    return
  for end in schedule[:2]:
    errors.in_range(name, end, low=low, high=high)
  length = schedule[2]
  if not isinstance(length, str):
    errors.count(f'The number of steps of {name}', length)
  elif not (_SHARE.fullmatch(length) and 0 < _share(length) <= 1):
    raise errors.UserError(
      f"{name} ends at {length!r}, and has to end after a number of steps, or at a share of the run, such as '50%'."
    )


def _share(length: str) -> fractions.Fraction:
  return fractions.Fraction(length.rstrip('%')) / 100
