"""What is said of a data set, with numbers worked by hand."""

import numpy as np
import pytest
from dm_env import specs as dm_specs

from tfacme import core, datasets, errors, specs
from tfacme.datasets import summary


def _episode(positions, rewards, terminal, action=0, **changes):
  rows = len(positions)
  discount = np.ones(rows, np.float32)
  discount[rows - 1 - terminal :] = 0
  step = core.Step(
    observation={'x': np.array(positions, np.float32)[:, None], 'frame': np.full((rows, 2, 2), 7, np.uint8)},
    action=np.full(rows, action, np.int32),
    reward=np.array([*rewards, 0], np.float32),
    discount=discount,
    first=np.arange(rows) == 0,
    last=np.arange(rows) == rows - 1,
  )
  return step._replace(**changes)


def test_numbers_by_hand():
  found = summary.summarize(
    [_episode([0, 1, 2, 3], [1, 1, 1], True), _episode([4, 4], [-2], False), _episode([0, 8, 1], [0, 5], False, 2)]
  )
  assert (found.episodes, found.steps, found.cut) == (3, 6, 2)
  assert found.returns.tolist() == [3, -2, 5] and found.lengths.tolist() == [3, 1, 2]
  assert found.terminated.tolist() == [True, False, False] and found.standing.tolist() == [False, True, False]
  assert list(found.fields) == ['observation/frame', 'observation/x', 'action', 'reward', 'discount']
  x = np.array([0, 1, 2, 3, 4, 4, 0, 8, 1])
  field = found.fields['observation/x']
  assert (field.least, field.largest, field.strange_rows) == (0, 8, 0) and field.shape == (1,)
  np.testing.assert_allclose([field.mean, field.deviation], [x.mean(), x.std()])
  # The row of the final observation has no action, no reward and no discount.
  reward, discount = found.fields['reward'], found.fields['discount']
  np.testing.assert_allclose([reward.mean, discount.mean], [1, 5 / 6])
  assert found.fields['action'].largest == 2 and found.fields['observation/frame'].mean == 7


def test_blocks_make_no_difference(monkeypatch):
  values = np.random.default_rng(0).normal(1e4, 1, (1000, 3)).astype(np.float32)
  step = _episode(np.arange(1001), np.ones(1000), False)._replace(extras={'e': np.concatenate([values, values[:1]])})
  monkeypatch.setattr(summary, '_BLOCK', 30)
  field = summary.summarize([step, step]).fields['extras/e']
  np.testing.assert_allclose([field.mean, field.deviation], [values.mean(dtype=float), values.std(dtype=float)])
  np.testing.assert_array_equal(field.minimum, values.min(axis=0))
  np.testing.assert_array_equal(field.maximum, values.max(axis=0))


def test_what_is_not_finite_is_counted():
  good, bad = _episode([0, 1, 2], [1, 1], True), _episode([np.nan, 1, np.inf], [1, np.nan], True)
  found = summary.summarize([good, bad])
  field = found.fields['observation/x']
  assert (field.strange_rows, field.strange_episodes, field.least, field.largest, field.mean) == (2, 1, 0, 2, 1)
  first, second = summary.findings(found)
  assert first.startswith('observation/x is NaN or infinite in 2 rows of 1 episode:')
  assert second.startswith('reward is NaN or infinite in 1 row of 1 episode:')
  nothing = summary.summarize([bad._replace(reward=np.full(3, np.nan, np.float32))]).fields['reward']
  assert np.isnan([nothing.least, nothing.largest, nothing.mean, nothing.deviation]).all()


def test_findings():
  assert summary.findings(summary.summarize([_episode([0, 1, 2], [1, 1], True)])) == []
  suspicious = [
    _episode([0, 1, 2, 3], [0, 0, 0], True),
    _episode([0, 1, 1], [0, 0], False),
    _episode([0, 1, 2, 2], [0, 0, 0], True, discount=np.array([1, 7, 0, 0], np.float32)),
  ]
  cut, standing, rewards, discounts = summary.findings(summary.summarize(suspicious))
  assert cut.startswith('1 episode may be cut: truncated before 3 steps')
  assert standing.startswith('1 truncated episode may lack the final observation')
  assert rewards == 'Every reward is 0.'
  assert discounts == 'Discounts are from 0 to 7, and have to lie between 0 and 1.'
  with pytest.raises(errors.UserError, match='no episode with a transition'):
    summary.summarize([])


def test_limits_and_other_scales_are_looked_at_twice():
  long = lambda terminal, steps=50: _episode(np.arange(steps + 1), np.ones(steps), terminal)
  said = lambda *given: summary.findings(summary.summarize(given))
  assert said(long(True), long(True)) == [
    'All episodes terminate after 50 steps: if that is a limit of steps, and no end of the task, say --dataset.ends '
    'truncated.'
  ]
  assert not summary.findings(summary.summarize([long(True)] * 2), ends_told=True)
  for others in ((long(True),), (long(True), long(False)), (long(True), long(True, 51))):
    assert not said(*others)
  assert not said(long(True, 9), long(True, 9))  # as games are
  push = specs.EnvironmentSpec(
    dm_specs.Array((1,), np.float32),
    dm_specs.BoundedArray((2,), np.float32, [-2, 0], [2, 4]),
    dm_specs.Array((), np.float32),
    dm_specs.BoundedArray((), np.float32, 0, 1),
  )
  for least, largest, words in (([-1, 1], [1, 3], ', and in the inner half of it'), ([-1, 1], [1, 3.1], '')):
    action = np.array([least, largest, largest], np.float32)
    found = summary.summarize([_episode([0, 1, 2], [1, 1], True)._replace(action=action)])
    assert summary.against(found, push)['action'] == f'within -2 to 4{words}'


def test_against_an_environment():
  found = summary.summarize([_episode([-1, 0, 1.00001], [1, 1], True, action=3)])
  spec = specs.EnvironmentSpec(
    observations={'x': dm_specs.BoundedArray((1,), np.float32, -1, 1), 'frame': dm_specs.Array((2, 2), np.uint8)},
    actions=dm_specs.DiscreteArray(3),
    rewards=dm_specs.Array((), np.float32),
    discounts=dm_specs.BoundedArray((), np.float32, 0, 1),
  )
  assert summary.against(found, spec) == {
    'observation/x': 'within -1 to 1',
    'action': 'beyond 0 to 2',
  }
  half = spec._replace(observations={'x': dm_specs.BoundedArray((1,), np.float32, -np.inf, 0)})
  assert summary.against(found, half)['observation/x'] == 'beyond its bounds in [0]'


def test_histogram():
  assert summary.histogram(np.array([2.0, 2, np.nan])) == [(2, 2, 2)]
  assert summary.histogram(np.array([np.nan])) == []
  parts = summary.histogram(np.arange(11.0))
  assert [count for _, _, count in parts] == [1] * 9 + [2] and parts[0][:2] == (0, 1) and parts[-1][:2] == (9, 10)


def test_damages(tmp_path):
  step = _episode([0, 1, 2], [1, 1], True)
  with datasets.RLDSWriter(tmp_path / 'data', datasets.memory([step]).spec(), shard_bytes=1) as writer:
    for _ in range(3):
      writer.write(step)
  data = datasets.rlds(str(tmp_path / 'data'))
  assert datasets.damages(data) == []
  first, second, _ = sorted((tmp_path / 'data').glob('*.tfrecord*'))
  first.unlink()
  content = bytearray(second.read_bytes())
  content[40] ^= 1
  second.write_bytes(content)
  missing, altered = datasets.damages(data)
  assert str(first) in missing and 'is missing' in missing and str(second) in altered and 'checksum' in altered
