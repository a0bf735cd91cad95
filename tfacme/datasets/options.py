"""What is said of data sets beside where they lie: which episodes are read, by which names, and what files leave open.

These are the options `--dataset.NAME` of the command. Numbers of episodes, conditions and shares are of each data set,
where several are given.
"""

from __future__ import annotations

import dataclasses
import operator
import os
import re
from typing import Any, Dict, Mapping, Optional, Tuple

from typing_extensions import Literal

from tfacme import configs, errors

LAST_ROW, ENDS = ('auto', 'observation', 'transition'), ('auto', 'terminated', 'truncated')
_COMPARE = {
  '<=': operator.le,
  '>=': operator.ge,
  '!=': operator.ne,
  '=': operator.eq,
  '<': operator.lt,
  '>': operator.gt,
}
BLOCK_MEGABYTES = 256  # as much as is read in some seconds, before a run can begin to learn


@dataclasses.dataclass(frozen=True)
class Options:
  """How RLDS data sets are read.

  Attributes:
    split: which split is read, or a part of one, such as train[:10%], or several, such as train+test.
    where: conditions that an episode has to fit, all of them: return>=100, length<50, or NAME=VALUE of its
      metadata, with <, <=, >, >=, = or !=. A shell wants them in quotes.
    best: the share of the episodes that is read, those with the highest returns; None reads all.
    episodes: how many episodes are read, the first ones in the order of the files; None reads all.
    shares: where several data sets are given, how the transitions are shared among them, in their order: 1 3 is a
      quarter of the first. Smaller ones are read over again. None given, each is read once a pass.
    observation: where the parts of an observation lie in a step, as PART=FIELD, such as state=observation/position, if
      not under the environment's own names; a FIELD alone is the whole observation.
    action: the same for actions.
    reward: the field of a step that is the reward.
    last_row: what the last row of an episode holds: an observation alone, with an action and a reward that mean
      nothing, or a transition like all others. A transition's next observation is then not in the data: where it
      terminates the episode, that means nothing, and the last observation stands in its place; where it does not, the
      transition is left out. auto is what RLDS says: an observation where is_last or is_terminal is true, and where
      neither is, it has to be told.
    ends: how all episodes end: terminated or truncated, whatever is_terminal and the discounts say; auto goes by
      is_terminal, and by the last discount where there is none.
    block_megabytes: the size of the blocks of episodes over which what is learned from is shuffled, in units of 2^20
      bytes of their rows. Two are in memory, one that is learned from and one that is being read; data that fit into a
      single one are read once. The first one is read before the first learning step.
    data_dir: the folder in which tfds:NAME is looked for; None is TFDS_DATA_DIR, or ~/tensorflow_datasets.
  """

  split: str = 'train'
  where: Tuple[str, ...] = ()
  best: Optional[float] = None
  episodes: Optional[int] = None
  shares: Tuple[float, ...] = ()
  observation: Tuple[str, ...] = ()
  action: Tuple[str, ...] = ()
  reward: Optional[str] = None
  last_row: Literal['auto', 'observation', 'transition'] = 'auto'
  ends: Literal['auto', 'terminated', 'truncated'] = 'auto'
  block_megabytes: int = BLOCK_MEGABYTES
  data_dir: Optional[str] = None

  def __post_init__(self):
    for name in ('where', 'shares', 'observation', 'action'):
      given = getattr(self, name)
      object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
    for name, known in (('last_row', LAST_ROW), ('ends', ENDS)):
      if getattr(self, name) not in known:
        raise errors.unknown(name, getattr(self, name), known, f'{name} is one of {", ".join(known)}.')
    if self.best is not None:
      errors.in_range('best', self.best, above=0, high=1)
    if self.episodes is not None:
      errors.count('episodes', self.episodes)
    errors.count('block_megabytes', self.block_megabytes)
    for share in self.shares:
      errors.in_range('A share of a data set', share, above=0)
    for text in self.where:
      Condition.of(text)
    for name in ('observation', 'action'):
      names = getattr(self, name)
      if len(names) > 1 and not all('=' in one for one in names):
        raise errors.UserError(f'{name} is {" ".join(names)}, and has to be one field, or PART=FIELD for each part.')

  @property
  def changed(self) -> Dict[str, Any]:
    """What differs from the defaults, by the names of the fields."""
    return configs.changed(self)

  @property
  def chooses(self) -> bool:
    """Whether not all episodes are read."""
    return bool(self.where) or self.best is not None or self.episodes is not None

  @property
  def folder(self) -> str:
    """The absolute path of the folder in which `tfds:NAME` is looked for."""
    found = self.data_dir or os.environ.get('TFDS_DATA_DIR') or os.path.join('~', 'tensorflow_datasets')
    return os.path.abspath(os.path.expanduser(found))


@dataclasses.dataclass(frozen=True)
class Condition:
  """A condition of episodes: `name` compared with `value`."""

  name: str
  compare: str
  value: str

  @classmethod
  def of(cls, text: str) -> Condition:
    """The condition of a text such as return>=100.

    Raises:
      UserError: if it is none.
    """
    found = re.fullmatch(r'\s*([^<>=!]+?)\s*(<=|>=|!=|=|<|>)\s*([^=].*?)\s*', text)
    if not found:
      raise errors.UserError(
        f"{text!r} is no condition of episodes: it has to be such as 'return>=100', 'length<50' or 'policy=expert'."
      )
    return cls(*found.groups())

  def holds(self, facts: Mapping[str, Any]) -> bool:
    """Whether an episode of which these are known fits.

    Raises:
      UserError: if what it is about is not known, or no number where it has to be one.
    """
    if self.name not in facts:
      raise errors.unknown('metadata of the episodes', self.name, facts, f'there are {", ".join(facts)}.')
    fact = facts[self.name]
    numbers = _number(fact), _number(self.value)
    if None not in numbers:
      return bool(_COMPARE[self.compare](*numbers))
    if self.compare not in ('=', '!='):
      raise errors.UserError(f'{self.name} is {fact!r}, and can not be compared with {self.compare} {self.value}.')
    return bool(_COMPARE[self.compare](str(fact), self.value))


def _number(value: Any) -> Optional[float]:
  """A value as a number, None if it is none; True is 1."""
  texts = {'true': 1.0, 'false': 0.0}
  try:
    return texts.get(str(value).lower()) if str(value).lower() in texts else float(value)
  except (TypeError, ValueError):
    return None
