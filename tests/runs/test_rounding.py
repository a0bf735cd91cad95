"""Numbers as they are shown, by hand."""

import math

import pytest

from tfacme.runs import rounding


@pytest.mark.parametrize(
  'mean, error, shown',
  [
    (-975.3, 123.4, '-975 ± 120'),
    (12135.4, 99.9, '12135 ± 100'),
    (0.25, 0.125, '0.25 ± 0.12'),
    (-2.0, 0.125, '-2 ± 0.12'),
    (0.123456, 0.00123, '0.1235 ± 0.0012'),
    (-0.001, 3.0, '0 ± 3'),
    (40.0, 0.0, '40 ± 0'),
    (-1027.26, math.nan, '-1027'),
    (math.nan, math.nan, 'nan'),
    (math.inf, math.inf, 'inf ± inf'),
  ],
)
def test_two_digits_of_an_error_count(mean, error, shown):
  assert rounding.with_error(mean, error) == shown


@pytest.mark.parametrize('value, shown', [(12135.0, '12135'), (-3.14159, '-3.142'), (0.0, '0'), (2e-6, '2e-06')])
def test_four_digits_and_all_before_the_point_are_shown(value, shown):
  assert rounding.number(value) == shown
