"""Where an episode ends, and how: from the flags of RLDS to the rows of a stream.

RLDS marks the row of the final observation (`is_last`), whose action, reward and discount mean nothing, and tells by
`is_terminal` in that row a termination from a truncation. Many data sets have no such row: their last one is a
transition like the others. What the flags do not say is not guessed: `Options` has to say it.
"""

from __future__ import annotations

import logging
from typing import Any, Container, Dict, List, Mapping, Optional, Tuple

import numpy as np
import tree

from tfacme import core, errors
from tfacme.datasets.options import Options

FIELDS = ('observation', 'action', 'reward', 'discount', 'extras')
FLAGS = ('is_first', 'is_last', 'is_terminal')  # of a step, beside those fields
_LOG = logging.getLogger('tfacme')
_OF_TRANSITIONS = ('action', 'reward', 'discount')  # what means nothing in the row of a final observation

_Fields = Mapping[str, np.ndarray]  # [T, ...] of each leaf, by its path in a row: observation/position


def settle(fields: _Fields, rows: int, options: Options, where: str) -> Optional[Dict[str, np.ndarray]]:
  """The leaves of an episode in the stream, [T + 1, ...] each, also of what the data lack of reward and discount.

  Args:
    fields: as they were recorded, with those flags that there are.
    rows: how many.
    options: what the flags do not say.
    where: what the episode is called, such as 'episode 3 of the data set DIR'.

  Returns:
    The leaves, or None if the episode has no transition: there is nothing to learn from an observation alone.

  Raises:
    UserError: if a flag is set where it can't be, or if it is not known what the last row is.
  """
  if not rows:
    return None
  _check_flags(fields, where)
  more = holds_transition(fields, options, where) and _terminates(fields, options)
  rows += more
  if rows < 2:
    return None
  stream = {}
  for path, values in fields.items():
    if path in FLAGS:
      continue
    values = np.concatenate([values, values[-1:]]) if more else values
    if path in ('reward', 'discount'):
      values = values.astype(np.float32, copy=False)
    if path.partition('/')[0] in _OF_TRANSITIONS:
      values[-1] = 0
    stream[path] = values
  stream.setdefault('reward', np.zeros(rows, np.float32))
  stream['discount'] = _discounts(stream.get('discount'), rows, _terminated(fields, options))
  return stream


def emptied(step: core.Step) -> core.Step:
  """An episode with leaves [T + 1, ...], with zeros where its last row holds what means nothing there."""
  return step._replace(**{name: tree.map_structure(_emptied, getattr(step, name)) for name in _OF_TRANSITIONS})


def _emptied(values: Any) -> Any:
  if not np.any(np.asarray(values)[-1:]):
    return values
  values = np.array(values)
  values[-1:] = 0
  return values


def holds_transition(fields: _Fields, options: Options, where: str) -> bool:
  """Whether the last row of an episode holds a transition, and no final observation.

  Raises:
    UserError: if neither the flags nor the options say so.
  """
  if options.last_row != 'auto':
    return options.last_row == 'transition'
  if not any(fields[name][-1] for name in ('is_last', 'is_terminal') if name in fields):
    raise errors.UserError(
      f'The last row of {where} is not marked as is_last, so it is not known whether it holds the final observation '
      'alone or a transition like the others: say --dataset.last_row observation or --dataset.last_row transition.'
    )
  return False


def lacks(names: Container[str], options: Options) -> Tuple[str, ...]:
  """What data with these fields do not say: 'reward', or the 'discount', so terminations from truncations."""
  ends_known = 'is_terminal' in names or 'discount' in names or options.ends != 'auto'
  return tuple(name for name, known in (('reward', 'reward' in names), ('discount', ends_known)) if not known)


def _check_flags(fields: _Fields, where: str) -> None:
  for name, inner in (('is_first', slice(1, None)), ('is_last', slice(-1)), ('is_terminal', slice(-1))):
    if name in fields and fields[name][inner].any():
      row = int(np.flatnonzero(fields[name][inner])[0]) + (inner.start or 0)
      raise errors.UserError(
        f'In row {row} of {where}, {name} is true in the middle of the episode, which has {len(fields[name])} rows: '
        'write what comes before and after the end of an episode as two.'
      )


def _terminated(fields: _Fields, options: Options) -> Optional[bool]:
  """Whether an episode ends by a termination; None if only its discounts say so."""
  if options.ends != 'auto':
    return options.ends == 'terminated'
  return bool(fields['is_terminal'][-1]) if 'is_terminal' in fields else None


def _terminates(fields: _Fields, options: Options) -> bool:
  """Whether the last transition terminates an episode whose last row holds it."""
  terminated = _terminated(fields, options)
  if terminated is None:
    return 'discount' in fields and not fields['discount'][-1].any()
  return terminated


def _discounts(recorded: Optional[np.ndarray], rows: int, terminated: Optional[bool]) -> np.ndarray:
  """Discounts [rows, ...]; many data sets close a truncated episode with a discount of zero too."""
  if recorded is None:
    recorded = np.ones(rows, np.float32)
    recorded[-1] = 0
  if terminated:
    recorded[-2] = 0
  elif terminated is False and not recorded[-2].any():
    recorded[-2] = 1
  return recorded


class Dropped:
  """What a data set has at the ends of its episodes that is left out, and whether it looks as if it had counted."""

  def __init__(self) -> None:
    self._options = Options()
    self._rewarded = self._rewarded_steps = self._without_end = self._overruled = 0  # episodes
    self._largest = 0.0
    self._others, self._all_terminate = False, True

  def add(self, fields: _Fields, options: Options) -> None:
    """Takes in an episode, as it was recorded."""
    if not len(next(iter(fields.values()), ())):
      return
    self._options = options
    terminates = _terminates(fields, options)
    as_transition = options.last_row == 'transition'
    self._without_end += as_transition and not terminates
    if 'is_terminal' in fields and options.ends != 'auto':
      self._overruled += bool(fields['is_terminal'][-1]) != terminates
    if self._add_rewards(fields.get('reward', ()), counts=as_transition and terminates):
      self._all_terminate &= terminates

  def add_step(self, step: core.Step, options: Options) -> None:
    """Takes in an episode in the form of a stream, whose last row holds the final observation alone."""
    self._options = options
    self._rewarded_steps += self._add_rewards(np.atleast_1d(step.reward), counts=False)

  def _add_rewards(self, reward: Any, counts: bool) -> bool:
    """Takes in rewards, the last of which counts or not; whether it is left out and nobody said that it may be."""
    if len(reward) < 2:
      return False
    self._others |= bool((reward if counts else reward[:-1]).any())
    last = float(np.abs(reward[-1:]).max(initial=0))
    if not last or not np.isfinite(last) or counts or self._options.last_row == 'observation':
      return False
    self._rewarded, self._largest = self._rewarded + 1, max(self._largest, last)
    return True

  def check(self, name: str) -> None:
    """Raises a `UserError` if rewards were left out of the data set of a name, and no other row has one."""
    if self._rewarded and not self._others:
      raise errors.UserError(f'In {name} {self._rewards()}')

  def warn(self, name: str) -> None:
    """Warns of what was left out of the data set of a name."""
    for finding in self.findings():
      _LOG.warning('In %s %s', name, finding)

  def findings(self) -> List[str]:
    """What was left out, in sentences."""
    found = []
    if self._without_end:
      found.append(
        f'the last transition of {_episodes(self._without_end)} is left out, since it does not terminate, and where it '
        'led is not in the data; if it is a real end, or the agent only imitates, say --dataset.ends terminated.'
      )
    if self._rewarded and (self._rewarded_steps or not (self._without_end and self._others)):
      found.append(self._rewards())
    if self._overruled:
      found.append(
        f'is_terminal says of {_episodes(self._overruled)} what --dataset.ends {self._options.ends} overrules.'
      )
    return found

  def _rewards(self) -> str:
    """What is left out of rewards, and what may have to be said."""
    ended = '' if self._all_terminate else ' (and --dataset.ends terminated, if it is a real end)'
    why = (
      f'RLDS says that it means nothing there: if it is that of a transition, say --dataset.last_row transition{ended}'
    )
    if self._rewarded_steps:
      why = 'it is that of the final observation: if it is the reward of a transition, add a row with what it led to'
    elif self._options.last_row == 'transition':
      why = 'nobody knows where that transition led: if it is a real end, say --dataset.ends terminated'
    return (
      f'the last row of {_episodes(self._rewarded)} holds {"a" if self._others else "the only"} reward (up '
      f'to {self._largest:g}) that is left out, since {why}, and if not, --dataset.last_row observation.'
    )


def _episodes(count: int) -> str:
  return f'{count} episodes' if count > 1 else 'an episode'
