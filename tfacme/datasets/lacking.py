"""What the steps of a data set lack, all of it in one sentence, and what may be said in its place."""

from __future__ import annotations

from typing import Container, Sequence

from tfacme import errors
from tfacme.datasets import ends
from tfacme.datasets.options import Options

_SAY = {
  'observation': '--dataset.observation NAME',
  'action': '--dataset.action NAME',
  'is_last': '--dataset.last_row observation or transition (what the last row of an episode holds)',
  'reward': '--dataset.reward NAME',
  'discount': '--dataset.ends terminated or truncated',
}
_CALLED = {'discount': 'is_terminal or discount'}  # Either says how an episode ends.


def check_steps(known: Container[str], fields: Sequence[str], options: Options, name: str) -> None:
  """Raises a `UserError` if steps lack what every agent needs, which tells of all that they lack.

  Args:
    known: the fields and flags that are read of a step.
    fields: what it has, whatever that is.
    options: what was said in the place of what it lacks.
    name: what the data set is called.
  """
  lacks = [field for field in ('observation', 'action') if field not in known]
  if options.last_row == 'auto' and not any(flag in known for flag in ('is_last', 'is_terminal')):
    lacks.append('is_last')
  if not lacks:
    return
  more = ends.lacks(known, options)
  say = _said(lacks)
  if more:
    say += f', and for an agent that learns from rewards {_said(more)}'
  raise errors.UserError(
    f'{name[0].upper()}{name[1:]} can not be read as it stands: its steps have no {_called([*lacks, *more])}, but '
    f'{errors.listed(fields, most=8)}; say {say}.'
  )


def check_rewards(lacks: Sequence[str], name: str) -> None:
  """Raises a `UserError` if steps lack something (`ends.lacks`) that an agent needs which learns from rewards."""
  if lacks:
    raise errors.UserError(
      f'The steps of {name} have no {_called(lacks)}, and this agent learns from rewards and from how episodes end: '
      f'say {_said(lacks)}, or take an agent that needs none, such as bc.'
    )


def _said(lacks: Sequence[str]) -> str:
  return ' and '.join(_SAY[field] for field in lacks)


def _called(lacks: Sequence[str]) -> str:
  return ', no '.join(_CALLED.get(field, field) for field in lacks)
