"""Rewriting a stream: the same at the writer and on data, whatever it holds back, adds or leaves out."""

import functools

import numpy as np
import pytest
import tree
from dm_env import specs as dm_specs

from tests.replay import replay_testing as testing
from tests.replay.test_readers import PAIRS, Recorded, _open, _read, _room
from tests.workers.test_environment_loop import Line, Rows, make_loop, run
from tfacme import core, datasets, errors
from tfacme.replay import items, packing, recorded, relabelling, resolving, sources, tables

LENGTHS = [3, 1, 4, 2]


def _tenfold(step):
  return step._replace(reward=np.float32(10 * step.reward))


def _long(episode):
  return episode if len(episode.last) > 3 else None


def _absorbing(episode):
  """A terminated episode goes on for two rows in a state of its own, which pays nothing."""
  if episode.discount[-2]:
    return episode
  again = tree.map_structure(lambda x: np.concatenate([x, x[-1:], x[-1:]]), episode)
  again.observation['vector'][-2:] = -1
  again.discount[-4:-1] = 1
  again.last[:] = np.arange(len(again.last)) == len(again.last) - 1
  return again


def _twice(step):
  """Each row with a copy of it, but for the last."""
  return [step] if step.last else [step, step._replace(first=np.bool_(False))]


RELABELS = {
  'row': relabelling.by_row(_tenfold),
  'episode': relabelling.by_episode(_long),
  'absorbing': relabelling.by_episode(_absorbing),
  'returns': relabelling.returns_to_go(0.5),
  'normalized': relabelling.normalized_rewards(0.9),
  'twice': core.Relabel(lambda: _twice),
  'previous': relabelling.previous_actions(testing.SPEC.action),
  'ahead': relabelling.returns_ahead(2),
  'in order': relabelling.in_order(relabelling.by_row(_tenfold), relabelling.by_episode(_long)),
  'episodes in order': relabelling.in_order(relabelling.by_episode(_long), relabelling.returns_ahead(2)),
}


def _terminating(lengths):
  """Every other episode ends in a termination."""
  rows = testing.stream(lengths)
  ends = [i for i, row in enumerate(rows) if row.last]
  for end in ends[::2]:
    rows[end - 1] = rows[end - 1]._replace(discount=np.float32(0))
  return rows


def _spec(relabel):
  return testing.SPEC._replace(extras={**testing.SPEC.extras, **relabel.extras})


def _reference(rows, relabel):
  """Plainly: one relabeller, row after row."""
  relabeller = relabel.make()
  return [given for row in rows for given in relabeller(tree.map_structure(np.array, row))]


class Kept:
  """A writer that keeps what it gets, and takes one row for each time that it is asked."""

  def __init__(self, codec, room=10**6):
    self.rows, self.versions = [], []
    self._codec, self.room, self.asked = codec, room, True

  def append(self, row, last):
    """Fails if there is no room."""
    assert self.asked or self.room
    self.asked = False
    step, version = self._codec.views(row)
    assert bool(step.last) == last
    self.rows.append(tree.map_structure(np.array, step))
    self.versions.append(int(version))

  def flush(self, wait, everything=False):
    """Has room for so many rows."""
    if not self.room and not everything:
      return core.Blocked('room')
    self.room -= not everything
    self.asked = True
    return None


def _written(rows, relabel, room=10**6):
  taken = packing.Codec(testing.SPEC)
  given = packing.Codec(_spec(relabel), once=['state'])
  kept = Kept(given, room)
  feed = testing.Feed(relabelling.Writer(kept, relabel, taken, given), taken)
  return kept, feed


@pytest.mark.parametrize('name', RELABELS)
def test_a_writer_writes_what_the_relabeller_gives(name):
  relabel, rows = RELABELS[name], _terminating(LENGTHS)
  kept, feed = _written(rows, relabel)
  feed(rows)
  wanted = _reference(rows, relabel)
  assert len(kept.rows) == len(wanted) > 0
  for ours, theirs in zip(kept.rows, wanted):
    testing.same(ours, theirs)


@pytest.mark.parametrize('name', RELABELS)
def test_data_is_rewritten_as_at_the_writer(name):
  """Item for item, whatever the items are."""
  relabel = RELABELS[name]
  dataset = Recorded(LENGTHS)
  rows = _terminating(LENGTHS)
  ends = [0, *(i + 1 for i, row in enumerate(rows) if row.last)]
  dataset._episodes = [datasets.episode(rows[a:b]) for a, b in zip(ends, ends[1:])]
  order = [row for episode in dataset.episodes(5) for row in relabelling.rows(episode)]
  kept, feed = _written(order, relabel)
  feed(order)
  data = recorded.Recorded(PAIRS, 4, dataset, 2**30, _spec(relabel), relabel)
  read = [row for episode in data.episodes(5) for row in relabelling.rows(episode)]
  assert len(read) == len(kept.rows) > 0
  for ours, theirs in zip(read, kept.rows):
    testing.same(ours, theirs)


def test_each_pass_over_data_begins_with_a_relabeller_of_its_own():
  data = sources.Data(PAIRS, 3, relabel=relabelling.normalized_rewards(0.9), shuffle_bytes=300)
  first, second = (_open(data, _room(Recorded([3, 5, 4, 7]))) for _ in range(2))
  for _ in range(9):
    _read(first)
  second.set_state(first.state())
  for _ in range(9):
    np.testing.assert_array_equal(_read(first).packed[0]['rest'], _read(second).packed[0]['rest'])


def test_each_part_of_a_reward_is_divided_by_its_own_deviation():
  random = np.random.default_rng(0)
  rewards = (random.standard_normal((50, 2)) * [1, 100]).astype(np.float32)
  row = core.Step((), (), np.float32(0), np.float32(1), False, False)
  both, *alone = [relabelling.normalized_rewards(0.9).make() for _ in range(3)]
  for reward in rewards:
    (given,) = both(row._replace(reward=reward))
    parts = [one(row._replace(reward=part))[0].reward for one, part in zip(alone, reward)]
    assert given.reward.dtype == np.float32
    np.testing.assert_array_equal(given.reward, parts)


def test_rows_that_are_held_back_keep_the_version_that_acted():
  relabel, rows = relabelling.by_episode(lambda episode: episode), testing.stream([2, 1])
  kept, feed = _written(rows, relabel)
  for number, row in enumerate(rows):
    feed([row], version=number)
  assert kept.versions == [0, 1, 2, 3, 4]


def test_rows_that_come_at_once_ask_for_room_one_by_one():
  """None is lost and none is written beyond the limit, though an episode comes at once."""
  relabel, rows = relabelling.by_episode(lambda episode: episode), testing.stream([5])
  kept, feed = _written(rows, relabel, room=2)
  feed(rows)
  assert len(kept.rows) == 3 and kept.room == 0  # One for which the caller has asked.
  writer = feed.writer
  assert isinstance(writer.flush(0.0), core.Blocked) and isinstance(writer.flush(0.0, everything=True), core.Blocked)
  kept.room = 4
  assert writer.flush(0.0) is None
  assert testing.numbers(datasets.episode(kept.rows)) == [0, 1, 2, 3, 4, 5] and kept.room == 0


def test_returns_to_go_end_with_their_episode():
  rows = [
    core.Step(np.zeros(1), np.int32(0), np.float32(r), np.float32(1), i == 0, i == 3)
    for i, r in enumerate([1, 2, 4, 0])
  ]
  given = _reference(rows + rows, relabelling.returns_to_go(0.5))
  assert [float(row.extras['return_to_go']) for row in given] == [3, 4, 4, 0] * 2
  assert [float(row.reward) for row in given] == [1, 2, 4, 0] * 2
  given = _reference(rows, relabelling.returns_to_go(0.5, truncated=-9.0))
  assert [float(row.extras['return_to_go']) for row in given] == [-9] * 4


@pytest.mark.parametrize(
  'gamma, discounts, wanted',
  [
    (1.0, [1, 1, 1, 1], [4, 3, 2, 1, 0]),
    (1.0, [0.5, 0.5, 0.5, 0.5], [1.875, 1.75, 1.5, 1, 0]),
    (1.0, [1, 0.5, 0, 1], [2.5, 1.5, 1, 1, 0]),  # A zero in the middle cuts the sum.
    (0.5, [1, 0.5, 1, 0], [1.6875, 1.375, 1.5, 1, 0]),
  ],
)
def test_returns_to_go_are_discounted_by_the_environment_too(gamma, discounts, wanted):
  """By hand, for four rewards of 1; that of the last row means nothing."""
  episode = _episode([1, 1, 1, 1], False)
  episode = episode._replace(reward=np.float32([1, 1, 1, 1, 99]), discount=np.float32([*discounts, 1]))
  assert [float(row['return_to_go']) for row in _extras(relabelling.returns_to_go(gamma), episode)] == wanted


def test_an_episode_without_an_end_does_not_fill_the_memory(monkeypatch):
  monkeypatch.setattr(relabelling, '_MOST_ROWS', 3)
  relabeller = relabelling.returns_to_go().make()
  row = core.Step(np.zeros(1), np.int32(0), np.float32(1), np.float32(1), False, False)
  for _ in range(3):
    assert relabeller(row) == ()
  with pytest.raises(errors.UserError, match='more than 3 rows, which wait for its end to be rewritten: give'):
    relabeller(row)


def test_rewards_are_divided_by_the_deviation_of_the_return():
  relabel = relabelling.normalized_rewards(0.5)
  step = functools.partial(core.Step, np.zeros(1), np.int32(0), discount=np.float32(1), first=False, last=False)
  relabeller = relabel.make()
  rewards = [3.0, -1.0, 5.0]
  (returns, total) = ([], 0.0)
  for reward in rewards:
    total = 0.5 * total + reward
    returns.append(total)
    deviation = np.std(returns) if len(returns) > 1 else 1.0
    (given,) = relabeller(step(reward=np.float32(reward)))
    np.testing.assert_allclose(given.reward, reward / deviation, rtol=1e-5)


def _episode(rewards, terminated):
  """Of these rewards, and of actions [T + 1, 1] that count from 1."""
  rows = len(rewards) + 1
  return core.Step(
    np.zeros((rows, 1), np.float32),
    np.arange(1.0, rows + 1, dtype=np.float32)[:, np.newaxis],
    np.float32([*rewards, 0]),
    np.float32([*[1] * (rows - 2), not terminated, 0]),
    np.arange(rows) == 0,
    np.arange(rows) == rows - 1,
  )


def _extras(relabel, *episodes):
  """The extras of all rows of episodes, one after the other."""
  relabeller = relabel.make()
  given = [row for episode in episodes for step in relabelling.rows(episode) for row in relabeller(step)]
  return [row.extras for row in given]


def test_the_rewards_of_the_next_steps_where_they_are_known():
  extras = _extras(relabelling.returns_ahead(3), _episode([1, 2, 4, 8], False), _episode([1, 2], True))
  assert [float(row['return_ahead']) for row in extras] == [7, 14, 12, 8, 0, 3, 2, 0]
  assert [float(row['return_ahead_weight']) for row in extras] == [1, 1, 0, 0, 0, 1, 1, 1]


def test_the_action_of_the_row_before_within_an_episode():
  spec = dm_specs.BoundedArray((1,), np.float32, -9.0, 9.0)
  both = relabelling.in_order(relabelling.previous_actions(spec), relabelling.returns_ahead(1))
  assert set(both.extras) == {'previous_action', 'return_ahead', 'return_ahead_weight'}
  extras = _extras(both, _episode([5, 6], True), _episode([7], False))
  assert [float(row['previous_action'][0]) for row in extras] == [0, 1, 2, 0, 1]
  assert [float(row['return_ahead']) for row in extras] == [5, 6, 0, 7, 0]


def test_the_best_part_of_a_data_set():
  episodes = [
    core.Step(
      np.zeros((3, 1)),
      np.zeros(3, np.int32),
      np.full(3, i, np.float32),
      np.ones(3),
      np.arange(3) == 0,
      np.arange(3) == 2,
    )
    for i in range(20)
  ]
  best = datasets.best(datasets.memory(episodes), 0.1)
  best.check()
  assert sorted(float(step.reward[0]) for step in best.episodes(1)) == [18, 19]
  assert best.spec() == datasets.memory(episodes).spec()
  with pytest.raises(errors.UserError, match='share is 0, and has to be more than 0'):
    datasets.best(datasets.memory(episodes), 0)


@pytest.mark.parametrize(
  'relabel, says',
  [
    (
      relabelling.by_row(lambda s: s._replace(extras={**s.extras, 'new': 1})),
      r"one of them has \['extras/new'\] .* in `Relabel.extras`",
    ),
    (relabelling.by_row(lambda s: s._replace(reward=np.zeros(2))), r'whose reward is of shape \(2,\)'),
  ],
)
def test_a_row_of_another_kind_is_refused(relabel, says):
  _, feed = _written([], relabel)
  with pytest.raises(errors.UserError, match=says):
    feed(testing.stream([1]))


def test_extras_without_names_take_no_more():
  with pytest.raises(errors.UserError, match='to extras that have no names; make them a dict'):
    resolving.with_extras((dm_specs.Array((), np.float32),), relabelling.returns_to_go())


# --- In a run ---


def test_logged_returns_are_the_environments_own():
  log = Rows()
  loop, replay = make_loop([Line()], budget=20, logger=log)
  relabel = relabelling.by_row(lambda step: step._replace(reward=np.float32(-5 * (not step.last))))
  codec = replay.codec
  loop._writers = [relabelling.Writer(replay.writer(), relabel, packing.Codec(codec.step_spec), codec)]
  run(loop)
  assert log and all(row['episode_return'] > 0 for row in log)
  table = tables.Table(items.Items(length=2), tables.min_size(1), max_size=100)
  steps, _ = codec.views(replay.reader(table, 32).read(0.0, 0).columns)
  assert set(np.unique(steps.reward[:, 0])) == {-5.0}
