"""The errors that a user meets: one sentence that names the thing and the fix."""

import os

import pytest

from tfacme import errors


@pytest.mark.parametrize('value', [0.0, 0.5, 1.0])
def test_value_within_the_bounds_passes(value):
  errors.in_range('discount', value, low=0, high=1)


@pytest.mark.parametrize(
  ('value', 'bounds', 'message'),
  [
    (1.5, {'low': 0, 'high': 1}, 'discount is 1.5, and has to be at most 1.'),
    (-1, {'low': 0, 'high': 1}, 'discount is -1, and has to be at least 0.'),
    (0, {'above': 0}, 'discount is 0, and has to be more than 0.'),
    (float('nan'), {'low': 0}, 'discount is nan, and has to be at least 0.'),
    (float('nan'), {}, 'discount is nan, and has to be a finite number.'),
    (float('-inf'), {}, 'discount is -inf, and has to be a finite number.'),
  ],
)
def test_value_outside_the_bounds_is_named_with_its_bound(value, bounds, message):
  with pytest.raises(errors.UserError) as raised:
    errors.in_range('discount', value, **bounds)
  assert str(raised.value) == message


def test_unknown_name_comes_with_the_nearest():
  error = errors.unknown('agent', 'dqm', ['dqn', 'impala'], hint='`tfacme agents` lists them.')
  assert str(error) == "There is no agent 'dqm'; did you mean dqn?"


def test_what_is_no_name_is_unknown_too():
  assert str(errors.unknown('policy', None, ['evaluation'], 'choose one.')) == "There is no policy 'None'; choose one."


def test_unknown_name_that_is_near_to_none_comes_with_the_hint():
  error = errors.unknown('agent', 'xyz', ['dqn'], hint='`tfacme agents` lists them.')
  assert str(error) == "There is no agent 'xyz'; `tfacme agents` lists them."


@pytest.mark.parametrize(
  'names, text',
  [([], 'none'), ('a', 'a'), ('abc', 'a, b, c'), ('abcd', 'a, b, c and 1 more'), ('abcde', 'a, b, c and 2 more')],
)
def test_many_names_are_cut_short(names, text):
  assert errors.listed(iter(names)) == text


@pytest.mark.parametrize('below', ['', 'run'])
def test_a_link_to_nothing_is_named(below, tmp_path):
  link, gone = tmp_path / 'link', tmp_path / 'gone'
  link.symlink_to(gone)
  with pytest.raises(errors.UserError) as raised:
    with errors.writing('The folder', str(link / below)):
      os.makedirs(link / below, exist_ok=True)
  assert str(raised.value) == (
    f'The folder {link / below} can not be written: {link} is a link to {gone}, which is not there; make that, or '
    'remove the link.'
  )
