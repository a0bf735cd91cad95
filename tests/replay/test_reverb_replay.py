"""What only a server can do wrong: checkpoints that it removes, threads that fail, rows that its writers keep."""

import math
import os
import time

import numpy as np
import pytest
import reverb

from tests.replay import replay_testing as testing
from tfacme import core, errors
from tfacme.replay import items, packing, reverb_replay, reverb_writers, tables


def _pairs(sampler=tables.Fifo(), **options):
  return tables.Table(items.Items(2), tables.min_size(1), 100, sampler=sampler, **options)


def _fill(replay, transitions, start=0):
  feed = testing.Feed(replay.writer(), replay.codec)
  feed(testing.stream([transitions], start=start))
  assert feed.settle() is None


# --- Checkpoints ---


def test_every_checkpoint_can_be_gone_back_to(reverb_backend, tmp_path):
  """A server keeps its newest one only; ours hold each what they need."""
  server_path = str(tmp_path / 'server')
  table = _pairs()
  replay = reverb_backend.replay([table], path=server_path)
  saved = []
  for i in range(3):
    _fill(replay, 2, start=10 * i)
    saved.append(str(tmp_path / f'checkpoint-{i}' / 'replay'))
    os.makedirs(saved[-1])
    replay.save(saved[-1])
  assert len(os.listdir(server_path)) == 1
  for i in (1, 0, 2):
    next_path = str(tmp_path / f'next-{i}')
    reverb_replay.prepare_restore(os.path.dirname(saved[i]), ['replay'], next_path)
    again = reverb_backend.replay([table], path=os.path.join(next_path, 'replay'))
    assert again.usage()['replay'].size == 2 * (i + 1)
    # What the new server writes leaves the old checkpoints alone.
    _fill(again, 1)
    os.makedirs(str(tmp_path / f'after-{i}'))
    again.save(str(tmp_path / f'after-{i}'))


def test_what_a_server_left_out_of_its_checkpoint_is_noticed(reverb_backend, tmp_path, monkeypatch):
  """Where the disk is full when it closes a file it says nothing."""
  replay = reverb_backend.replay([_pairs()], path=str(tmp_path / 'server'))
  _fill(replay, 50)
  checkpoint = replay._client.checkpoint

  def torn():
    path = checkpoint()
    os.truncate(os.path.join(path, 'chunks.tfrecord'), os.path.getsize(os.path.join(path, 'chunks.tfrecord')) - 9)
    return path

  monkeypatch.setattr(replay._client, 'checkpoint', torn)
  with pytest.raises(OSError, match='the disk took only a part of chunks.tfrecord'):
    replay.save(str(tmp_path / 'checkpoint'))


def test_a_new_run_starts_with_an_empty_server(reverb_backend, tmp_path):
  path = tmp_path / 'servers' / 'replay'
  replay = reverb_backend.replay([_pairs()], path=str(path))
  _fill(replay, 3)
  os.makedirs(str(tmp_path / 'checkpoint' / 'replay'))
  replay.save(str(tmp_path / 'checkpoint' / 'replay'))
  for checkpoint, names in ((None, ['replay']), (str(tmp_path / 'checkpoint'), ['replay-0', 'replay-1'])):
    path.mkdir(parents=True, exist_ok=True)
    reverb_replay.prepare_restore(checkpoint, names, str(tmp_path / 'servers'))
    assert not path.exists()
  assert reverb_backend.replay([_pairs()], path=str(path)).usage()['replay'].size == 0


def test_a_checkpoint_in_a_folder_that_is_not_to_be_seen_is_an_error(tmp_path):
  class Client:
    """Of a server on another host."""

    def server_info(self, timeout):
      return {}

    def checkpoint(self):
      return '/on/another/host/2023-01-01'

  codec = packing.Codec.of(testing.SPEC, [items.Items(2)])
  replay = reverb_replay.ReverbReplay(Client(), codec, [_pairs()])  # type: ignore[arg-type]
  with pytest.raises(errors.UserError, match='/on/another/host/2023-01-01, which can not be seen'):
    replay.save(str(tmp_path))


def test_what_a_busy_server_has_not_said_is_not_known():
  class Client:
    def server_info(self, timeout):
      raise reverb.errors.DeadlineExceededError('busy')

  codec = packing.Codec.of(testing.SPEC, [items.Items(2)])
  replay = reverb_replay.ReverbReplay(Client(), codec, [_pairs()])  # type: ignore[arg-type]
  usage = replay.usage()['replay']
  assert usage.max_size == _pairs().max_size and all(map(math.isnan, (usage.size, usage.inserted, usage.sampled)))


# --- Threads ---


def test_a_failure_to_write_priorities_reaches_the_learner(reverb_backend):
  """The thread that writes them is gone then; nobody may wait for it."""
  table = _pairs(tables.Prioritized(1.0))
  replay = reverb_backend.replay([table])
  _fill(replay, 3)
  reader = replay.reader(table, 2)
  read = testing.read(reader)
  with pytest.raises(ValueError, match='Priority must not be negative'):
    for _ in range(200):
      reader.write_priorities(read, np.array([-1.0, -1.0]))  # Both, since they may be one item.
      time.sleep(0.01)


def test_a_failure_to_read_reaches_the_learner(reverb_backend):
  replay = reverb_backend.replay([_pairs()])
  _fill(replay, 3)
  sequences = tables.Table(items.Items(5), tables.min_size(1), 100)  # Not what the server has under this name.
  reader = replay.reader(sequences, 2)
  with pytest.raises(Exception, match='(?i)shape|compatible|incompatible'):
    for _ in range(50):
      reader.read(0.2, 0)


def test_reading_gives_up_after_its_time(reverb_backend):
  reader = reverb_backend.replay([_pairs()]).reader(_pairs(), 2)
  started = time.monotonic()
  blocked = reader.read(0.2, 0)
  assert isinstance(blocked, core.Blocked) and "'replay'" in blocked.reason and not blocked.idle
  assert 0.15 < time.monotonic() - started < 5


# --- Writers ---


def test_a_writer_of_whole_episodes_forgets_those_that_are_sent(reverb_backend):
  table = tables.Table(items.Items(None), tables.min_size(1), 5)
  replay = reverb_backend.replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  for length in (3, 5, 2, 4):
    for step in testing.stream([length]):
      assert feed.writer.flush(10.0) is None  # As an actor asks before each row.
      feed([step])
    assert len(feed.writer._writer.history['rest']) == length + 1
  assert feed.settle() is None
  assert feed.writer._writer.episode_steps == 0
  assert replay.usage()['replay'].size == 4


@pytest.mark.parametrize('stack', [1, 3])
def test_an_episode_that_is_too_long_to_be_kept_whole_is_one_sentence(stack, reverb_backend, monkeypatch):
  monkeypatch.setattr(reverb_writers, '_MOST_ROWS', 12)
  rule, most = items.Items(None, stack=stack), 12 + 1 - stack
  replay = reverb_backend.replay([tables.Table(rule, tables.min_size(1), 5, name='whole', sampler=tables.Fifo())])
  feed = testing.Feed(replay.writer(), replay.codec)
  for start in (0, 100):  # That of the episode before does not count.
    feed(testing.stream([most - 1], start=start))
    assert feed.settle() is None
  (kept,) = testing.unpack(replay.codec, testing.read(replay.reader(replay._tables[0], 1)), rule)
  assert testing.numbers(kept) == list(range(most))
  says = f"^An episode has more than {most} rows, the most that .* as the table 'whole' asks for; let the environment"
  with pytest.raises(errors.UserError, match=says):
    feed(testing.stream([most]))


def test_a_writer_of_whole_episodes_is_held_between_them(reverb_backend):
  table = tables.queue(items.Items(None), 2)
  replay = reverb_backend.replay([table])
  feed = testing.Feed(replay.writer(), replay.codec)
  written = 0
  while feed.writer.flush(1.0) is None and written < 10:
    feed(testing.stream([2], start=100 * written))
    written += 1
  assert written == 3  # Two in the queue, and one on its way.
  reader = replay.reader(table, 1)
  got = [testing.numbers(testing.unpack(replay.codec, testing.read(reader))[0])[0] for _ in range(3)]
  assert got == [0, 100, 200]
  assert feed.writer.flush(10.0) is None


# --- Queues ---


def test_nobody_acts_far_ahead_of_a_learner_that_reads_a_queue(reverb_backend):
  """Beside what the table holds, at most one batch and a little waits for it: on-policy agents learn from no more."""
  size = batch_size = 6
  table = tables.queue(items.Items(2), size)
  replay = reverb_backend.replay([table])
  reader = replay.reader(table, batch_size)
  feed = testing.Feed(replay.writer(), replay.codec)
  rows = iter(testing.stream([1000]))
  written = 0
  for taken in range(3):
    while feed.writer.flush(1.0) is None:
      feed([next(rows)])
      written += 1
    ahead = written - 1 - taken * batch_size  # The first row completes no item.
    assert size <= ahead <= size + 2
    assert not isinstance(reader.read(10.0, 0), core.Blocked)
