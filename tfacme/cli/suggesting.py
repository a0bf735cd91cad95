"""What a user may have meant by an option that does not exist."""

from __future__ import annotations

import difflib
import re
from typing import List, Mapping, Tuple

_MOST = 3  # suggestions; more of them help no one


def suggest(name: str, known: Mapping[str, str]) -> List[str]:
  """The options that `name` may be a slip of, an abbreviation of, or a paper's symbol for.

  Args:
    name: as it was given, `--config.lr`.
    known: the options, each with what `--help` says of it.

  Returns:
    At most three of them; none if nothing comes near.
  """
  group, field = _split(name)
  groups = {_split(option)[0] for option in known}
  group = next(iter(difflib.get_close_matches(group, groups, n=1, cutoff=0.75)), group)
  inside = {option: text for option, text in known.items() if _split(option)[0] == group}
  by_name = [(finds, options) for options in (inside, known) for finds in (_misspelled, _abbreviated, _in_part)]
  for finds, options in [*by_name, (_described, inside), (_described, known)]:
    near = finds(field, options)
    if near:
      return near[:_MOST]
  return []


def _misspelled(field: str, options: Mapping[str, str]) -> List[str]:
  fields = {_split(option)[1]: option for option in options}
  return [fields[near] for near in difflib.get_close_matches(field, fields, n=2, cutoff=0.75)]


def _abbreviated(field: str, options: Mapping[str, str]) -> List[str]:
  """By the first letters of the words: lr, of learning_rate or policy_learning_rate."""
  if len(field) < 2:
    return []
  initials = {option: ''.join(word[0] for word in _words(option)) for option in options}
  whole = [option for option, letters in initials.items() if letters == field]
  return whole or [option for option, letters in initials.items() if letters.endswith(field)]


def _in_part(field: str, options: Mapping[str, str]) -> List[str]:
  """By some of the words: learning_rate, of policy_learning_rate."""
  words = set(field.split('_'))
  return _few([option for option in options if words <= set(_words(option))])


def _described(field: str, options: Mapping[str, str]) -> List[str]:
  """By a name that the help gives it, such as the paper's: tau, of target_update_rate."""
  mentions = re.compile(rf'\b{re.escape(field)}\b')
  return _few([option for option, text in options.items() if len(field) > 1 and mentions.search(text)])


def _few(options: List[str]) -> List[str]:
  """The options, unless there are so many that the word says nothing."""
  return options if len(options) <= _MOST else []


def _split(option: str) -> Tuple[str, str]:
  """The group of an option and its field: --config. and learning_rate."""
  group, dot, field = option.lstrip('-').rpartition('.')
  return group + dot, field


def _words(option: str) -> List[str]:
  return _split(option)[1].split('_')
