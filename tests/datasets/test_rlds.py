"""RLDS data sets: what is written is read again, by us and by plain `tfds`, and what is damaged is named."""

import collections
import json
import os
import pickle
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
import tree
from dm_env import specs as dm_specs
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets import foreign
from tfacme import core, datasets, errors, specs
from tfacme.datasets import reader

State = collections.namedtuple('State', 'hidden cell')


def _episode(transitions, terminal, seed=0):
  """An episode with a bit of everything in it, ended as the stream ends it."""
  random = np.random.default_rng([transitions, seed])
  rows = transitions + 1
  step = core.Step(
    observation={
      'arm/position': random.normal(size=(rows, 3)).astype(np.float32),
      'camera': random.integers(0, 256, (rows, 4, 5, 3)).astype(np.uint8),
      'nested': {'touch': random.random(rows) < 0.5, 'ids': random.integers(-5, 300, (rows, 2)).astype(np.int32)},
    },
    action=(random.normal(size=(rows, 2)).astype(np.float32), random.integers(0, 4, rows).astype(np.int32)),
    reward=random.normal(size=rows).astype(np.float32),
    discount=np.ones(rows, np.float32),
    first=np.arange(rows) == 0,
    last=np.arange(rows) == transitions,
    extras={'log_prob': random.normal(size=rows).astype(np.float32), 'none': ()},
  )
  for leaf in (*step.action, step.reward, step.discount):
    leaf[-1] = 0
  if terminal:
    step.discount[-2] = 0
  return step


def _write(path, episodes, **options):
  with datasets.RLDSWriter(path, datasets.memory(episodes[:1]).spec(), **options) as writer:
    for step in episodes:
      writer.write(step)
  return datasets.rlds(path)


def _read(data, seed=0):
  """The episodes in the order of their lengths, which tell them apart here."""
  return sorted(data.episodes(seed), key=lambda step: len(step.last))


def _assert_same(actual, expected):
  expected = expected._replace(extras={'log_prob': expected.extras['log_prob']})
  tree.assert_same_structure(actual, expected)
  for a, b in zip(tree.flatten(actual), tree.flatten(expected)):
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)


def _message(function):
  with pytest.raises(errors.UserError) as error:
    function()
  assert '\n' not in str(error.value)
  return str(error.value)


@pytest.fixture(scope='module')
def episodes():
  return [_episode(t + 1, terminal=t % 2 == 0) for t in range(12)]


@pytest.fixture
def recorded(tmp_path, episodes):
  """A data set of several shards."""
  return _write(tmp_path / 'data', episodes, shard_bytes=2000)


def _shards(data):
  return sorted(name for name in os.listdir(data.path) if 'tfrecord' in name)


def test_round_trip(recorded, episodes):
  recorded.check()
  assert len(_shards(recorded)) > 3
  for actual, expected in zip(_read(recorded), episodes, strict=True):
    _assert_same(actual, expected)


def test_plain_tfds_reads_it(recorded, episodes):
  read = tfds.builder_from_directory(recorded.path).as_dataset(split='train')
  steps = [list(step['steps'].as_numpy_iterator()) for step in read]
  for rows, expected in zip(sorted(steps, key=len), episodes, strict=True):
    stacked = tree.map_structure(lambda *leaves: np.stack(leaves), *rows)
    for name in ('observation', 'reward', 'discount'):
      tree.map_structure(np.testing.assert_array_equal, stacked[name], getattr(expected, name))
    np.testing.assert_array_equal(stacked['action']['0'], expected.action[0])
    np.testing.assert_array_equal(stacked['action']['1'], expected.action[1])
    np.testing.assert_array_equal(stacked['extras']['log_prob'], expected.extras['log_prob'])
    np.testing.assert_array_equal(stacked['is_first'], expected.first)
    np.testing.assert_array_equal(stacked['is_last'], expected.last)
    assert stacked['is_terminal'].tolist() == [False] * (len(rows) - 1) + [expected.discount[-2] == 0]


def test_spec_is_that_of_the_episodes(recorded, episodes):
  expected = datasets.memory(episodes).spec()
  actual = recorded.spec()
  assert actual.observation == expected.observation
  assert actual.action == expected.action
  assert actual.extras == {'log_prob': dm_specs.Array((), np.float32)}
  assert actual.reward == dm_specs.Array((), np.float32, 'reward')


def test_order_is_a_function_of_the_seed(recorded):
  orders = [[len(step.last) for step in recorded.episodes(seed)] for seed in (1, 1, 2)]
  assert orders[0] == orders[1] != orders[2]
  assert sorted(orders[0]) == sorted(orders[2]) == list(range(2, 14))


def test_one_shard_is_shuffled_too(tmp_path, episodes):
  data = _write(tmp_path / 'data', episodes)
  assert len(_shards(data)) == 1
  assert [len(step.last) for step in data.episodes(1)] != [len(step.last) for step in data.episodes(2)]


def test_what_is_read_may_be_written_to(recorded):
  for leaf in tree.flatten(next(recorded.episodes(0))):
    leaf[...] = 0


def test_a_data_set_travels_and_has_a_hash(recorded):
  assert pickle.loads(pickle.dumps(recorded)) == recorded
  assert {recorded: 1}[datasets.rlds(recorded.path)] == 1


def test_it_is_opened_once_as_long_as_its_files_are_the_same(tmp_path, episodes, monkeypatch):
  data, opened, builder = _write(tmp_path, episodes), [], reader.folder.builder
  monkeypatch.setattr(reader.folder, 'builder', lambda path: opened.append(path) or builder(path))
  data.check()
  assert data.spec() and data.size == len(list(data.episodes(0))) == len(episodes)
  assert len(opened) == 1
  _write(tmp_path, episodes[:2])
  opened.clear()
  assert data.size == len(list(data.episodes(0))) == len(episodes)
  data = datasets.rlds(tmp_path)
  assert data.size == len(list(data.episodes(0))) == len(episodes) + 2
  assert len(opened) == 1


def test_lengths_are_those_of_a_pass_and_read_nothing_again(tmp_path, episodes, monkeypatch):
  data = _write(tmp_path, episodes)
  assert list(data.lengths(3)) == [len(step.last) - 1 for step in data.episodes(3)]
  monkeypatch.setattr(reader.layout_lib.Layout, 'read', None)
  assert sorted(data.lengths(4)) == sorted(len(step.last) - 1 for step in episodes)


def test_a_part_of_a_split(recorded):
  first = {len(step.last) for step in datasets.rlds(recorded.path, 'train[:50%]').episodes(0)}
  second = {len(step.last) for step in datasets.rlds(recorded.path, 'train[50%:]').episodes(0)}
  assert len(first) == len(second) == 6 and len(first | second) == 12


def test_double_precision_becomes_single(tmp_path):
  row = core.Step([1.5, np.arange(11)], 3, 0.5, 1.0, False, False, State(np.zeros(2), np.ones(3)))
  step = datasets.episode([row._replace(first=True), row, row._replace(last=True)])
  with datasets.RLDSWriter(tmp_path, row) as writer:
    writer.write(step)
  spec = datasets.rlds(tmp_path).spec()
  assert spec.observation == (dm_specs.Array((), np.float32), dm_specs.Array((11,), np.int32))
  assert spec.action == dm_specs.Array((), np.int32)
  assert spec.extras == {'hidden': dm_specs.Array((2,), np.float32), 'cell': dm_specs.Array((3,), np.float32)}
  (read,) = datasets.rlds(tmp_path).episodes(0)
  np.testing.assert_array_equal(read.observation[1], step.observation[1])
  assert read.action.tolist() == [3, 3, 0]


@settings(max_examples=25, deadline=None)
@given(
  st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=8, unique_by=lambda e: e[0]),
  st.integers(100, 20_000),
  st.integers(0, 2**31),
)
def test_random_episodes(tmp_path_factory, lengths, shard_bytes, seed):
  recorded = [_episode(length, terminal, seed) for length, terminal in sorted(lengths)]
  data = _write(tmp_path_factory.mktemp('data'), recorded, shard_bytes=shard_bytes)
  for actual, expected in zip(_read(data, seed), recorded, strict=True):
    _assert_same(actual, expected)


# What goes wrong.


def test_a_missing_folder_or_one_of_something_else(tmp_path, recorded):
  assert 'There is no folder' in _message(datasets.rlds(tmp_path / 'nothing').check)
  (tmp_path / 'data.hdf5').touch()
  assert f'tfacme convert {tmp_path / "data.hdf5"} --out' in _message(datasets.rlds(tmp_path / 'data.hdf5').check)
  (tmp_path / 'empty').mkdir()
  assert f'{tmp_path / "empty"} is no RLDS data set' in _message(datasets.rlds(tmp_path / 'empty').check)
  assert f'did you mean {recorded.path}?' in _message(datasets.rlds(tmp_path).check)
  for other in ('parted/part-left', 'parted/part-right', 'zebra/1.0.0'):
    shutil.copytree(recorded.path, tmp_path / other)
  wanted = [recorded.path, tmp_path / 'parted', tmp_path / 'zebra' / '1.0.0']  # and no part of one
  assert f'did you mean {" or ".join(map(str, wanted))}?' in _message(datasets.rlds(tmp_path).check)


def test_the_folder_of_a_run_is_no_data_set_and_says_where_its_recording_is(tmp_path, recorded):
  for record, says in (
    ('"data/it"', 'it is the folder of a run, whose recording is in data/it.'),
    ('null', f'of a run, which recorded nothing: tfacme record --run {tmp_path / "run"} --out DIR does'),
  ):
    (tmp_path / 'run').mkdir(exist_ok=True)
    (tmp_path / 'run' / 'experiment.json').write_text(f'{{"record": {record}}}')
    assert says in _message(datasets.rlds(tmp_path / 'run').check)
  row = recorded.spec()
  for part in (None, 'left'):
    refused = lambda part=part: datasets.RLDSWriter(tmp_path / 'run', row, part=part)
    assert 'run is the folder of a run, and no data set' in _message(refused)
  assert sorted(path.name for path in (tmp_path / 'run').iterdir()) == ['experiment.json']


def test_a_split_that_is_not_there(recorded):
  assert 'did you mean train?' in _message(datasets.rlds(recorded.path, 'trian').check)
  assert 'no part train[nonsense]' in _message(datasets.rlds(recorded.path, 'train[nonsense]').check)


@pytest.mark.parametrize('name', ['features.json', 'dataset_info.json'])
def test_a_damaged_description(recorded, name):
  with open(os.path.join(recorded.path, name), 'r+') as file:
    file.truncate(40)
  assert f'{recorded.path} is no RLDS data set' in _message(recorded.check)


def test_a_data_set_without_episodes(tmp_path, episodes):
  data = _write(tmp_path, episodes[:1])
  os.remove(os.path.join(data.path, _shards(data)[0]))
  os.remove(os.path.join(data.path, 'dataset_info.json'))
  datasets.RLDSWriter(tmp_path, datasets.memory(episodes).spec()).close()
  assert f'{tmp_path} is empty' in _message(data.check)


def _damage(path, how):
  size = os.path.getsize(path)
  with open(path, 'r+b') as file:
    if how == 'flip':
      file.seek(size // 2)
      byte = file.read(1)[0]
      file.seek(size // 2)
      file.write(bytes([byte ^ 1]))
    elif how == 'flip a length':
      file.write(b'\x01')
    else:
      file.truncate(int(how))


@pytest.mark.parametrize('how', ['flip', 'flip a length', '1', '10', '200'])
def test_a_damaged_shard_is_named(recorded, how):
  path = os.path.join(recorded.path, _shards(recorded)[1])
  _damage(path, how)
  assert f'The shard {path} is damaged' in _message(recorded.check)


def test_of_large_data_some_episodes_are_looked_at_first_and_the_others_when_they_are_read(
  tmp_path, episodes, monkeypatch
):
  data = _write(tmp_path / 'data', episodes)
  monkeypatch.setattr(reader, '_LOOKED_AT', 3 * os.path.getsize(_only_shard(data)) // len(episodes))
  looked_at = data.check()
  assert looked_at.episodes == 3
  places = data.shards[0].places()
  with open(_only_shard(data), 'r+b') as file:
    file.seek(places[0][1] + places[1][1] // 2)  # in the middle of the second episode
    byte = file.read(1)[0]
    file.seek(-1, os.SEEK_CUR)
    file.write(bytes([byte ^ 1]))
  assert 'is not what it was when its data set was opened' in _message(data.check)
  data = datasets.rlds(data.path)
  data.check()
  message = _message(lambda: list(data.episodes(0)))
  assert f'The shard {_only_shard(data)} is damaged (a checksum is wrong' in message


def _only_shard(data):
  (name,) = _shards(data)
  return os.path.join(data.path, name)


def test_one_episode_of_each_shard_is_looked_at_at_least(recorded, monkeypatch):
  monkeypatch.setattr(reader, '_LOOKED_AT', 1)
  assert recorded.check().episodes == len(_shards(recorded))


def test_of_short_episodes_not_more_than_so_many_are_looked_at(tmp_path, episodes, monkeypatch):
  data = _write(tmp_path / 'data', episodes)
  monkeypatch.setattr(reader, '_EPISODES_LOOKED_AT', 2)
  assert data.check().episodes == 2 < len(episodes)


def test_a_shard_that_is_cut_between_episodes(tmp_path, episodes):
  data = _write(tmp_path / 'data', episodes)
  short = _write(tmp_path / 'short', episodes[:3])
  path = os.path.join(data.path, _shards(data)[0])
  os.replace(os.path.join(short.path, _shards(short)[0]), path)
  for function in (data.check, lambda: next(data.episodes(0))):
    assert f'The shard {path} is damaged (it holds 3 episodes, and dataset_info.json says 12)' in _message(function)


def test_a_missing_shard_is_named(recorded):
  path = os.path.join(recorded.path, _shards(recorded)[1])
  os.remove(path)
  assert f'The shard {path} is missing' in _message(recorded.check)


def test_a_renamed_field_is_named(recorded):
  path = os.path.join(recorded.path, 'features.json')
  with open(path) as file:
    text = file.read().replace('"log_prob"', '"log_probability"')
  with open(path, 'w') as file:
    file.write(text)
  message = _message(recorded.check)
  assert 'steps/extras/log_probability' in message and _shards(recorded)[0] in message


# Writing.


def test_a_folder_is_continued(tmp_path, episodes):
  _write(tmp_path, episodes[:5])
  data = _write(tmp_path, episodes[5:])
  data.check()
  assert len(_read(data)) == 12
  _write(tmp_path, episodes[:2], split='test')
  assert [len(_read(datasets.rlds(tmp_path, split))) for split in ('train', 'test', 'train+test')] == [12, 2, 14]
  with open(tmp_path / 'dataset_info.json') as file:
    assert [split['shardLengths'] for split in json.load(file)['splits']] == [['5', '7'], ['2']]


@pytest.mark.parametrize(
  'change, message',
  [
    ({'action': np.zeros(3)}, r'its action is missing, and that of the episodes to write is float32 \[3\]'),
    ({'reward': np.zeros(2)}, r'its reward is float32 \[\], and that of the episodes to write is float32 \[2\]'),
    ({'extras': ()}, 'its extras/log_prob is float32'),
  ],
)
def test_another_spec_is_an_error(recorded, change, message):
  spec = recorded.spec()._replace(**change)
  with pytest.raises(errors.UserError, match=message):
    datasets.RLDSWriter(recorded.path, spec)
  recorded.check()


def test_the_folder_of_another_program_is_not_continued(tmp_path):
  data = foreign.write(tmp_path / 'data', [foreign.rows(2)], metadata={'seed': tfds.features.Scalar(np.int64)})
  assert 'was not written by RLDSWriter' in _message(lambda: datasets.RLDSWriter(data.path, data.spec()))


def test_two_writers_in_one_folder_are_an_error(tmp_path, episodes):
  spec = datasets.memory(episodes).spec()
  with datasets.RLDSWriter(tmp_path, spec):
    assert 'Another writer' in _message(lambda: datasets.RLDSWriter(tmp_path, spec))
  datasets.RLDSWriter(tmp_path, spec).close()


@pytest.mark.parametrize(
  'change, message',
  [
    ({'reward': np.zeros(3, np.float32)}, 'steps/reward is float32 .3. in an episode of 4 rows'),
    ({'reward': np.zeros((4, 1), np.float32)}, 'steps/reward is float32 .4, 1.'),
    ({'discount': np.float32(1)}, 'steps/discount is float32 ..'),
    ({'action': (np.zeros((4, 2)), np.zeros(4))}, 'steps/action/1 is float32 .4..* has to be int32 .4.'),
    ({'action': np.zeros((4, 2))}, 'other fields than the spec: steps/action and steps/action/0'),
    ({'last': np.array([False, True, False, True])}, 'marked as last'),
    ({'last': np.array([True])}, 'at least two rows'),
  ],
)
def test_an_episode_that_does_not_fit(tmp_path, change, message):
  step = _episode(3, terminal=False)
  with datasets.RLDSWriter(tmp_path, datasets.memory([step]).spec()) as writer:
    with pytest.raises(errors.UserError, match=message):
      writer.write(step._replace(**change))
    writer.write(step)
  assert len(_read(datasets.rlds(tmp_path))) == 1
  assert 'is closed' in _message(lambda: writer.write(step))


_LARGE = np.array([2**40, 2**40 + 3, -(2**50), 7])


def _counting(values, dtype=np.int64):
  """An episode whose observations are these whole numbers."""
  return _episode(len(values) - 1, True)._replace(observation=np.asarray(values, dtype), extras=())


def test_what_32_bits_do_not_hold_comes_back_as_it_was(tmp_path):
  """An environment of the spec gives such values to agents too."""
  row = datasets.memory([_counting(range(4))]).spec()
  wide = row._replace(observation=dm_specs.Array((), np.int64))
  with datasets.RLDSWriter(tmp_path / 'data', wide) as writer:
    for values in (range(3), _LARGE):
      writer.write(_counting(values))
  data = datasets.rlds(tmp_path / 'data')
  assert [step.observation.tolist() for step in _read(data)] == [[0, 1, 2], _LARGE.tolist()]
  assert data.spec().observation == dm_specs.Array((), np.int64)
  plain = tfds.builder_from_directory(data.path).as_dataset(split='train')
  assert [int(step['observation']) for step in list(plain)[1]['steps']] == _LARGE.tolist()
  bounded = wide._replace(observation=dm_specs.BoundedArray((), np.int64, 0, 9))
  with datasets.RLDSWriter(tmp_path / 'bounded', bounded) as writer:
    assert f'steps/observation is {2**40} in an episode, and the data set has int32' in _message(
      lambda: writer.write(_counting(_LARGE))
    )
    writer.write(_counting(range(4)))
  assert datasets.rlds(tmp_path / 'bounded').spec().observation.dtype == np.int32
  memory = datasets.memory([_counting(range(3)), _counting(_LARGE)])
  memory.check()
  assert [step.observation.tolist() for step in _read(memory)] == [[0, 1, 2], _LARGE.tolist()]
  for one in (memory, data):
    with pytest.raises(errors.UserError, match=r'the observation is -?\d{13,}, and the environment has int32'):
      datasets.fit(one, None, specs.EnvironmentSpec(*row[:4]))
    assert datasets.fit(one, None, specs.EnvironmentSpec(*wide[:4])) is one


@pytest.mark.parametrize(
  'dtype, values, told',
  [
    (np.int8, np.int32([1, 300, 2]), 300),
    (np.uint8, np.uint16([1, 2, 256]), 256),
    (np.float32, [0, 1e300, 0], '1e.300'),
  ],
)
def test_what_the_spec_does_not_hold_is_an_error(tmp_path, dtype, values, told):
  step = _counting(range(3), dtype)
  with datasets.RLDSWriter(tmp_path, datasets.memory([step]).spec()) as writer:
    with pytest.raises(errors.UserError, match=rf'steps/observation is {told} in an episode, and the data set has'):
      writer.write(step._replace(observation=np.asarray(values)))
    writer.write(step)


def test_numbers_of_others_take_as_many_bits_as_those_of_the_first_episode_need(tmp_path):
  small, large = dict(foreign.rows(2), action=np.arange(3)), dict(foreign.rows(3), action=_LARGE)
  data = foreign.write(tmp_path / 'large', [large, small])
  assert data.spec().action.dtype == np.int64 and data.check().episodes == 2
  assert [step.action.tolist() for step in _read(data)] == [[0, 1, 0], [*_LARGE[:3], 0]]
  assert foreign.write(tmp_path / 'small', [small]).spec().action.dtype == np.int32
  data = foreign.write(tmp_path / 'later', [small, large])
  assert f'steps/action reaches from {-(2**50)} to {2**40 + 3} in an episode, and is' in _message(data.check)


def test_a_spec_of_other_than_numbers_is_an_error(tmp_path, recorded):
  spec = recorded.spec()._replace(observation={'word': np.array('yes')})
  assert 'observation/word' in _message(lambda: datasets.RLDSWriter(tmp_path / 'new', spec))


def test_parts_that_would_be_stored_as_one_are_an_error(tmp_path, recorded):
  spec = recorded.spec()._replace(observation={'a/b': np.zeros(2), 'a': {'b': np.zeros(3)}})
  message = _message(lambda: datasets.RLDSWriter(tmp_path / 'new', spec))
  assert 'stored as steps/observation/a/b' in message and 'rename' in message


def test_episodes_come_without_a_seed_too(recorded, episodes):
  memory = datasets.memory(episodes)
  for data in (recorded, memory, datasets.best(memory, 1.0)):
    assert [len(step.last) for step in data.episodes()] == [len(step.last) for step in data.episodes(seed=0)]
