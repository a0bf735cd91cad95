"""Which line of the user's own code an error came through, and what is told of it."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import sys
import textwrap
import traceback

import pytest
import tensorflow as tf
import tree

from tfacme import errors, mistakes, schedules


def _error(function, *arguments):
  try:
    function(*arguments)
  except Exception as error:  # pylint: disable=broad-exception-caught
    return error
  raise AssertionError('it should fail')


@pytest.fixture
def users(tmp_path, monkeypatch):
  """A function that makes a module of the user's from its text."""
  monkeypatch.syspath_prepend(str(tmp_path))

  def make(text):
    (tmp_path / 'users_own.py').write_text(textwrap.dedent(text))
    sys.modules.pop('users_own', None)
    importlib.invalidate_caches()
    return importlib.import_module('users_own')

  yield make
  sys.modules.pop('users_own', None)


def test_it_is_the_innermost_line_that_is_neither_ours_nor_a_librarys(users, tmp_path):
  module = users("""
    import tree
    from tfacme import schedules

    def outer(value):
      return inner(value)

    def inner(value):
      return tree.map_structure(lambda x: schedules.check('x', x, 0, 1), [value])
  """)
  assert mistakes.place(_error(module.outer, 3.0)) == (
    f'{tmp_path / "users_own.py"}, line 9, in <lambda>: '
    "return tree.map_structure(lambda x: schedules.check('x', x, 0, 1), [value])"
  )


def test_there_may_be_none(tmp_path):
  def fail():
    schedules.check('it', 3.0, 0, 1)

  # The frames of this test are left out, as if tfacme had been called from nowhere.
  error = _error(fail)
  while error.__traceback__.tb_next is not None and mistakes.is_users(error.__traceback__.tb_frame.f_code.co_filename):
    error.__traceback__ = error.__traceback__.tb_next
  assert mistakes.place(error) is None
  assert mistakes.describe(error) == 'UserError: it is 3.0, and has to be at most 1.'


@pytest.mark.parametrize(
  'file, is_users',
  [
    (mistakes.__file__, False),
    (tree.__file__, False),
    (dataclasses.__file__, False),
    ('<frozen importlib._bootstrap>', False),
    ('/tmp/__autograph_generated_file1.py', False),
    (__file__, True),
    ('<ipython-input-3-1f2e>', True),
    ('<stdin>', True),
  ],
)
def test_whose_a_file_is(file, is_users):
  assert mistakes.is_users(file) == is_users


def test_of_a_chain_it_is_the_last_that_has_one(users):
  module = users("""
    def first():
      raise KeyError('a')

    def second():
      try:
        first()
      except KeyError as error:
        raise ValueError('b') from error
  """)
  error = _error(module.second)
  assert ', line 9, in second' in mistakes.place(error)
  chained = RuntimeError('c')
  chained.__cause__ = error
  assert ', line 9, in second' in mistakes.place(chained)


def test_what_is_rewritten_by_autograph_is_at_the_line_that_was_written(users):
  module = users("""
    import tensorflow as tf

    @tf.function
    def wrong(x):
      if tf.reduce_sum(x) > 0:
        x = tf.reshape(x, [7])
      return x
  """)
  place = mistakes.place(_error(module.wrong, tf.ones([3])))
  assert 'users_own.py, line 7, in ' in place and place.endswith('x = tf.reshape(x, [7])')


def test_what_is_told_is_one_sentence_with_the_error_behind_it(users):
  module = users("""
    def make(spec):
      return None + 1
  """)
  with pytest.raises(
    errors.UserError, match=r'^The networks can not be made: TypeError: .* \(.*users_own.py, line 3, '
  ):
    with mistakes.told('The networks can not be made'):
      module.make(None)


def test_what_is_no_mistake_of_the_users_stays_as_it_is():
  def tell():
    with mistakes.told('Nothing can be made'):
      raise SystemExit(3)

  with pytest.raises(SystemExit):
    tell()
  with pytest.raises(errors.UserError, match='^it is 3.0'):
    with mistakes.told('Nothing can be made'):
      schedules.check('it', 3.0, 0, 1)


def test_an_account_ends_with_the_line(users):
  module = users("""
    def fail():
      return [][0]
  """)
  error = _error(module.fail)
  account = mistakes.account(error)
  assert account.startswith(''.join(traceback.format_exception(type(error), error, error.__traceback__)))
  assert account.splitlines()[-1].endswith('users_own.py, line 3, in fail: return [][0]')


def test_what_returned_something_else_is_named(users):
  module = users("""
    class Loss:
      def __call__(self):
        return 3

    def loss(scale):
      return 3
  """)
  told = str(mistakes.returned(module.Loss(), 3, 'a Losses'))
  assert told.startswith('Loss (') and told.endswith(
    'users_own.py, line 3) returned a int, and has to return a Losses.'
  )
  told = str(mistakes.returned(functools.partial(module.loss, 1.0), None, 'a Losses'))
  assert told.startswith('loss (') and 'line 6) returned None, and' in told
  assert str(mistakes.returned(schedules.check, None, 'a number')).startswith('check returned None, and')
