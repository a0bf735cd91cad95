"""What is too long to be read in one go is found."""

from tools import limits


def test_what_is_too_long_is_named():
  body = '\n'.join(['  pass'] * 48)
  assert list(limits.too_long('a.py', f'def one():\n{body}\n')) == []
  assert list(limits.too_long('a.py', f'\ndef one():\n{body}\n  pass\n')) == ['a.py:2: one has 50 lines; split it']
  (line,) = limits.too_long('a.py', '\n' * 400)
  assert line == 'a.py: 400 lines; split it'
  seven = ', '.join('abcdefg')
  assert list(limits.too_long('a.py', f'class A:\n  def __init__(self, {seven}):\n    pass\n')) == []
  (line,) = limits.too_long('a.py', f'class A:\n  def __init__(self, {seven}, *, h=0):\n    pass\n')
  assert line == 'a.py:2: a constructor has 8 arguments; let some be one thing'
