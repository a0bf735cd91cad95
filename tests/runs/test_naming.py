"""What parts of an experiment are called: the same in every process, and otherwise for other code."""

import functools
import subprocess
import sys
import threading

import numpy as np
import pytest

from tfacme.runs import naming


def _made(source, **names):
  """The function `f` that a cell of a notebook makes."""
  names['__name__'] = '__main__'
  exec(compile(source, '<cell>', 'exec'), names)  # pylint: disable=exec-used
  return names['f']


def test_another_code_is_another_name():
  sources = [
    'def f(x): return x + 1',
    'def f(x): return x + 2',
    'def f(x): return x - 1',
    'def f(x): return abs(x)',
    'def f(x): return all(x)',
    'def f(x, y=1): return x + 1',
    'def f(x, y=2): return x + 1',
    'def f(x, *, y=2): return x + 1',
    'def f(x): return [y + 1 for y in x]',
    'def f(x): return [y + 2 for y in x]',
    'def f(x): return x in (1, 2)',
    'def f(x): return x in {1, 2}',
  ]
  names = [naming.name(_made(source)) for source in sources]
  assert len(set(names)) == len(sources)
  assert all(name.startswith('__main__:f#') for name in names)
  assert naming.name(functools.partial(_made(sources[0]), 3)) == f'{names[0]}(3)'


def test_where_it_stands_and_what_is_said_of_it_do_not_matter():
  sources = [
    'def f(x):\n  return [y + 1 for y in x]',
    'def f(x):\n  "It adds."\n  return [y + 1 for y in x]',
    '\n\ndef f(x):\n  "It adds one."\n  # To each.\n  return [y + 1\n    for y in x]',
  ]
  assert len({naming.name(_made(source)) for source in sources}) == 1


def test_functions_of_one_scope_differ_by_their_code_and_by_what_they_hold():
  def scaled(scale):
    return lambda x: scale * x

  assert naming.name(lambda x: x) != naming.name(lambda x: -x)
  assert naming.name(scaled(1.0)) == naming.name(scaled(1.0)) != naming.name(scaled(2.0))
  assert naming.name(scaled(scaled(1.0))) != naming.name(scaled(scaled(2.0)))
  assert naming.name(scaled(threading.Lock())) == naming.name(scaled(threading.Lock()))  # They have an address.
  assert naming.name(scaled(np)) != naming.name(scaled(threading))


def test_a_function_may_hold_itself_and_what_is_not_there_yet():
  def first(x):
    return second(x) + first(x) + third(x)

  def second(x):
    return first(x)

  assert naming.name(first) != naming.name(second)
  third = abs
  assert naming.name(first).startswith(f'{__name__}:')


def test_what_is_installed_goes_by_its_version():
  assert naming.name(naming.name) == 'tfacme.runs.naming:name'
  assert naming.name(subprocess.run) == 'subprocess:run'
  assert naming.name(pytest.approx) == f'{pytest.approx.__module__}:approx'


_PRINT = """
from tfacme.runs import naming
def f(x):
  return x in {'one', 'two', 'three', 'four'} or (lambda y: y in {'a', 'b', 'c'})(x)
print(naming.name(f))
"""


def test_it_is_the_same_in_every_process():
  said = set()
  for seed in ('1', '2'):
    ended = subprocess.run(
      [sys.executable, '-c', _PRINT],
      env={'PYTHONHASHSEED': seed, 'PYTHONPATH': ':'.join(sys.path)},
      capture_output=True,
      text=True,
      check=True,
    )
    said.add(ended.stdout)
  assert len(said) == 1 and said.pop().startswith('__main__:f#')
