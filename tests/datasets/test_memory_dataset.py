"""Data sets in memory, stacking rows, and what importing the package costs."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from dm_env import specs as dm_specs

from tfacme import core, datasets, errors


def _row(t, last):
  return core.Step({'x': np.full(2, t, np.float64)}, np.int64(t), 0.5, 1.0, t == 0, last, (np.float32(t),))


def _episode(transitions):
  return datasets.episode([_row(t, t == transitions) for t in range(transitions + 1)])


def test_episode_stacks_rows():
  step = _episode(3)
  assert step.observation['x'].shape == (4, 2)
  assert step.first.tolist() == [True, False, False, False]
  assert step.last.tolist() == [False, False, False, True]
  assert step.extras[0].tolist() == [0, 1, 2, 3]


def test_memory_is_in_single_precision():
  spec = datasets.memory([_episode(3)]).spec()
  assert spec.observation == {'x': dm_specs.Array((2,), np.float32)}
  assert spec.action == dm_specs.Array((), np.int32)
  assert spec.reward == spec.discount == dm_specs.Array((), np.float32)


def test_order_is_a_function_of_the_seed():
  data = datasets.memory([_episode(t + 1) for t in range(20)])
  orders = [[len(step.last) for step in data.episodes(seed)] for seed in (1, 1, 2)]
  assert orders[0] == orders[1] != orders[2]
  assert sorted(orders[0]) == sorted(orders[2]) == list(range(2, 22))


def test_memory_travels_and_has_a_hash():
  data = datasets.memory([_episode(2)])
  copy = pickle.loads(pickle.dumps(data))
  np.testing.assert_array_equal(next(copy.episodes(0)).action, next(data.episodes(0)).action)
  assert {data: 1}[data] == 1


@pytest.mark.parametrize(
  'episodes, message',
  [
    ([], 'is empty'),
    ([_episode(2), _episode(1)._replace(reward=np.zeros((2, 3)))], 'Episode 1 .* other types or shapes'),
    ([_episode(1)._replace(last=np.array([False, False]))], 'marked as last'),
    ([_episode(1)._replace(last=np.array([True, True]))], 'marked as last'),
    ([_episode(0)], 'at least two rows'),
    ([_episode(1)._replace(reward=np.zeros(3))], 'In episode 0, reward is of the shape'),
    (
      [_episode(1)._replace(discount=np.array([7.0, 0.0]))],
      'row 0 of episode 0 of .* the discount is 7, .* and they have to lie between 0 and 1',
    ),
  ],
)
def test_check_names_what_is_wrong(episodes, message):
  with pytest.raises(errors.UserError, match=message) as error:
    datasets.memory(episodes).check()
  assert '\n' not in str(error.value)


def test_importing_the_package_imports_no_tensorflow():
  script = 'import sys; from tfacme import datasets; print({"tensorflow", "tensorflow_datasets"} & set(sys.modules))'
  assert subprocess.run([sys.executable, '-c', script], capture_output=True, text=True).stdout == 'set()\n'
