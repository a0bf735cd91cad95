"""Writers that are killed, fail or write at once: nothing that was given to one whole is lost, and everything reads."""

import contextlib
import functools
import itertools
import multiprocessing
import os
import pickle
import random
import resource
import shutil
import signal
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfacme import core, datasets, errors
from tfacme.datasets import records

# A copy of this process, which has imported all that it needs; TensorFlow itself is not used by a writer.
_FORK = multiprocessing.get_context('fork')


def _episode(number):
  """An episode whose observations have its number; its length is another one than that of the next."""
  rows = 2 + number % 150
  last = np.arange(rows) == rows - 1
  return core.Step(
    observation=np.full((rows, 50), number, np.int32),
    action=np.zeros(rows, np.int32),
    reward=np.where(last, 0, 1).astype(np.float32),
    discount=np.where(last, 0, 1).astype(np.float32),
    first=np.arange(rows) == 0,
    last=last,
  )


def _writer(path, part=None, **options):
  options = {'metadata': {'number': 0}, **options}
  return datasets.RLDSWriter(path, datasets.memory([_episode(0)]).spec(), part=part, **options)


def _write(path, numbers, part=None, **options):
  with _writer(path, part, **options) as writer:
    for number in numbers:
      writer.write(_episode(number), {'number': number})
  return datasets.rlds(path)


def _numbers(path):
  """The numbers of the episodes in a folder, in order, each of which is whole."""
  found = []
  for one in datasets.rlds(path).recorded():
    number = one.metadata['number']
    np.testing.assert_array_equal(one.steps.observation, _episode(number).observation)
    found.append(number)
  return found


def _message(function):
  with pytest.raises(errors.UserError) as error:
    function()
  assert '\n' not in str(error.value)
  return str(error.value)


def _write_until_killed(path, part, start, told):
  """Writes episodes, and tells of each that is written."""
  writer = _writer(path, part)
  for number in itertools.count(start):
    writer.write(_episode(number), {'number': number})
    os.write(told, b'.')


def _killed(path, parts, start, seconds):
  """Starts a writer of each part, and kills them a while after both have begun; how many episodes each has told of."""
  running = []
  for part in parts:
    reading, writing = os.pipe()
    process = _FORK.Process(target=_write_until_killed, args=(path, part, start, writing), daemon=True)
    process.start()
    os.close(writing)
    running.append((process, reading))
  told = [len(os.read(reading, 1)) for _, reading in running]
  time.sleep(seconds)
  for i, (process, reading) in enumerate(running):
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    while some := os.read(reading, 1 << 16):
      told[i] += len(some)
    os.close(reading)
  return told


@pytest.mark.parametrize('rounds', [1, pytest.param(15, marks=pytest.mark.slow)])
def test_killed_writers_lose_nothing(rounds, tmp_path):
  """Two at a time write into one data set; each is killed at a random moment, and goes on after that."""
  chance, parts = random.Random(0), ['left', 'right']
  told = {part: [] for part in parts}
  for number in range(rounds):
    for part, count in zip(parts, _killed(tmp_path, parts, number * 10_000, chance.uniform(0.0, 0.2))):
      told[part].append(count)
    datasets.rlds(tmp_path)  # It can be opened before anybody has looked after it.
    datasets.recover(tmp_path)
  assert datasets.left_open(tmp_path) == {}
  datasets.rlds(tmp_path).check()
  for part in parts:
    found = _numbers(tmp_path / f'part-{part}')
    for number, count in enumerate(told[part]):
      own = [one - number * 10_000 for one in found if one // 10_000 == number]
      assert own == list(range(len(own))) and count <= len(own) <= count + 1  # The last one may not have been told of.
  read = tfds.builder_from_directories(sorted(map(str, tmp_path.glob('part-*')))).as_dataset(split='train')
  assert sum(1 for _ in read) == len(_numbers(tmp_path))


def _left_open(path, numbers, part=None):
  """Leaves a data set as a writer does that is killed; returns it, so that it lives on."""
  writer = _writer(path, part)
  for number in numbers:
    writer.write(_episode(number), {'number': number})
  writer._shards.close()
  return writer


def test_what_is_left_open_is_taken_in(tmp_path):
  _write(tmp_path, range(3))
  _left_open(tmp_path, range(3, 6))
  assert list(datasets.left_open(tmp_path).values()) == [3]
  assert _numbers(tmp_path) == [0, 1, 2]
  (name,) = datasets.left_open(tmp_path)
  with open(name, 'ab') as file:
    file.write(b'\x07\0\0')  # the next record, of which there was no time for more
  assert datasets.recover(tmp_path) == 3
  assert _numbers(tmp_path) == [0, 1, 2, 3, 4, 5] and datasets.recover(tmp_path) == 0
  datasets.rlds(tmp_path).check()
  _left_open(tmp_path, [6])
  _write(tmp_path, [7])  # So does a writer.
  assert _numbers(tmp_path) == list(range(8))


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path):
  _write(tmp_path, range(3))
  info = (tmp_path / 'dataset_info.json').read_text()
  _write(tmp_path, range(3, 5))
  (tmp_path / 'dataset_info.json').write_text(info)
  assert _numbers(tmp_path) == [0, 1, 2]
  assert datasets.continued(tmp_path) == 5
  assert _numbers(tmp_path) == [0, 1, 2, 3, 4]


def test_what_was_not_on_the_disk_is_left_out(tmp_path):
  """After a failure of power, what was written last may be zeros."""
  _left_open(tmp_path, range(4))
  (name,) = datasets.left_open(tmp_path)
  size = sum(records.HEAD + length + records.TAIL for length in records.whole(name)[:2])
  with open(name, 'r+b') as file:
    file.seek(size)
    file.write(bytes(os.path.getsize(name) - size))
  assert datasets.recover(tmp_path) == 2
  assert _numbers(tmp_path) == [0, 1]


def test_a_folder_that_is_open_is_not_touched(tmp_path):
  with _writer(tmp_path) as writer:
    writer.write(_episode(0), {'number': 0})
    for function in (datasets.recover, datasets.continued, _writer):
      assert 'Another writer has the folder' in _message(functools.partial(function, tmp_path))
    message = _message(lambda: next(datasets.rlds(tmp_path).episodes()))
    assert 'is empty' in message and '--recover' in message
  assert _numbers(tmp_path) == [0]


@contextlib.contextmanager
def _files_up_to(size):
  """What writes more bytes into a file fails, as on a full disk."""
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_a_sentence_when_a_folder_is_opened_too(tmp_path):
  with _files_up_to(10), pytest.raises(errors.UserError, match=f'{tmp_path} can not be written: '):
    _writer(tmp_path)
  with _writer(tmp_path) as writer:
    writer.write(_episode(0), {'number': 0})
  (shard,) = tmp_path.glob('*.tfrecord-*')
  shutil.copy(shard, tmp_path / shard.name.replace('00000', '00001'))  # As a killed writer leaves one.
  for function in (datasets.recover, datasets.continued, _writer):
    with _files_up_to(10), pytest.raises(errors.UserError, match=f'{tmp_path} can not be written: '):
      function(tmp_path)
  assert datasets.recover(tmp_path) == 1 and _numbers(tmp_path) == [0, 0]


def test_a_full_disk_keeps_what_is_written(tmp_path):
  with _writer(tmp_path) as writer:
    for number in range(2):
      writer.write(_episode(number), {'number': number})
    (size,) = (os.path.getsize(name) for name in datasets.left_open(tmp_path))
    with _files_up_to(size + 100), pytest.raises(errors.UserError, match=f'{tmp_path} can not be written: '):
      writer.write(_episode(2), {'number': 2})
    assert _numbers(tmp_path) == [0, 1]
    writer.write(_episode(3), {'number': 3})
  assert _numbers(tmp_path) == [0, 1, 3]
  datasets.rlds(tmp_path).check()


def test_shards_become_larger_with_the_data_set(tmp_path):
  """So much is not readable while the writer goes on: an eighth of it at the most, or little."""
  with _writer(tmp_path) as writer:
    for number in range(600):
      writer.write(_episode(149), {'number': number})
      left = sum(os.path.getsize(name) for name in datasets.left_open(tmp_path)) if number % 50 == 0 else 0
      assert left <= max(80_000, sum(path.stat().st_size for path in tmp_path.glob('*.tfrecord-*')) / 8)
  sizes = [path.stat().st_size for path in sorted(tmp_path.glob('*.tfrecord-*'))]
  assert len(sizes) < 60 and sizes[0] < 80_000 < 100_000 < max(sizes)


def test_only_the_first_episodes_are_kept(tmp_path):
  with _writer(tmp_path, shard_bytes=20_000) as writer:
    for number in range(140, 160):
      writer.write(_episode(number), {'number': number})
    assert writer.keep(30) == 0
    assert writer.keep(13) == 7
    writer.write(_episode(7), {'number': 7})
  assert len(list(tmp_path.glob('*.tfrecord-*'))) > 3
  assert _numbers(tmp_path) == [*range(140, 153), 7]
  datasets.rlds(tmp_path).check()
  with _writer(tmp_path) as writer:
    assert writer.keep(0) == 14
  assert not list(tmp_path.glob('*.tfrecord-*'))


# Parts.


def test_parts_are_read_as_one(tmp_path):
  _write(tmp_path, range(4), part='left')
  _write(tmp_path, range(10, 13), part='right')
  _writer(tmp_path, part='none').close()
  data = datasets.rlds(tmp_path)
  assert sorted(_numbers(tmp_path)) == [0, 1, 2, 3, 10, 11, 12] == sorted(s.observation[0, 0] for s in data.episodes())
  assert data.size == 7 and data.check().episodes == 7 and datasets.damages(data) == []
  assert len(list(datasets.rlds(tmp_path, 'train[:3]').episodes())) == 3
  assert len(list(datasets.rlds(tmp_path, 'train[50%:]').episodes())) in (3, 4)
  options = datasets.Options(where=['number>=3'], episodes=4)
  assert datasets.rlds(tmp_path, options=options).size == 4
  assert datasets.continued(tmp_path, 'left') == 4 and datasets.continued(tmp_path, 'new') == 0


@pytest.mark.parametrize('options', [{}, {'where': ['number>=2']}, {'best': 0.5}, {'episodes': 2}])
def test_a_run_keeps_its_episodes_while_others_record(tmp_path, options):
  """A part whose name comes first gives all episodes of the folder other numbers."""
  options = datasets.Options(**options)
  _write(tmp_path, range(4), part='b')
  data = datasets.rlds(tmp_path, options=options)
  numbers = lambda data: [step.observation[0, 0] for step in data.episodes(1)]
  before, size = numbers(data), data.size
  travelled = pickle.dumps(data)
  _write(tmp_path, range(50, 60), part='a')
  for one in (data, pickle.loads(travelled)):
    assert (numbers(one), one.size, list(one.lengths(1))) == (before, size, [1 + number % 150 for number in before])
  assert numbers(datasets.rlds(tmp_path, options=options)) != before
  (shard,) = (tmp_path / 'part-b').glob('*.tfrecord-*')
  os.utime(shard, (1, 1))
  assert f'The shard {shard} is not what it was when its data set was opened' in _message(lambda: numbers(data))
  shard.unlink()
  assert f'The shard {shard} is missing' in _message(lambda: numbers(data))


def test_a_data_set_is_in_parts_or_not(tmp_path):
  _write(tmp_path / 'parts', [0], part='left')
  _write(tmp_path / 'whole', [0])
  assert 'is in parts, such as part-left' in _message(lambda: _writer(tmp_path / 'parts'))
  assert 'is not in parts' in _message(lambda: _writer(tmp_path / 'whole', part='left'))
  assert "is named 'a/b'" in _message(lambda: _writer(tmp_path / 'parts', part='a/b'))
  other = _episode(0)._replace(action=np.zeros(2, np.float32))
  new = lambda: datasets.RLDSWriter(tmp_path / 'parts', datasets.memory([other]).spec(), part='right')
  assert 'part-left has another spec: its action' in _message(new)
  _write(tmp_path / 'others', [0], part='left', metadata={'number': 0})
  os.rename(tmp_path / 'others' / 'part-left', tmp_path / 'others' / 'part-right')
  text = (tmp_path / 'parts' / 'part-left' / 'features.json').read_text()
  os.rename(tmp_path / 'others' / 'part-right', tmp_path / 'parts' / 'part-right')
  (tmp_path / 'parts' / 'part-right' / 'features.json').write_text(text.replace('int32', 'int64'))
  assert 'have other fields' in _message(datasets.rlds(tmp_path / 'parts').check)


# Metadata.


def test_metadata_is_read_by_everybody(tmp_path):
  names = {'return': 0.0, 'seed': 0, 'policy': '', 'good': False}
  values = {'return': 1.5, 'seed': 2**40, 'policy': 'Anna Müller', 'good': True}
  with datasets.RLDSWriter(tmp_path, datasets.memory([_episode(0)]).spec(), metadata=names) as writer:
    writer.write(_episode(0), values)
    writer.write(_episode(1), {**values, 'return': 2, 'policy': 'random'})
    for wrong, says in (
      ({}, 'comes with the metadata none'),
      ({**values, 'seed': 'x'}, "metadata seed is 'x'"),
      ({**values, 'policy': 3}, 'metadata policy is 3'),
    ):
      assert says in _message(lambda wrong=wrong: writer.write(_episode(0), wrong))
  first, second = datasets.rlds(tmp_path).recorded()
  assert first.metadata == values and second.metadata['policy'] == 'random'
  plain = list(tfds.builder_from_directory(str(tmp_path)).as_dataset(split='train'))
  assert [one['policy'].numpy().decode() for one in plain] == ['Anna Müller', 'random']
  assert [(one['seed'].numpy(), one['return'].numpy(), one['good'].numpy()) for one in plain] == [
    (2**40, 1.5, True),
    (2**40, 2.0, True),
  ]
  chosen = datasets.rlds(tmp_path, options=datasets.Options(where=['policy=Anna Müller', 'good=true']))
  assert [len(step.last) for step in chosen.episodes()] == [2]


def test_a_data_set_without_metadata_is_not_continued_with_it(tmp_path):
  with _writer(tmp_path, metadata=None) as writer:
    writer.write(_episode(0))
  message = _message(lambda: _writer(tmp_path))
  assert 'other metadata of its episodes: none, and those to write have number (int64 [])' in message
  assert _message(lambda: _writer(tmp_path, metadata={'steps': 1})).startswith('Metadata of an episode')


def test_what_is_beside_several_episodes_in_words():
  summary = datasets.MetadataSummary()
  origin = datasets.Origin('dqn', 'bsuite:catch/0', seed=3)
  for number in range(3):
    summary.add(datasets.metadata_of(_episode(number), origin, now=1_800_000_000 + 60 * number))
  words = summary.words()
  assert words['policy'] == 'dqn (3)' and words['seed'] == '3' and words['length'] == '1 to 3'
  assert words['time'] == '2027-01-15 08:00:00 UTC to 2027-01-15 08:02:00 UTC'
  assert 'run' not in words and 'learner_steps' not in words
  assert summary.plain()['environment'] == {'bsuite:catch/0': 3}
