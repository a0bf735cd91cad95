"""What names a data set, and which of its episodes are read: folders, `tfds:NAME`, several, splits, filters, names."""

import os

import numpy as np
import pytest
import tensorflow_datasets as tfds
from dm_env import specs as dm_specs

from tests.datasets import foreign
from tfacme import core, datasets, errors, specs
from tfacme.cli import options as options_lib
from tfacme.cli import parsing
from tfacme.datasets import folder, layout, reader, summary
from tfacme.replay import recorded
from tfacme.replay.items import Items
from tfacme.runs import naming

features = tfds.features
Options = datasets.Options


def _message(function):
  with pytest.raises(errors.UserError) as error:
    function()
  assert '\n' not in str(error.value)
  return str(error.value)


def _lengths(data, seed=0):
  return sorted(len(step.last) - 1 for step in data.episodes(seed))


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """Seven episodes of 1 to 7 transitions, whose returns are 1, 3, 6, 10 ...; the even ones are an expert's."""
  recorded = [{**foreign.rows(t), 'policy': 'expert' if t % 2 == 0 else 'random', 'seed': t} for t in range(1, 8)]
  metadata = {'policy': features.Text(), 'seed': features.Scalar(np.int64)}
  return foreign.write(tmp_path_factory.mktemp('sources') / 'data', recorded, metadata=metadata)


@pytest.mark.parametrize(
  'options, lengths',
  [
    ({}, [1, 2, 3, 4, 5, 6, 7]),
    ({'split': 'train[2:4]'}, [3, 4]),
    ({'episodes': 3}, [1, 2, 3]),
    ({'where': ['return>=10']}, [4, 5, 6, 7]),
    ({'where': ['length < 3', 'return>1']}, [2]),
    ({'where': ['policy=expert']}, [2, 4, 6]),
    ({'where': ['policy != expert', 'seed>=3']}, [3, 5, 7]),
    ({'best': 0.3}, [5, 6, 7]),
    ({'where': ['policy=expert'], 'best': 0.5}, [4, 6]),
    ({'where': ['policy=expert'], 'episodes': 2}, [2, 4]),
  ],
)
def test_episodes_are_chosen(written, options, lengths):
  data = datasets.rlds(written.path, options=Options(**options))
  assert _lengths(data) == lengths and data.size == len(lengths)
  assert data.check().episodes == len(lengths)
  assert [len(one.steps.last) - 1 for one in data.recorded()] == lengths
  assert data == datasets.rlds(written.path, options=Options(**options)) and hash(data)


@pytest.mark.parametrize(
  'options, says',
  [
    (
      {'where': ['return>100']},
      'No episode of the data set .* fits return>100: of all, return is from 1 to 28.',
    ),
    ({'where': ['policy=nobody', 'length>3']}, 'of all, policy is .*random.*, and length is from '),
    ({'where': ['policy==random']}, "'policy==random' is no condition of episodes"),
    ({'where': ['polcy=expert']}, "no metadata of the episodes 'polcy'; did you mean policy"),
    ({'where': ['policy>3']}, "policy is 'random', and can not be compared with > 3"),
    ({'where': ['expert']}, "'expert' is no condition of episodes: it has to be such as"),
    ({'episodes': 8}, 'There are 7 episodes in the data set .*, and 8 are asked for'),
    ({'where': ['seed<3'], 'episodes': 3}, 'There are 2 episodes that are chosen in the data set'),
    ({'best': 0.0}, 'best is 0'),
    ({'split': 'test'}, "no split 'test'"),
  ],
)
def test_a_choice_that_can_not_be_made_is_a_sentence(written, options, says):
  with pytest.raises(errors.UserError, match=says):
    datasets.rlds(written.path, options=Options(**options)).check()


def test_episodes_are_chosen_by_the_returns_that_are_shown(tmp_path):
  rewards = np.random.default_rng(0).normal(1e3, 1, 3001).astype(np.float32)
  written = foreign.write(tmp_path / 'data', [foreign.rows(2), dict(foreign.rows(3000), reward=rewards)])
  shown = summary.summarize(written.episodes()).returns.max()
  assert shown != float(rewards[:-1].sum())  # in single precision
  chosen = datasets.rlds(written.path, options=Options(where=[f'return={float(shown)}']))
  assert chosen.size == 1 == datasets.best(datasets.memory(written.episodes()), 0.5).size
  (episode,) = chosen.episodes()
  assert datasets.metadata_of(episode, datasets.Origin())['return'] == shown


def test_what_is_left_out_may_be_broken(tmp_path):
  broken = {**foreign.rows(2), 'reward': np.float32([np.nan, 1, 0]), 'seed': 1}
  data = foreign.write(
    tmp_path / 'data', [broken, {**foreign.rows(3), 'seed': 2}], metadata={'seed': features.Scalar(np.int64)}
  )
  assert 'reward is nan' in _message(data.check)
  datasets.rlds(data.path, options=Options(where=['seed=2'])).check()


def test_to_choose_no_observation_is_decoded(written, monkeypatch, caplog):
  decode, decoded = layout.features.Column.decode, set()
  monkeypatch.setattr(layout.features.Column, 'decode', lambda self, *of: decoded.add(self.name) or decode(self, *of))
  by_metadata = datasets.rlds(written.path, options=Options(where=['policy=expert', 'seed>2']))
  assert by_metadata.size == 2 and decoded == {'seed'}
  monkeypatch.setattr(reader, '_PATIENCE', -1.0)
  data = datasets.rlds(written.path, options=Options(where=['policy=expert'], best=0.5))
  assert data.size == 2 and caplog.text.count(f'All of the data set {written.path} is read to choose its epi') == 1
  assert data.size == 2 and sorted(data.lengths()) == [4, 6]
  assert decoded & {'steps/reward'} and not decoded & {'steps/observation', 'steps/action'}
  assert _lengths(data) == [4, 6] and decoded >= {'steps/observation', 'steps/action'}


def test_several_are_read_once_each(written):
  data = datasets.named([written.path, written.path], Options(episodes=3))
  data.check()
  assert _lengths(data) == [1, 1, 2, 2, 3, 3]
  orders = [[len(step.last) for step in data.episodes(seed)] for seed in (1, 1, 2, 3)]
  assert orders[0] == orders[1] and len(set(map(tuple, orders))) > 1
  assert naming.name(data).startswith('Several(datasets=(RLDS(path=')


def test_the_size_of_blocks_goes_through_what_is_around_a_data_set(written):
  small, other = datasets.rlds(written.path, options=Options(block_megabytes=3)), datasets.rlds(written.path)
  wrapped = datasets.Wrapped(small, specs.EnvironmentSpec(*small.spec()[:4]), ())
  for data in (small, wrapped, datasets.best(wrapped, 0.5), datasets.several([other, small])):
    assert data.block_bytes == 3 << 20
  assert datasets.several([other, datasets.memory([])]).block_bytes == 1 << 28
  assert 'block_megabytes is 0' in _message(lambda: Options(block_megabytes=0))


def test_several_come_by_their_sizes_also_within_others():
  """Episodes of a small data set are spread over all of a large one, whatever is around either."""
  rows = lambda count, reward: [{'steps': {**foreign.rows(1), 'reward': np.float32([reward, 0])}}] * count
  small, large = datasets.memory(rows(5, 1)), datasets.memory(rows(495, 2))
  wrapped = lambda data: datasets.Wrapped(data, specs.EnvironmentSpec(*data.spec()[:4]), ())
  for around in (wrapped, datasets.best, lambda data: datasets.several([data])):
    both = datasets.several([around(small), around(large)])
    order = [float(step.reward[0]) for step in both.episodes(0)]
    assert both.size == 500 and order.count(1) == 5 and 1 in order[250:]


def test_several_with_other_extras_have_only_those_of_one_form():
  def data(size, dtype=np.float32):
    extras = {'state': np.zeros((2, size), dtype), 'x': np.ones(2)}
    return datasets.memory([{'steps': {**foreign.rows(1), 'extras': extras}}])

  both = datasets.several([data(3), data(3)])
  assert list(both.spec().extras) == ['state', 'x'] and both.left_out == ()
  for other, form in ((data(4), 'float32 [4]'), (data(3, np.int32), 'int32 [3]')):
    both = datasets.several([data(3), other])
    assert list(both.spec().extras) == ['x'] == list(next(both.episodes()).extras)
    assert both.left_out == (f'extras/state is not alike in all (float32 [3], {form})',)
    read = recorded.Recorded(Items(2), 1, both, 1 << 20, both.spec())
    assert [list(step.extras) for step in read.episodes(0)] == [['x']] * 2


def test_the_best_are_not_known_where_a_return_is_not(tmp_path):
  recorded = [foreign.rows(2) for _ in range(3)]
  for episode, reward in zip(recorded, (1.0, np.nan, 5.0)):
    episode['reward'] = np.array([reward, 0.0, 0.0], np.float32)
  data = foreign.write(tmp_path / 'data', recorded)
  best = lambda **options: datasets.rlds(data.path, options=Options(best=0.3, **options))
  for read in (
    lambda: list(best().episodes()),
    lambda: list(datasets.best(datasets.memory(data.episodes())).episodes()),
  ):
    assert 'Of one episode the return is NaN, so it is not known which are the best' in _message(read)
  (episode,) = best(where=['return>-1e30']).episodes()
  assert episode.reward[0] == 5.0


def test_the_best_of_data_with_options_is_theirs_to_choose(written):
  assert 'say datasets.Options(best=0.3) where it is opened' in _message(lambda: datasets.best(written, 0.3))


def test_several_with_shares(written):
  small = datasets.rlds(written.path, options=Options(episodes=2))  # 3 transitions
  large = datasets.rlds(written.path, options=Options(where=['length>2']))  # 25
  transitions = {'small': 0, 'large': 0}
  seen = []
  for step in datasets.several([small, large], [3, 1]).episodes(0):
    length = len(step.last) - 1
    transitions['small' if length <= 2 else 'large'] += length
    seen.append(length)
  assert {3, 4, 5, 6, 7} <= set(seen)
  assert abs(transitions['small'] - 3 * transitions['large']) <= 7 * 3
  assert 'Shares (1) and data sets (2) have to be as many' in _message(lambda: datasets.several([small, large], [1.0]))


def test_several_have_what_all_of_them_have(tmp_path):
  one, other = foreign.rows(2), foreign.rows(3)
  position = np.zeros((4, 2), np.float32)
  one['observation'] = {'position': position[:3], 'more': position[:3]}
  other['observation'] = {'position': position}
  part = features.Tensor(shape=(2,), dtype=np.float32)
  wide = foreign.write(tmp_path / 'wide', [one], observation={'position': part, 'more': part})
  narrow = foreign.write(tmp_path / 'narrow', [other], observation={'position': part})
  for data in (datasets.several([wide, narrow]), datasets.several([narrow, wide])):
    data.check()
    assert data.spec().observation == {'position': dm_specs.Array((2,), np.float32)}
    assert [list(step.observation) for step in data.episodes(0)] == [['position']] * 2


def test_several_may_differ_in_sides_of_one_alone():
  """Rewards of shapes [T], [T, 1] and [T, 2], such as tools write them."""
  sets = []
  for start, shape in ((1, (-1,)), (11, (-1, 1)), (21, (-1, 2))):
    size = 8 if shape[1:] == (2,) else 4
    reward = np.arange(start, start + size, dtype=np.float32)
    rows = [
      core.Step(np.zeros(2, np.float32), np.int32(1), reward.reshape(shape)[t], 1.0, t == 0, t == 3) for t in range(4)
    ]
    sets.append(datasets.memory([datasets.episode(rows)]))
  plain, column, pair = sets
  number = dm_specs.Array((), np.float32)
  spec = specs.EnvironmentSpec(dm_specs.Array((2,), np.float32), dm_specs.DiscreteArray(2), number, number)
  for order in ([plain, column], [column, plain]):
    data = datasets.several(order)
    data.check()
    fitted = datasets.fit(data, None, spec)
    reader = recorded.DataReader(recorded.Recorded(Items(length=2), 6, fitted, 1 << 20, core.step_spec(spec)), seed=0)
    (read, _) = reader.codec.views(reader.read(60.0, 0).columns)
    reader.close()
    assert sorted(read.reward[:, 0].tolist()) == [1, 2, 3, 11, 12, 13]
  message = _message(datasets.several([plain, pair]).check)
  assert f'differ in reward: it is float32 [] in {plain.id}, and float32 [2] in {pair.id}' in message


def test_fields_under_other_names(tmp_path):
  recorded = foreign.rows(2)
  count = len(recorded['action'])
  recorded['observation'] = {'state': np.arange(count, dtype=np.float32), 'image': np.zeros((count, 2), np.float32)}
  recorded['info'] = {'score': np.arange(count, dtype=np.float32), 'words': ['a'] * count}
  data = foreign.write(
    tmp_path / 'data',
    [recorded],
    observation={'state': np.float32, 'image': features.Tensor(shape=(2,), dtype=np.float32)},
    info={'score': np.float32, 'words': np.str_},
  )
  read = lambda **options: datasets.rlds(data.path, options=Options(**options))
  assert next(read(observation=['observation/state']).episodes()).observation.tolist() == [0, 1, 2]
  named = next(read(observation=['position=observation/state', 'score=info/score']).episodes()).observation
  assert sorted(named) == ['image', 'position', 'score'] and named['position'].tolist() == [0, 1, 2]
  assert next(read(reward='info/score').episodes()).reward.tolist() == [0, 1, 0]
  assert next(read(action=['observation/image']).episodes()).action.shape == (3, 2)
  assert 'did you mean info/score' in _message(read(observation=['info/scor']).check)
  assert 'The field info/words of a step is text' in _message(read(reward='info/words').check)
  assert 'has to be one field, or PART=FIELD' in _message(lambda: Options(observation=['a', 'b']))


def test_a_data_set_of_tfds_by_its_name(tmp_path, written, monkeypatch):
  for place in ('walker/run/0.9.0', 'walker/run/0.10.0', 'walker/walk/1.0.0', 'hopper/1.0.0'):
    os.makedirs(tmp_path / os.path.dirname(place), exist_ok=True)
    os.symlink(written.path, tmp_path / place)
  monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path))
  assert datasets.rlds('tfds:hopper').folder == str(tmp_path / 'hopper/1.0.0')
  assert datasets.rlds('tfds:walker/run').folder == str(tmp_path / 'walker/run/0.10.0')
  assert datasets.rlds('tfds:walker/run:0.9.0').folder == str(tmp_path / 'walker/run/0.9.0')
  assert len(_lengths(datasets.named(['tfds:hopper']))) == 7
  assert 'walker has several configs: name one, as in tfds:walker/run' in _message(datasets.rlds('tfds:walker').check)
  assert "no data set 'hoper'; did you mean hopper" in _message(datasets.rlds('tfds:hoper').check)
  assert 'There is no tfds:hopper:2.0.0 in' in _message(datasets.rlds('tfds:hopper:2.0.0').check)
  elsewhere = Options(data_dir=str(tmp_path / 'nowhere'))
  assert "no data set 'hopper'" in _message(datasets.rlds('tfds:hopper', options=elsewhere).check)


def test_on_a_command_line():
  words = '--env gym:CartPole-v1 --dataset a b --dataset.shares 0.7 0.3 --dataset.observation x=observation/y'
  options = parsing.parse(options_lib.TrainOptions, words.split() + ['--dataset.where', 'return>=3'], 'tfacme train')
  assert options.dataset == ('a', 'b')
  assert options.data == Options(shares=(0.7, 0.3), observation=('x=observation/y',), where=('return>=3',))


@pytest.mark.parametrize('as_rows', [False, True])
def test_any_iterable_of_episodes_of_rlds(as_rows):
  steps = {name: foreign.rows(2)[name] for name in ('action', 'reward', 'is_last', 'is_terminal', 'language')}
  steps['observation'] = {'x': np.arange(3.0), 'word': ['a', 'b', 'c']}
  rows = [
    {**{n: v[t] for n, v in steps.items() if n != 'observation'}, 'observation': {'x': float(t)}} for t in range(3)
  ]
  data = datasets.memory({'steps': rows if as_rows else steps} for _ in range(2))
  data.check()
  (step, _) = data.episodes()
  assert step.observation['x'].tolist() == [0, 1, 2] and list(step.observation) == ['x']
  assert step.reward.tolist() == [1, 2, 0] and step.discount.tolist() == [1, 0, 0]
  assert data.spec().observation == {'x': dm_specs.Array((), np.float32)}
  assert isinstance(step, core.Step)


def test_an_iterable_that_does_not_say_its_last_row():
  steps = {'observation': np.zeros(3), 'action': np.arange(3), 'reward': np.float32([0, 0, 1])}
  assert 'The last row of episode 0 of the data set in memory is not marked' in _message(
    lambda: datasets.memory([{'steps': steps}])
  )
  (step,) = datasets.memory([{'steps': steps}], Options(last_row='transition', ends='terminated')).episodes()
  assert step.reward.tolist() == [0, 0, 1, 0] and step.discount.tolist() == [1, 1, 0, 0]


def test_array_records(tmp_path):
  pytest.importorskip('array_record')
  recorded = [{**foreign.rows(t), 'seed': t} for t in range(1, 8)]
  data = foreign.write(tmp_path / 'data', recorded, file_format='array_record')
  folder._array_reader.cache_clear()
  data.check()
  assert _lengths(data) == [1, 2, 3, 4, 5, 6, 7]
  assert folder._array_reader.cache_info().misses == len(data.shards) == 4  # Each file is opened once.
  with open(data.shards[0].path, 'r+b') as file:
    file.truncate(100)
  assert f'The shard {data.shards[0].path} is damaged' in _message(datasets.rlds(data.path).check)
