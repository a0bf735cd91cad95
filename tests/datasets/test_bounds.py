"""The allowance for rounding beside bounds, with numbers worked by hand."""

import numpy as np
import pytest
from dm_env import specs as dm_specs

from tfacme.datasets import bounds

_FLOAT = dm_specs.BoundedArray((2,), np.float32, [-1, 0], [1, 10])  # widths 2 and 10: 0.0002 and 0.001 are allowed


@pytest.mark.parametrize(
  'least, largest, wanted',
  [
    ([-1, 0], [1, 10], (False, False)),
    ([-1.00019, -0.0009], [1.00019, 10.0009], (False, False)),
    ([-1.00021, 0], [1, 10], (True, False)),
    ([-1, -0.0011], [1, 10], (True, False)),
    ([-1, 0], [1.00021, 10], (False, True)),
    ([-1, 0], [1, 10.0011], (False, True)),
    ([-5, 0], [5, 10], (True, True)),
    ([0, 0.5], [1, 1], (False, False)),
  ],
)
def test_a_ten_thousandth_of_the_width_is_allowed(least, largest, wanted):
  assert bounds.beyond(_FLOAT, np.array(least), np.array(largest)) == wanted


def test_a_share_of_the_width_around_its_middle():
  """0.9 of -1 to 1 reaches from -0.9 to 0.9, and of 0 to 10 from 0.5 to 9.5; the same is allowed beside it."""
  inside = lambda least, largest: bounds.beyond(_FLOAT, np.array(least), np.array(largest), share=0.9)
  assert inside([-0.90019, 0.4991], [0.90019, 9.5009]) == (False, False)
  assert inside([-0.90021, 5], [0, 5]) == (True, False)
  assert inside([0, 5], [0, 9.5011]) == (False, True)


def test_whole_numbers_are_not_rounded():
  wide = dm_specs.BoundedArray((), np.int32, 0, 1_000_000)  # of which a ten-thousandth would be 100
  assert bounds.beyond(wide, 0, 1_000_000) == (False, False)
  assert bounds.beyond(wide, -1, 1_000_001) == (True, True)
  assert bounds.beyond(dm_specs.DiscreteArray(3), 0, 3) == (False, True)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_bounds_that_are_infinite(dtype):
  half = dm_specs.BoundedArray((2,), dtype, [0, -np.inf], [np.inf, 5])
  assert bounds.beyond(half, np.array([0, -1e30]), np.array([1e30, 5])) == (False, False)
  assert bounds.beyond(half, np.array([-1e-6, 0]), np.array([0, 5.001])) == (True, True)
  most = np.finfo(dtype).max
  full = dm_specs.BoundedArray((), dtype, -most, most)
  assert bounds.beyond(full, -1e30, 1e30) == (False, False)
  assert bounds.beyond(dm_specs.BoundedArray((), dtype, -np.inf, np.inf), -1e30, 1e30, share=0.9) == (False, False)


def test_the_number_that_is_farthest_beyond_is_named_with_its_own_bounds():
  found = bounds.farthest(_FLOAT, np.array([-1.5, 0]), np.array([1, 13]))
  assert found == (' [1]', 0, 13, 0, 10) and found.value() == 13
  found = bounds.farthest(_FLOAT, np.array([-5, -3]), np.array([1, 10]))
  assert found == (' [0]', -5, 1, -1, 1) and found.value() == -5
  half = dm_specs.BoundedArray((), np.float32, -np.inf, 3)
  assert bounds.farthest(half, np.float32(0), np.float32(4)) == ('', 0, 4, -np.inf, 3)
