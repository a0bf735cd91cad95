"""Data sets in memory, stacking rows, and what importing the package costs."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from dm_env import specs as dm_specs

from tfacme import core, datasets, errors, specs


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


def _rlds(**changes):
  """An episode of three transitions as RLDS has it; what changes to None is left out."""
  flag = np.arange(4) == 3
  fields = {'observation': np.zeros((4, 1)), 'action': np.zeros(4, np.int32), 'reward': np.float32([1, 2, 3, 0])}
  fields = {**fields, 'is_last': flag, 'is_terminal': flag, **changes}
  return {'steps': {name: values for name, values in fields.items() if values is not None}}


@pytest.mark.parametrize(
  'changes, options, lacks',
  [
    ({}, {}, ()),
    ({'reward': None}, {}, ('reward',)),
    ({'is_terminal': None}, {}, ('discount',)),
    ({'is_terminal': None, 'discount': np.ones(4)}, {}, ()),
    ({'is_terminal': None}, {'ends': 'terminated'}, ()),
    ({'reward': None, 'is_terminal': None}, {}, ('reward', 'discount')),
  ],
)
def test_memory_knows_what_is_not_said(changes, options, lacks):
  data = datasets.memory([_rlds(), _rlds(**changes)], datasets.Options(**options))
  data.check()
  assert data.lacks == lacks == datasets.several([data, datasets.memory([_episode(2)])]).lacks


def test_an_agent_that_learns_from_rewards_refuses_memory_without():
  row = specs.EnvironmentSpec(
    dm_specs.Array((1,), np.float32), dm_specs.DiscreteArray(2), *[dm_specs.Array((), np.float32)] * 2
  )
  data = datasets.memory([_rlds(reward=None)])
  with pytest.raises(errors.UserError, match='The steps of the data set in memory have no reward, and this agent'):
    datasets.fit(data, None, row)
  assert datasets.fit(data, None, row, rewards=False) is data
  with pytest.raises(errors.UserError, match='memory have no is_terminal or discount'):
    datasets.fit(datasets.memory([_rlds(is_terminal=None)]), None, row)


def test_rewards_of_last_rows_do_not_get_lost_in_silence(caplog):
  only, some = _rlds(reward=np.float32([0, 0, 0, 5])), _rlds(reward=np.float32([0, 1, 0, 5]))
  with pytest.raises(errors.UserError, match='In the data set in memory the last row of an episode holds the only rew'):
    datasets.memory([only]).check()
  datasets.memory([only, some]).check()
  assert 'the last row of 2 episodes holds a reward (up to 5) that is left out' in caplog.text
  caplog.clear()
  datasets.memory([only, some], datasets.Options(last_row='observation')).check()
  assert not caplog.text


def test_a_step_says_nothing_in_the_row_of_its_final_observation(caplog):
  """As RLDS has it: a reward there gets lost, which is told, and refused if it is the only one."""
  given = _episode(2)._replace(reward=np.float32([0, 0, 5]))
  with pytest.raises(errors.UserError, match='the only reward .up to 5. .* it is that of the final observation: if it'):
    datasets.memory([given]).check()
  data = datasets.memory([given, _episode(1)])
  data.check()
  assert 'In the data set in memory the last row of 2 episodes holds a reward (up to 5) that is left out' in caplog.text
  (step,) = (step for step in data.episodes() if len(step.last) == 3)
  assert step.reward.tolist() == [0, 0, 0] and step.action.tolist() == [0, 1, 0] and step.discount.tolist() == [1, 1, 0]
  assert step.observation['x'][-1].tolist() == [2, 2] and given.reward[-1] == 5
  caplog.clear()
  datasets.memory([given, _episode(1)], datasets.Options(last_row='observation')).check()
  assert not caplog.text
  step = next(datasets.memory([given._replace(reward=np.float32([1, 1, np.nan]))]).episodes())
  assert step.reward.tolist() == [1, 1, 0]


def _said(length, **facts):
  rows = np.arange(length + 1)
  steps = {
    'observation': rows,
    'action': rows,
    'reward': rows,
    'is_last': rows == length,
    'is_terminal': rows == length,
  }
  return {'steps': steps, **facts}


def test_options_choose_among_episodes_in_memory():
  given = [_said(length, player=b'one' if length % 2 else 'two', points=length / 2) for length in (4, 1, 3, 2)]
  lengths = lambda **options: [len(s.last) - 1 for s in datasets.memory(given, datasets.Options(**options)).steps]
  assert lengths() == [4, 1, 3, 2]
  assert lengths(where='length>=2') == [4, 3, 2]
  assert lengths(where=['return>=1', 'player=one']) == [3]  # the returns are 6, 0, 3, 1
  assert lengths(where=['points<2'], episodes=2) == [1, 3]
  assert lengths(best=0.5) == [4, 3]
  with pytest.raises(
    errors.UserError, match='No episode of the data set in memory fits return>=7: of all, return is fr'
  ):
    lengths(where=['return>=7'])
  with pytest.raises(errors.UserError, match='There are 4 episodes in the data set in memory, and 5 are asked for'):
    lengths(episodes=5)
  whole = [datasets.memory(given).steps[1], *given]
  assert len(datasets.memory(whole, datasets.Options(where=['length=1'])).steps) == 2
  with pytest.raises(errors.UserError, match='Options of episodes in memory are where, .*; split, action: for data'):
    lengths(split='test', action='act')


def test_episodes_that_are_not_chosen_say_nothing():
  good, short = _said(3, player='a'), _said(2, player='b')
  without = {'steps': {k: v for k, v in _said(1)['steps'].items() if k not in ('is_terminal', 'reward')}, 'player': 'c'}
  data = datasets.memory([good, short, without], datasets.Options(where=['player!=c']))
  assert data.size == 2 and data.lacks == () and datasets.memory([good, without]).lacks == ('reward', 'discount')
  for options in ({'best': 0.5}, {'where': ['return>=1']}):
    with pytest.raises(errors.UserError, match='Episodes of the data set in memory have no returns to choose by'):
      datasets.memory([good, without], datasets.Options(**options))
  unmarked = {'steps': {k: v for k, v in _said(1)['steps'].items() if k != 'is_last'}, 'player': 'd'}
  unmarked['steps']['is_terminal'] = unmarked['steps']['is_terminal'] & False
  assert datasets.memory([good, unmarked], datasets.Options(where='player=a')).size == 1
  last = _said(2, player='e')
  last['steps']['reward'] = np.array([0, 0, 5])
  with pytest.raises(errors.UserError, match='the last row of an episode holds the only reward'):
    datasets.memory([last, good], datasets.Options(where='player=e')).check()


def test_metadata_are_found_as_in_files():
  odd = {
    'notes': [[1], [2, 3]],
    'thumb': b'\xff\xd8',
    'episode_metadata': {'player': np.bytes_(b'a'), 'seed': np.int64(3)},
  }
  given = [_said(2, **odd), _said(3, episode_metadata={'player': 'b', 'seed': 4})]
  assert datasets.memory(given).size == 2
  for condition, size in (('episode_metadata/player=a', 1), ('episode_metadata/seed>=3', 2)):
    assert datasets.memory(given, datasets.Options(where=condition)).size == size


def test_what_is_no_episode_is_one_sentence(tmp_path):
  with pytest.raises(errors.UserError, match="'runs/mine' is a path, and no episodes: datasets.rlds"):
    datasets.memory('runs/mine')
  row = {'observation': np.zeros(2), 'action': 0, 'reward': 0.0, 'is_last': False}
  with pytest.raises(
    errors.UserError, match='steps of episode 0 of the data set in memory are not alike, and make no a'
  ):
    datasets.memory([{'steps': [row, {**row, 'observation': np.zeros(3)}]}])
  with pytest.raises(errors.UserError, match='The spec of a writer is ndarray, and has to be a core.Step'):
    datasets.RLDSWriter(str(tmp_path), np.zeros(3))
  data = datasets.memory([_said(2)])
  with datasets.RLDSWriter(str(tmp_path), data.spec()) as writer:
    with pytest.raises(errors.UserError, match='An episode to write is dict, and has to be a core.Step'):
      writer.write(_said(2))


def test_a_notebook_shows_how_much_it_is():
  assert repr(datasets.memory([_said(2), _said(3)])) == '<Memory: 2 episodes, 5 transitions>'


def test_importing_the_package_imports_no_tensorflow():
  script = 'import sys; from tfacme import datasets; print({"tensorflow", "tensorflow_datasets"} & set(sys.modules))'
  assert subprocess.run([sys.executable, '-c', script], capture_output=True, text=True).stdout == 'set()\n'
