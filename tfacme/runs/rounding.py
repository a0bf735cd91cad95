"""Numbers as they are shown to users."""

from __future__ import annotations

import math


def number(value: float, digits: int = 4) -> str:
  """A number with its first digits: '-975.3', '12140'."""
  return _plain(float(value), _places(value, digits))


def with_error(mean: float, error: float) -> str:
  """A mean with its error, of which two digits count: '-975 ± 120'; alone if the error is NaN, as of one value."""
  if math.isnan(error):
    return number(mean)
  places = _places(error, 2)
  return f'{_plain(float(mean), places)} ± {round(float(error), places):.15g}'


def _plain(value: float, places: int) -> str:
  """A number with so many places behind the point, and all before it."""
  return f'{round(value, max(places, 0)) + 0.0:.15g}'  # The sum makes 0 of -0.


def _places(value: float, digits: int) -> int:
  """Places behind the point that so many digits of a number take."""
  return digits - 1 - math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 4
