"""The rule of items: the plain reference by hand-worked examples, and all else by the reference."""

import dataclasses

import dm_env
import numpy as np
import pytest
import tree
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.replay import replay_testing as testing
from tfacme import errors
from tfacme.environments import wrappers
from tfacme.replay import items, streams, tables


def _cut(rule, *lengths, unfinished=0):
  return [testing.numbers(item) for item in items.cut(testing.stream(lengths, unfinished), rule)]


# --- `cut`, worked by hand. Episodes of 3 and 1 transitions are the rows 0 1 2 (3) and 4 (5). ---


def test_one_step_items_are_the_transitions():
  assert _cut(items.Items(2), 3, 1) == [[0, 1], [1, 2], [2, 3], [4, 5]]


def test_items_at_the_end_are_padded_by_the_final_row():
  assert _cut(items.Items(3), 3, 1) == [[0, 1, 2], [1, 2, 3], [2, 3, 3], [4, 5, 5]]


def test_items_start_every_period_rows_of_their_episode():
  assert _cut(items.Items(3, period=2), 3, 1) == [[0, 1, 2], [2, 3, 3], [4, 5, 5]]
  assert _cut(items.Items(2, period=3), 7) == [[0, 1], [3, 4], [6, 7]]


def test_drop_leaves_out_what_the_end_cuts_short():
  assert _cut(items.Items(3, end='drop'), 3, 1, 2) == [[0, 1, 2], [1, 2, 3], [6, 7, 8]]


def test_continue_runs_on_into_the_next_episode():
  assert _cut(items.Items(3, period=2, end='continue'), 3, 1, 1) == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]


def test_continue_leaves_out_only_what_holds_no_transition_and_keeps_the_period():
  assert _cut(items.Items(2, period=3, end='continue'), 3, 3) == [[0, 1], [6, 7]]  # Row 3 is final.
  assert _cut(items.Items(3, period=3, end='continue'), 3, 3) == [[0, 1, 2], [3, 4, 5]]


def test_an_item_has_something_to_learn_from_behind_its_burn_in():
  # Rows 0 1 2 (3), 4 (5): of the item from row 2 on, row 2 is burnt in and row 3 is the final observation.
  assert _cut(items.Items(3, burn_in=1), 3, 1) == [[0, 1, 2], [1, 2, 3]]
  assert _cut(items.Items(4, burn_in=1, end='drop'), 4, 1) == [[0, 1, 2, 3], [1, 2, 3, 4]]
  # Row 3 is final, so the item of rows 2 3 4 has nothing behind row 2.
  assert _cut(items.Items(3, period=2, burn_in=1, end='continue'), 3, 2) == [[0, 1, 2], [4, 5, 6]]


def test_whole_episodes_wait_for_their_end():
  assert _cut(items.Items(None), 3, 1, unfinished=4) == [[0, 1, 2, 3], [4, 5]]


def test_an_episode_that_goes_on_gives_what_is_complete():
  assert _cut(items.Items(3), 1, unfinished=4) == [[0, 1, 1], [2, 3, 4], [3, 4, 5]]


@pytest.mark.parametrize('end', ['pad', 'drop', 'continue'])
def test_an_empty_stream_has_no_items(end):
  assert items.cut([], items.Items(2, end=end)) == []


def test_ends_and_once_keep_less():
  (item,) = items.cut(testing.stream([3]), items.Items(4, period=3, observations='ends', once=('state',)))
  assert item.observation['vector'][:, 0].tolist() == [0, 3]
  assert item.observation['image'].shape == (2, 2, 2)
  assert item.extras['state'][0].tolist() == [[0, 0]]
  assert item.extras['state'][1].tolist() == [0]
  assert item.extras['logits'].shape == (4, 5)
  assert item.reward.tolist() == [0, 1, 2, 0]
  assert item.discount.tolist() == [1, 1, 1, 0]


def test_the_last_observation_of_an_item_at_the_end_is_the_final_one():
  last = items.cut(testing.stream([5]), items.Items(4, observations='ends'))[-1]
  assert last.observation['vector'][:, 0].tolist() == [4, 5]
  assert last.last.tolist() == [False, True, True, True]


# --- Stacked frames ---


class _Played(dm_env.Environment):
  """Plays the rows of a stream, whatever is done."""

  def __init__(self, rows):
    self._rows = iter(rows)

  def reset(self):
    """The first observation of the next episode."""
    return dm_env.restart(next(self._rows).observation)

  def step(self, action):
    """The next row."""
    row = next(self._rows)
    return (dm_env.termination if row.last else dm_env.transition)(0.0, row.observation)

  def observation_spec(self):
    """Of a row."""
    return testing.SPEC.observation

  def action_spec(self):
    """Of a row."""
    return testing.SPEC.action


@pytest.mark.parametrize('stack', [2, 4, 9])
def test_stacked_frames_are_those_of_the_wrapper(stack):
  lengths = [3, 1, 6, 2]
  rows = testing.stream(lengths)
  environment = wrappers.FrameStacking(_Played(rows), stack)
  observations = []
  for length in lengths:
    observations.append(environment.reset().observation)
    observations += [environment.step(0).observation for _ in range(length)]
  for rule in (
    items.Items(4, stack=stack),
    items.Items(4, end='continue', stack=stack),
    items.Items(None, stack=stack),
  ):
    for item in items.cut(rows, rule):
      for t, number in enumerate(testing.numbers(item)):
        stacked = tree.map_structure(lambda x, t=t: x[t], item.observation)
        tree.map_structure(np.testing.assert_array_equal, stacked, observations[number])


def test_frames_stand_on_the_last_axis_the_oldest_first():
  (item,) = items.cut(testing.stream([3]), items.Items(4, period=3, observations='ends', stack=3))
  assert item.observation['image'].shape == (2, 2, 2, 3)
  assert item.observation['image'][:, 0, 0].tolist() == [[0, 0, 0], [1, 2, 3]]
  assert item.observation['vector'][1].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]


# --- What is held to it ---


def _by_cutter(rows, rule):
  """Items as a writer makes them: it keeps rows, and asks after each whether an item is due."""
  table = tables.Table(rule, tables.min_size(1), 10)
  cutter, kept, made = streams.Cutter([table]), [], []
  for step in rows:
    kept.append(int(step.extras['number']))
    dues = [cutter.advance(bool(step.last))]
    if step.last:
      dues += cutter.finish()
    for i, due in enumerate(dues):
      if i:
        kept.append(kept[-1])
      if due[0]:
        made.append(kept if rule.length is None else kept[-rule.length :])
    if step.last and rule.end != 'continue':
      kept = []
  return made


@given(testing.rules(), testing.episode_lengths, st.integers(0, 9))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_cutter_says_when_an_item_is_due(rule, lengths, unfinished):
  rows = testing.stream(lengths, unfinished)
  assert _by_cutter(rows, rule) == [testing.numbers(item) for item in items.cut(rows, rule)]


@given(testing.rules(whole=False), st.lists(st.integers(1, 9), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_index_of_recorded_rows_names_the_same_items(rule, lengths):
  rows = testing.stream(lengths)
  index = items.Index(np.array([step.last for step in rows]), rule)
  found = index.rows(index.starts)
  assert found.shape[1:] == (rule.stack - 1 + rule.length,)
  assert found[:, rule.stack - 1 :].tolist() == [testing.numbers(item) for item in items.cut(rows, rule)]


def test_an_index_made_in_pieces_is_the_same(monkeypatch):
  last = np.array([step.last for step in testing.stream([3, 1, 7, 2, 5, 5, 9])])
  rules = [items.Items(3, stack=2), items.Items(4, period=2, end='drop'), items.Items(3, end='continue')]
  whole = [items.Index(last, rule).starts.tolist() for rule in rules]
  for rows in (1, 4, 11):
    monkeypatch.setattr(items, '_PIECE', rows)
    assert [items.Index(last, rule).starts.tolist() for rule in rules] == whole


def _streams(steps):
  """All streams of so many steps, with their episodes of all lengths, of which the last may go on."""
  if steps == 0:
    yield []
  for length in range(1, steps + 1):
    for lengths in _streams(steps - length):
      yield [length, *lengths]


@given(testing.rules(), st.integers(0, 8))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_stream_of_so_many_steps_gives_more_items(rule, steps):
  rule = dataclasses.replace(rule, stack=1)
  counts = []
  for lengths in _streams(steps):
    counts.append(len(items.cut(testing.stream(lengths), rule)))
    if lengths:
      counts.append(len(items.cut(testing.stream(lengths[:-1], unfinished=lengths[-1] + 1), rule)))
  assert max(counts) <= rule.most(steps)
  if rule.end != 'continue':  # There the longest streams may have items without a transition.
    assert max(counts) == rule.most(steps)


@pytest.mark.parametrize(
  'arguments, message',
  [
    (dict(length=1), 'length of an item is 1, and has to be at least 2'),
    (dict(length=2, stack=0), 'stack of items is 0, and has to be at least 1'),
    (dict(length=2, stack=257), 'stack of items is 257, and has to be at most 256'),
    (dict(length=2, period=0), 'period of items is 0, and has to be at least 1'),
    (dict(length=None, period=2), 'whole episodes'),
    (dict(length=4, burn_in=3), 'burn-in of an item is 3, and has to be at most 2'),
    (dict(length=None, observations='ends'), 'whole episodes'),
    (dict(length=None, end='drop'), 'whole episodes'),
  ],
)
def test_rules_that_make_no_sense_are_refused_in_one_sentence(arguments, message):
  with pytest.raises(errors.UserError, match=message) as caught:
    items.Items(**arguments)
  assert str(caught.value).count('\n') == 0 and str(caught.value).endswith('.')


def test_recorded_data_has_no_whole_episodes():
  with pytest.raises(errors.UserError, match='Whole episodes'):
    items.Index(np.array([False, True]), items.Items(None))
