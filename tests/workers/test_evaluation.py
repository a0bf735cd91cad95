"""The evaluator by itself: when it evaluates, how many episodes it plays, and what it says."""

import dm_env
import numpy as np
import pytest
from dm_env import specs as dm_specs

from tfacme import core, observers, specs
from tfacme.workers import counting, evaluation, tallies


class Rewarding(dm_env.Environment):
  """Episodes of so many steps, of which each pays (1, 2), or 1."""

  def __init__(self, length, parts=()):
    self.length = length
    self._parts = parts
    self._at = 0

  def reset(self):
    self._at = 0
    return dm_env.restart(np.zeros(1, np.float32))

  def step(self, action):
    self._at += 1
    make = dm_env.termination if self._at == self.length else dm_env.transition
    reward = np.arange(1.0, 1.0 + self._parts[0], dtype=np.float32) if self._parts else 1.0
    return make(reward, np.zeros(1, np.float32))

  def observation_spec(self):
    return dm_specs.Array((1,), np.float32)

  def action_spec(self):
    return dm_specs.DiscreteArray(2)

  def reward_spec(self):
    return dm_specs.Array(self._parts, np.float32)


class Zeros:
  """Always takes action 0."""

  def act(self, observation, first, steps):
    return np.zeros(len(first), np.int32), ()


class Variables:
  """Of version 7."""

  version = 7

  def update_and_wait(self):
    pass


class Rows(list):
  """A logger that keeps its rows."""

  def write(self, row):
    self.append(row)

  def close(self):
    pass


class Clock:
  """Goes on by a second at each look."""

  now = 0.0

  def __call__(self):
    self.now += 1.0
    return self.now


def make(
  environment,
  episodes=20,
  share=None,
  every=100,
  budget=1000,
  unit='actor_steps',
  max_steps=1000,
  makers=(),
  saved=None,
  estimates=(),
):
  """An evaluator, its rows, and a function that lets the run come to a number of steps and episodes."""
  counter = counting.Counter(budget, unit, [[], ['actor-0'], [], ['evaluator'], ['saver']])
  if saved is not None:
    counter.restore(str(saved))
  rows = Rows()
  evaluator = evaluation.Evaluator(
    evaluation.EvaluatorParts(
      name='evaluator',
      environments=[environment],
      spec=specs.environment_spec(environment),
      actor=Zeros(),
      variables=Variables(),
      tally=tallies.Tally('evaluator', counter),
      logger=rows,
      unit=unit,
      every=every,
      budget=budget,
      episodes=episodes,
      max_episode_steps=max_steps,
      share=share,
      observers=makers,
      estimates=estimates,
      clock=Clock(),
    )
  )

  def come_to(steps, actor_episodes=0):
    counter.report('actor-0', {unit: steps, 'actor_episodes': actor_episodes}, finished=steps == budget)
    outcome = core.Progress.DID
    while not (outcome is core.Progress.DONE or isinstance(outcome, core.Blocked)):
      outcome = evaluator.step(0.0)

  return evaluator, rows, come_to


def _episodes(rows):
  """How many episodes each evaluation played, by the counts."""
  totals = [0, *(row['evaluator_episodes'] for row in rows)]
  return [after - before for before, after in zip(totals, totals[1:])]


def _at(rows):
  return [row['actor_steps'] for row in rows]


def test_numbers_that_are_given_are_kept():
  _, rows, come_to = make(Rewarding(50), episodes=3)
  for steps in range(0, 1001, 10):
    come_to(steps)
  assert _at(rows) == list(range(100, 1001, 100))
  assert _episodes(rows) == [3] * 10
  assert rows[-1]['evaluator_steps'] == 10 * 3 * 50


def test_evaluations_take_a_share_of_the_steps():
  _, rows, come_to = make(Rewarding(5), share=0.25)
  for steps in range(0, 1001, 50):
    come_to(steps, actor_episodes=steps // 5)
  assert _at(rows) == list(range(100, 1001, 100))
  assert _episodes(rows) == [100 // 4 // 5] * 9 + [20]  # the last one has all its episodes


def _save(evaluator, path):
  path.mkdir()
  evaluator.tally.counter.save(str(path))
  return path


def test_one_that_was_stopped_while_it_was_played_is_due_anew(tmp_path, monkeypatch):
  monkeypatch.setattr(evaluation.playing, '_PIECE_SECONDS', -1.0)
  evaluator, _, come_to = make(Rewarding(50), episodes=2)
  come_to(100)
  evaluator.tally.counter.report('actor-0', {'actor_steps': 200})
  assert evaluator.step(0.0) is core.Progress.PART
  _, rows, come_to = make(Rewarding(50), episodes=2, saved=_save(evaluator, tmp_path / 'counter'))
  for steps in (200, 250, 300, 350):
    come_to(steps)
  assert _at(rows) == [200, 300]
  assert [row['evaluator_episodes'] for row in rows] == [4, 6]


def test_one_that_was_missed_is_not_played_where_the_last_one_is():
  """Where actors have spent the budget meanwhile, as they may in processes of their own."""
  evaluator, rows, come_to = make(Rewarding(5), episodes=2, every=400)
  evaluator.tally.counter.report('actor-0', {'actor_steps': 1000})
  assert isinstance(evaluator.step(0.0), core.Blocked)
  come_to(1000)
  assert _at(rows) == [1000]


@pytest.mark.parametrize('length', [5, 12, 20, 45])
@pytest.mark.parametrize('stops', [(950,), (100, 200), (50, 450, 470), range(10, 1000, 10)])
def test_a_run_that_was_stopped_between_them_plays_as_many(length, stops, tmp_path):
  """Also where a checkpoint is written in the round in which an evaluation ended, or was put off."""
  every_row = []
  for stopped in ((), stops):
    rows, saved = [], None
    evaluator, own, come_to = make(Rewarding(length), share=0.25)
    for steps in range(0, 1001, 10):
      come_to(steps, actor_episodes=steps // 5)
      if steps in stopped:
        rows, saved = [*rows, *own], _save(evaluator, tmp_path / f'{steps}')
        evaluator, own, come_to = make(Rewarding(length), share=0.25, saved=saved)
    every_row.append([*rows, *own])
  clock = ('timestamp', 'steps_per_second')
  assert len({str([{k: v for k, v in row.items() if k not in clock} for row in rows]) for rows in every_row}) == 1
  assert len(every_row[0]) > 1


def test_the_longer_of_acted_and_evaluated_episodes_counts():
  _, rows, come_to = make(Rewarding(12), share=0.5)
  for steps in range(0, 1001, 50):
    come_to(steps, actor_episodes=steps // 5)
  # The first one goes by the 5 steps of an acted episode; two periods are the first with 5 episodes of 12 steps.
  assert _at(rows) == [100, 300, 500, 700, 900, 1000]
  assert _episodes(rows) == [10] + [8] * 4 + [20]


def test_long_episodes_wait_until_five_fit_in_the_share():
  _, rows, come_to = make(Rewarding(20), share=0.25)
  for steps in range(0, 1001, 50):
    come_to(steps, actor_episodes=steps // 20)
  assert _at(rows) == [400, 800, 1000]
  assert _episodes(rows) == [5, 5, 20]


def test_where_no_episode_has_ended_there_is_only_the_last_evaluation():
  _, rows, come_to = make(Rewarding(10**9), share=0.25, max_steps=30)
  for steps in range(0, 1001, 50):
    come_to(steps)
  assert _at(rows) == [1000]
  assert (rows[0]['episodes_cut'], rows[0]['episode_length']) == (20, 30.0)


def test_many_short_episodes_are_no_more_than_the_last_ones():
  _, rows, come_to = make(Rewarding(1), share=0.25)
  for steps in range(0, 1001, 50):
    come_to(steps, actor_episodes=steps)
  assert _episodes(rows) == [20] * 10


def test_without_actors_learner_steps_are_not_compared_with_those_of_episodes():
  _, rows, come_to = make(Rewarding(100), unit='learner_steps')
  for steps in range(0, 1001, 50):
    come_to(steps)
  assert _episodes(rows) == [20] * 10


def test_parts_of_a_reward_and_what_observers_make_are_columns():
  makers = [lambda: observers.DiscreteActionShare(2)]
  _, rows, come_to = make(Rewarding(4, parts=(3,)), episodes=2, every=0, makers=makers)
  come_to(1000)
  (row,) = rows
  assert [row[f'episode_return_{i}'] for i in range(3)] == [4.0, 8.0, 12.0]
  assert (row['episode_return'], row['episode_return_minimum'], row['episode_length']) == (24.0, 24.0, 4.0)
  assert (row['action_0_share'], row['action_1_share']) == (1.0, 0.0)


def test_what_estimates_make_of_the_policy_are_columns():
  def count(steps):
    yield None
    yield {'so_far': steps}

  evaluator, rows, _ = make(Rewarding(4), episodes=2, every=100, estimates=[count])
  evaluator.tally.counter.report('actor-0', {'actor_steps': 300})
  assert evaluator.step(0.0) is core.Progress.PART and not rows
  assert evaluator.step(0.0) is core.Progress.PART and evaluator.step(0.0) is core.Progress.DID
  assert rows[0]['so_far'] == 300 and rows[0]['episode_return'] == 4.0
  assert evaluator.tally.counter.status()['notes']['evaluator']['evaluation_columns'] == {'so_far': 300}
  assert rows[0]['steps_per_second'] == 4.0  # of the two looks at the clock until all had been played


def test_an_estimate_that_does_not_come_to_its_end_is_closed():
  closed = []

  def endless(steps):
    try:
      while True:
        yield None
    finally:
      closed.append(steps)

  evaluator, rows, _ = make(Rewarding(4), episodes=2, every=100, estimates=[endless])
  evaluator.tally.counter.report('actor-0', {'actor_steps': 300})
  assert [evaluator.step(0.0) for _ in range(3)] == [core.Progress.PART] * 3 and not closed
  evaluator.close()
  assert closed == [300] and not rows


def test_a_single_reward_has_no_parts_and_no_columns_of_them():
  _, rows, come_to = make(Rewarding(4), episodes=2, every=0)
  come_to(1000)
  assert rows[0]['episode_return'] == 4.0 and 'episode_return_0' not in rows[0]


def test_the_time_that_it_plays_in_the_thread_of_others_is_known_to_them():
  evaluator, rows, come_to = make(Rewarding(4), episodes=2)
  come_to(50)
  assert evaluator.tally.held == 0.0
  come_to(100)
  assert len(rows) == 1 and evaluator.tally.held >= 1.0
  evaluator.tally.counter.prompt = False  # a counter in another process
  evaluator.tally.hold(5.0)
  assert evaluator.tally.held == 0.0


def test_it_tells_how_far_it_is_and_what_it_cut_off(monkeypatch):
  monkeypatch.setattr(evaluation.playing, '_PIECE_SECONDS', -1.0)
  evaluator, _, come_to = make(Rewarding(40), episodes=2, every=0, max_steps=30)
  evaluator.tally.counter.report('actor-0', {'actor_steps': 1000}, finished=True)
  assert evaluator.step(0.0) is core.Progress.PART
  note = evaluator.tally.counter.status()['notes']['evaluator']['evaluating']
  assert (note['episodes'], note['of'], note['steps'], note['max_steps']) == (0, 2, 1, 30)
  come_to(1000)
  note = evaluator.tally.counter.status()['notes']['evaluator']
  assert note['evaluating'] is None and note['evaluation_return'] == 30.0
  assert note['evaluation_cut'].startswith('evaluator after 1,000 steps: 2 of 2 episodes were cut off at 30 steps')
