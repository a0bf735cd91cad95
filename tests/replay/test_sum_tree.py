"""The sum tree, held to plain numpy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfacme.replay import sum_tree

_weights = st.one_of(st.just(0.0), st.integers(0, 5).map(float), st.floats(1e-12, 1e12))
_sets = st.lists(st.lists(st.tuples(st.integers(0, 400), _weights), max_size=20), min_size=1, max_size=6)


@given(_sets, st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_it_finds_what_a_plain_running_sum_finds(sets, shares):
  tree, plain = sum_tree.SumTree(), np.zeros(401)
  for changes in sets:
    positions = np.array([position for position, _ in changes], np.int64)
    tree.set(positions, np.array([weight for _, weight in changes]))
    for position, weight in changes:  # Of a position that comes twice, the last one counts.
      plain[position] = weight
  known = np.arange(1 + max([position for changes in sets for position, _ in changes], default=0))
  np.testing.assert_array_equal(tree.get(known), plain[known])
  np.testing.assert_allclose(tree.total, plain.sum(), rtol=1e-12)
  if not plain.sum():
    return
  ends = np.cumsum(plain)
  found = tree.find(np.array(shares))
  assert (tree.get(found) > 0).all()
  # The two sums round differently: within a billionth of the total, a neighbour is as good.
  masses, slack = np.array(shares) * ends[-1], 1e-9 * ends[-1]
  assert (masses < ends[found] + slack).all()
  assert (masses >= ends[found] - plain[found] - slack).all()


def test_samples_follow_the_weights():
  tree = sum_tree.SumTree()
  weights = np.random.default_rng(0).random(1000) ** 4
  weights[::3] = 0
  tree.set(np.arange(1000), weights)
  counts = np.bincount(tree.find(np.random.default_rng(1).random(200_000)), minlength=1000)
  p = weights / weights.sum()
  assert (counts[::3] == 0).all()
  assert (np.abs(counts - 200_000 * p) <= 5 * np.sqrt(200_000 * p) + 1).all()


def test_a_weight_of_zero_is_not_found_where_sums_round():
  """Share 0.5 is the very start of the second block, whose first weight is zero and whose sum was rounded up."""
  tree = sum_tree.SumTree()
  weights = np.zeros(128)
  weights[0], weights[65] = 1e8, 0.1
  tree.set(np.arange(128), weights)
  start = weights[0] / tree.total
  near = [start]
  for _ in range(20):
    near += [np.nextafter(near[-1], 1)]
  found = tree.find(np.array(near))
  assert set(found.tolist()) <= {0, 65}
  assert 65 in found


def test_sums_are_exact_after_many_changes():
  """Sums are recomputed: what was very large once leaves no rounding error behind."""
  tree = sum_tree.SumTree()
  tree.set(np.array([3, 70]), np.array([1e16, 1e16]))
  tree.set(np.array([3, 70, 71]), np.array([0.25, 0.0, 0.5]))
  assert tree.total == 0.75


def test_a_larger_tree_of_the_same_weights_sums_and_finds_the_same():
  """After a restart the tree may have another size: nothing that is sampled may depend on it."""
  weights = np.random.default_rng(0).random(300)
  small, large = sum_tree.SumTree(), sum_tree.SumTree()
  small.set(np.arange(300), weights)
  large.set(np.array([100_000]), np.array([1.0]))
  large.set(np.array([100_000]), np.array([0.0]))
  large.set(np.arange(300), weights)
  shares = np.random.default_rng(1).random(1000)
  assert small.total == large.total
  np.testing.assert_array_equal(small.find(shares), large.find(shares))
