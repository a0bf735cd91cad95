"""Episodes as evaluations play them: which are played, where they are cut off, and what is told of them."""

import dm_env
import numpy as np
import pytest
from dm_env import specs as dm_specs

from tfacme import errors, observers, specs
from tfacme.workers import playing


class Count(dm_env.Environment):
  """An episode of `lengths[i]` steps, the i-th; each step pays (1, 10)."""

  def __init__(self, lengths, rewards=(1.0, 10.0)):
    self._lengths = list(lengths)
    self._left = 0
    self.rewards = np.array(rewards, np.float32) if np.ndim(rewards) else rewards

  def reset(self):
    self._left = self._lengths.pop(0)
    return dm_env.restart(np.float32(self._left))

  def step(self, action):
    self._left -= 1
    make = dm_env.transition if self._left else dm_env.termination
    return make(self.rewards, np.float32(self._left))

  def observation_spec(self):
    return dm_specs.BoundedArray((), np.float32, 0, 100)

  def action_spec(self):
    return dm_specs.DiscreteArray(4)

  def reward_spec(self):
    return dm_specs.Array(np.shape(self.rewards), np.float32)


def play(environments, episodes, max_steps=100, makers=(), act=None):
  player = playing.Player('judge', environments, specs.environment_spec(environments[0]), max_steps, makers)
  *_, result = player.play(act or (lambda observation, first: first.astype(np.int32)), episodes)
  return result


def test_each_environment_has_its_share_whichever_episodes_end_first():
  result = play([Count([9, 9]), Count([1, 2, 99])], 3)
  assert result.lengths.tolist() == [9, 9, 1]
  assert result.parts.tolist() == [[9, 90], [9, 90], [1, 10]]
  assert result.returns.tolist() == [99, 99, 11]
  assert (result.mean, result.episodes, result.episodes_cut) == (209 / 3, 3, 0)


def test_a_single_reward_has_no_parts():
  result = play([Count([2, 3], rewards=0.5)], 2)
  assert result.returns.tolist() == result.parts.tolist() == [1.0, 1.5]
  assert result.standard_error == pytest.approx(0.25)
  assert np.isnan(play([Count([2])], 1).standard_error)  # of one, nobody knows how much they vary


def test_an_episode_is_cut_off_at_the_limit_and_the_next_one_begins():
  seen = []

  def act(observation, first):
    seen.append((float(observation[0]), bool(first[0])))
    return np.zeros(1, np.int32)

  result = play([Count([9, 3, 2])], 3, max_steps=3, act=act)
  assert result.lengths.tolist() == [3, 3, 2]
  assert result.cut.tolist() == [True, False, False]  # the second one ends by itself in its last step
  assert seen == [(9, True), (8, False), (7, False), (3, True), (2, False), (1, False), (2, True), (1, False)]


def test_observers_see_evaluations():
  result = play([Count([1, 4]), Count([2])], 3, makers=[lambda: observers.DiscreteActionShare(4)])
  # Action 1 begins an episode, and 0 goes on with it: shares of 1, 1/4 and 1/2.
  assert result.observed == {
    'action_0_share': pytest.approx(1.25 / 3),
    'action_1_share': pytest.approx(1.75 / 3),
    'action_2_share': 0.0,
    'action_3_share': 0.0,
  }
  assert result.observed_errors['action_0_share'] == pytest.approx(np.std([1, 1 / 4, 1 / 2], ddof=1) / 3**0.5)
  assert result.observed_errors['action_3_share'] == 0.0


def test_what_an_environment_gives_is_held_against_its_spec():
  with pytest.raises(
    errors.UserError, match='judge at step 0 of an episode, environment 0: .* has 101.0, and the spec'
  ):
    play([Count([101])], 1)
  with pytest.raises(errors.NonFiniteError, match='judge at step 1 of an episode, environment 0: the reward is nan'):
    play([Count([5], rewards=np.nan)], 1)
  with pytest.raises(errors.UserError, match='environment 1: the environment violates its own reward_spec'):
    play([Count([5]), Count([5], rewards=1.0)], 2)


def test_the_types_of_actions_are_looked_at_in_each_call():
  actions = [np.zeros(1, np.int64), np.zeros(1, np.int32), np.full(1, 1.4)]
  with pytest.raises(errors.UserError, match='The policy of judge gives actions of type float64'):
    play([Count([9])], 1, act=lambda observation, first: actions.pop(0))
  assert not actions


class Clock:
  """Goes on by a second at each look."""

  now = 0.0

  def __call__(self):
    self.now += 1.0
    return self.now


def test_news_come_while_it_plays(monkeypatch):
  monkeypatch.setattr(playing.time, 'monotonic', Clock())
  environments = [Count([3, 30]), Count([20])]
  player = playing.Player('judge', environments, specs.environment_spec(environments[0]), 100)
  *news, _ = player.play(lambda observation, first: first.astype(np.int32), 3)
  assert [(n.episodes, n.steps) for n in news[:4]] == [(0, 1), (0, 2), (1, 3), (1, 4)]
  assert [(n.episodes, n.steps) for n in news[18:21]] == [(1, 19), (2, 17), (2, 18)]  # the other one, since its start
  assert news[17].seconds > news[16].seconds > 10


def test_a_long_episode_is_told_once(monkeypatch, caplog):
  monkeypatch.setattr(playing.time, 'monotonic', Clock())
  environments = [Count([3, 30]), Count([20])]
  player = playing.Player('judge', environments, specs.environment_spec(environments[0]), 25)
  result = playing.play_all(player, lambda observation, first: first.astype(np.int32), 3, 25)
  assert result.lengths.tolist() == [3, 25, 20]
  long, cut = [record.getMessage() for record in caplog.records]
  assert long.startswith('An episode has gone on for 1') and long.endswith('steps by now; it is cut off at 25.')
  assert cut.startswith('1 of 3 episodes were cut off at 25 steps')


def test_a_limit_for_one_episode_at_a_time(monkeypatch, caplog):
  monkeypatch.setattr(playing.time, 'monotonic', Clock())
  limit = playing.Limit(15)
  for _ in range(2):
    limit.begin()
    assert [limit.reached(steps) for steps in range(16)] == [False] * 15 + [True]
  limit.close(limit.cut, 3)
  messages = [record.getMessage() for record in caplog.records]
  assert messages[:2] == ['An episode has gone on for 10 s: 9 steps by now; it is cut off at 15.'] * 2
  assert messages[2] == (
    '2 of 3 episodes were cut off at 15 steps (max_episode_steps): a return there is of these steps alone.'
  )
