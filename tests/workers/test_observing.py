"""The columns of observers: what they may be named, and that none of them ends a run."""

import dataclasses
import functools

import numpy as np
import pytest

import tfacme
from tests.contract import on_policy
from tfacme import errors, observers
from tfacme.workers import observing


class Saying:
  """Makes the columns that it is told, one episode after the other."""

  def __init__(self, *episodes):
    self._episodes = list(episodes)

  def observe_first(self, environment, timestep):
    pass

  def observe(self, environment, action, timestep):
    pass

  def metrics(self):
    return self._episodes.pop(0)


class Changing:
  """Says in the middle of a run what no log can take."""

  def __init__(self):
    self._asked = 0

  def observe_first(self, environment, timestep):
    pass

  def observe(self, environment, action, timestep):
    pass

  def metrics(self):
    self._asked += 1
    return [{'x': 1}, {'x': 1, 'late': 2}, {}, {'x': 'one'}, {'x': 1, 'actor_steps': 5}][min(self._asked, 5) - 1]


def test_rows_keep_the_columns_of_the_first_one(caplog):
  saying = Saying({'x': 1, 'y': np.float32(2)}, {'x': 3}, {'x': 'one', 'y': 2.5, 'late': 1, 'actor_steps': 0}, {})
  made = observing.Observers('actor-0', [lambda: saying], 1)
  rows = [made.columns(0) for _ in range(4)]
  assert [list(row) for row in rows] == [['x', 'y']] * 4
  np.testing.assert_equal([list(row.values()) for row in rows], [[1, 2], [3, np.nan], [np.nan, 2.5], [np.nan] * 2])
  assert [record.getMessage() for record in caplog.records] == [
    'actor-0: the column y is NaN in an episode for which its observer made none.',
    "actor-0: the column x is NaN in an episode for which its observer made 'one'.",
    'actor-0: the column actor_steps is left out: it is in this log already.',
    'actor-0: the column late is left out: the first episode had none, and all rows of a log have the same columns.',
  ]


def test_a_mean_is_over_the_episodes_that_have_a_number():
  episodes = [{'x': 1, 'y': np.nan}, {'x': np.nan, 'y': np.nan}, {'x': 4, 'y': np.nan}]
  np.testing.assert_equal(observing.means(episodes), {'x': 2.5, 'y': np.nan})


@pytest.mark.parametrize(
  'makers, says',
  [
    ([functools.partial(observers.Info, 'is_success', over) for over in ('last', 'sum')], "Two .* 'is_success'"),
    ([functools.partial(observers.Info, 'episode_return_0')], "'episode_return_0', which these logs have already"),
    ([lambda: 3], 'what it makes is 3, without the method observe_first'),
    ([lambda: Saying(None)], 'metrics .*returned None, and has to return a dict of columns'),
    ([lambda: 1 / 0], 'An observer can not be made: ZeroDivisionError'),
  ],
)
def test_observers_are_looked_at_before_a_run(makers, says):
  with pytest.raises(errors.UserError, match=says):
    observing.check(makers)
  observing.check([lambda: Saying()])  # It is not to be asked before an episode.


def test_columns_that_change_do_not_end_a_run(tmp_path):
  experiment = dataclasses.replace(
    on_policy.experiment(), observers=[Changing], budget=tfacme.Budget(actor_steps=100), evaluation=[]
  )
  tfacme.train(experiment, str(tmp_path), progress=False)
  with pytest.raises(errors.UserError, match="column 'actor_steps'"):
    twice = [functools.partial(observers.Info, 'actor_steps')]
    tfacme.train(dataclasses.replace(experiment, observers=twice), str(tmp_path / 'refused'), progress=False)
  assert not (tmp_path / 'refused').exists()
