"""`--from FILE`: the options of a run that was, from its `experiment.json`, or from a file like that."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from typing import Any, Container, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from tfacme import errors
from tfacme.cli import peeking
from tfacme.runs import naming

_LOG = logging.getLogger('tfacme')
_OPTION = 'from'
_LEARNER_STEPS = '--learner_steps'
_STEPS = ('--steps', _LEARNER_STEPS)  # of which one is given
_INFINITE = {'Infinity': 'inf', '-Infinity': '-inf', 'NaN': 'nan'}  # as a description writes them


def expand(arguments: Sequence[str], known: Container[str], prog: str) -> List[str]:
  """A command line with the options of the file that it names in front of its own, which win.

  What the run was given to do it on is not taken: environment, data, seed, folder and engine.

  Args:
    arguments: with underscores in the names of options.
    known: the options that there are.
    prog: the command, for errors.

  Raises:
    errors.UserError: if the file can't be read, or sets what is no option here.
  """
  path = peeking.peek(arguments, _OPTION)
  if not path:
    return list(arguments)
  description = _read(path)
  given = {argument.partition('=')[0] for argument in arguments}
  tokens: List[str] = []
  for name, value in _flat(description, known):
    if name in known:
      tokens += _tokens(name, value)
    elif _can_be_left_out(value):
      _LOG.warning('%s has %s %s, for which there is no option: it stays as it is here.', path, name[2:], value)
    elif value is not None:
      fault = f'{path} sets {name[2:]} to {value!r}, which is no option of {prog}'
      raise errors.UserError(f'{fault}; take one of a run of the same agent, or leave that out.')
  steps = _steps(description)
  if steps is not None and not given & set(_STEPS):
    unit, count = steps
    # A page has one option for the steps of either kind.
    name = _LEARNER_STEPS if unit == 'learner_steps' and _LEARNER_STEPS in known else '--steps'
    tokens += _tokens(name, count)
  return [*tokens, *arguments]


def compare(path: Optional[str], builder: Any) -> None:
  """Warns of the choices of a file's builder that are others here, and that only Python can make: a loss, say."""
  if path is None:
    return
  theirs = _read(path).get('builder') or {}
  for field in dataclasses.fields(builder):
    ours = json.loads(json.dumps(getattr(builder, field.name), default=naming.name, skipkeys=True))
    other = theirs.get(field.name, ours)
    if field.name != 'config' and isinstance(other, str) and other != ours:
      _LOG.warning('%s has %s %s, for which there is no option: here it is %s.', path, field.name, other, ours)


def with_steps(arguments: Sequence[str]) -> List[str]:
  """A page's command line with the steps that its file gives, since the page may ask for them before all else."""
  path = peeking.peek(arguments, _OPTION)
  steps = _steps(_read(path)) if path else None
  if steps is None or any(argument.partition('=')[0] == '--steps' for argument in arguments):
    return list(arguments)
  return [*arguments, f'--steps={steps[1]}']


def _read(path: str) -> Dict[str, Any]:
  if os.path.isdir(path):
    path = os.path.join(path, 'experiment.json')
  try:
    with open(path, encoding='utf-8') as file:
      description = json.load(file)
  except OSError as error:
    raise errors.UserError(f'--{_OPTION} {path} can not be read: {error.strerror}.') from error
  except ValueError as error:
    raise errors.UserError(f'--{_OPTION} {path} is no JSON: {error}.') from error
  if not isinstance(description, dict):
    raise errors.UserError(f"--{_OPTION} {path} is to hold parts by their names, such as a run's experiment.json does.")
  return description


def _flat(description: Mapping[str, Any], known: Container[str]) -> Iterator[Tuple[str, Any]]:
  """(option, value) of all that a description sets."""
  parts = {'config': description.get('config'), **(description.get('builder') or {})}
  parts['networks'] = description.get('network_options')
  evaluations = description.get('evaluations') or [None]
  parts.update({name: description.get(name) for name in ('checkpointing', 'logging')}, evaluation=evaluations[0])
  if parts['networks'] is None and 'networks' in description:
    _LOG.warning('The networks of that run, %s, have no options: they stay as they are here.', description['networks'])
  if len(evaluations) > 1:
    _LOG.warning('That run had %d evaluations; the first of them is taken.', len(evaluations))
  for name, part in parts.items():
    if isinstance(part, Mapping):
      yield from _fields(f'--{name}.', part, known)
  yield from _fields('--', description.get('layout') or {}, known)
  if 'stack' in description:
    yield '--stack', description['stack']


def _fields(prefix: str, part: Mapping[str, Any], known: Container[str]) -> Iterator[Tuple[str, Any]]:
  """The fields of a part, and of the parts in it."""
  for name, value in part.items():
    if isinstance(value, Mapping) and f'{prefix}{name}' not in known:
      yield from _fields(f'{prefix}{name}.', value, known)
    elif name != 'type' or f'{prefix}{name}' in known:  # what a builder is
      yield f'{prefix}{name}', value


def _steps(description: Mapping[str, Any]) -> Optional[Tuple[str, int]]:
  """(unit, count) of the budget."""
  return next(iter((description.get('budget') or {}).items()), None)


def _can_be_left_out(value: Any) -> bool:
  """Whether a value is the name of a function or of an object, which only Python can give."""
  return isinstance(value, str) and ':' in value


def _tokens(name: str, value: Any) -> List[str]:
  """A value as a command line gives it."""
  if isinstance(value, Mapping):
    return [name, *(_text(part) for item in value.items() for part in item)]
  if isinstance(value, list):
    return [name, *map(_text, value)]
  return [f'{name}={_text(value)}']


def _text(value: Any) -> str:
  return _INFINITE.get(value, value) if isinstance(value, str) else str(value)
