"""The pickle of an experiment in a run's folder: other processes make its environments and learners of it."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import cloudpickle

from tfacme import errors, experiments

_LARGE = 1 << 24  # bytes; what is larger when it is pickled, and only learning needs, is not kept


def write(path: str, experiment: experiments.Experiment) -> None:
  """Writes an experiment into a file, which is there whole or not at all; without recorded data that are large.

  Raises:
    UserError: it can't be pickled.
  """
  kept = _without_large_data(experiment)
  try:
    packed = cloudpickle.dumps(kept)
  except Exception as error:
    raise errors.UserError(
      f'{_culprit(kept)} can not be pickled: {error}; keep open files, locks and generators out of it.'
    ) from error
  with open(path + '.partial', 'wb') as file:
    file.write(packed)
  os.replace(path + '.partial', path)


def read(path: str) -> experiments.Experiment:
  """The experiment that a run has written into a file."""
  with open(path, 'rb') as file:
    packed = file.read()
  try:
    return cloudpickle.loads(packed)
  except ModuleNotFoundError as error:
    raise errors.UserError(
      f'The experiment of {os.path.dirname(path)} is from the module {error.name!r}, which can not be found; run in '
      'its folder, or install its package.'
    ) from error


def _without_large_data(experiment: experiments.Experiment) -> experiments.Experiment:
  """The experiment, without what only learning needs where that is large."""
  builder, dataset, prefill = experiment.builder, experiment.dataset, experiment.prefill
  return dataclasses.replace(
    experiment,
    builder=builder if _is_small(builder) else builder.for_acting(),
    dataset=dataset if _is_small(dataset) else None,
    prefill=prefill if _is_small(prefill) else None,
  )


def _culprit(experiment: experiments.Experiment) -> str:
  """What of an experiment can't be pickled."""
  for field in dataclasses.fields(experiment):
    try:
      cloudpickle.dumps(getattr(experiment, field.name))
    except Exception:
      return f'The {field.name} of the experiment'
  return 'The experiment'


def _is_small(part: Any) -> bool:
  """Whether something is little when it is pickled; of what is large, no more is pickled than shows that."""
  try:
    cloudpickle.dump(part, _Scales())
  except _LargeError:
    return False
  except Exception:  # What can't be pickled is told of where it is to be kept.
    return True
  return True


class _LargeError(Exception):
  """More was written than is small."""


class _Scales:
  """A file that weighs what is written into it, and keeps none of it."""

  def __init__(self):
    self._bytes = 0

  def write(self, data: Any) -> None:
    """Weighs it."""
    self._bytes += memoryview(data).nbytes
    if self._bytes > _LARGE:
      raise _LargeError()
