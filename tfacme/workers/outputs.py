"""What an update returns, held against the contract while it is traced: later it would be an operation's error."""

from __future__ import annotations

from typing import Any, Mapping

import tensorflow as tf

from tfacme import core, errors, mistakes


def check(update: core.Update, output: Any, batch: Any) -> core.UpdateOutput:
  """What a learning step returned, unless it is none of a step's.

  Args:
    update: that returned it.
    output: what it returned.
    batch: what it was given, a `Batch` or a nest {name: Batch}.

  Raises:
    UserError: it is no `UpdateOutput`, a metric is no scalar, or there is not a priority for each item.
  """
  if not isinstance(output, core.UpdateOutput):
    raise mistakes.returned(update, output, 'a core.UpdateOutput')
  if not isinstance(output.metrics, Mapping):
    raise errors.UserError(
      f'The metrics of {mistakes.named(update)} are {output.metrics!r}, and have to be a dict of scalars by name.'
    )
  for name, value in output.metrics.items():
    shape = None if value is None else tf.convert_to_tensor(value).shape
    if shape is None or shape.rank not in (0, None):
      found = 'None' if shape is None else f'of shape {shape}'
      raise errors.UserError(
        f'The metric {name!r} of {mistakes.named(update)} is {found}, and has to be a scalar, such as its mean '
        '(tf.reduce_mean).'
      )
  _check_priorities(f'The priorities of {mistakes.named(update)}', output.priorities, batch)
  return output


def _check_priorities(what: str, priorities: Any, batch: Any) -> None:
  """Raises a `UserError` unless they are None, or one for each item of the batch, in each batch of a nest."""
  if priorities is None:
    return
  if isinstance(priorities, Mapping) != isinstance(batch, Mapping):
    wanted = f'a dict of those of {", ".join(batch)}' if isinstance(batch, Mapping) else 'an array [B]'
    raise errors.UserError(f'{what} are a {type(priorities).__name__}, and have to be {wanted}, as its batches are.')
  if not isinstance(batch, Mapping):
    shape, wanted = tf.convert_to_tensor(priorities).shape, batch.info.age.shape
    if not wanted.is_compatible_with(shape):
      raise errors.UserError(
        f'{what} are of shape {shape}, and have to be of shape {wanted}, one for each item of the batch.'
      )
    return
  for name, part in priorities.items():
    if name not in batch:
      raise errors.unknown('source of batches', name, batch, f'{what} are of {", ".join(batch)}.')
    _check_priorities(f'{what}, in {name!r},', part, batch[name])
