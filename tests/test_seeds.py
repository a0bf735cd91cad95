"""Seeds are functions of the run's seed, a role and an index."""

from tfacme import seeds


def test_a_seed_is_the_same_in_every_process_and_version():
  """Written down, so that a run from long ago can be repeated."""
  assert seeds.derive(0, 'learner') == 923646172
  assert seeds.derive(7, 'actor', 3) == 1858993982


def test_seeds_differ_in_the_run_the_role_and_the_index():
  derived = [
    seeds.derive(seed, role, index)
    for seed in (*range(20), 2**40, -1)
    for role in ('actor', 'actor/1', 'learner', '')
    for index in range(20)
  ]
  assert len(set(derived)) == len(derived)


def test_seeds_are_positive_numbers_of_31_bits():
  derived = [seeds.derive(seed, 'role') for seed in range(2000)]
  assert all(0 <= seed < 2**31 for seed in derived)
  # As many in the upper as in the lower half, give or take 4.5 standard deviations.
  assert 900 < sum(seed >= 2**30 for seed in derived) < 1100
