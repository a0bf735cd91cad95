"""Columns of what an environment says beside its time steps, worked by hand."""

import dataclasses
import functools

import gymnasium
import numpy as np
import pytest

import tfacme
from tests.contract import environment, on_policy
from tfacme import errors, observers, testing
from tfacme.environments import gym_adapter, wrappers
from tfacme.workers import observing


class Telling:
  """An environment whose `info` is what it is told."""

  def __init__(self):
    self.info = {}


def _episode(observer, infos):
  told = Telling()
  observer.observe_first(told, None)
  for told.info in infos:
    observer.observe(told, 0, None)
  return observer.metrics()


@pytest.mark.parametrize(
  'over, value', [('last', 2.0), ('sum', 6.0), ('mean', 2.0), ('minimum', 1.0), ('maximum', 3.0)]
)
def test_an_episode_has_one_number(over, value):
  observer = observers.Info('score', over)
  for _ in range(2):  # Nothing of an episode is left in the next one.
    assert _episode(observer, [{'score': 1}, {}, {'score': np.float32(3)}, {'score': 2}]) == {'score': value}


def test_a_truth_value_is_0_or_1_and_a_column_may_have_a_name():
  assert _episode(observers.Info('is_success', column='success'), [{'is_success': np.True_}]) == {'success': 1.0}


@pytest.mark.parametrize(
  'observer, infos, says',
  [
    (
      observers.Info('success'),
      [{'is_success': 1, 'steps': 2}],
      "the info of the environment had no 'success' in the whole episode; so far it had is_success, steps",
    ),
    (
      observers.Reading('success', lambda told: None),
      [{}],
      'the function that reads it gave none in the whole episode',
    ),
    (observers.Info('success'), [{'success': 'high'}, {'success': 1}], "'high' was read, which is no number"),
    (observers.Info('success', 'minimum'), [{'success': 1}, {'success': np.nan}], 'NaN was read'),
  ],
)
def test_an_episode_without_a_number_is_nan_and_the_next_one_may_have_one(observer, infos, says):
  assert np.isnan(observer.metrics()['success'])  # before the first episode
  assert np.isnan(_episode(observer, infos)['success'])
  assert observer.missing() == says
  if isinstance(observer, observers.Info):
    assert _episode(observer, [{'success': True}]) == {'success': 1.0}


def test_what_can_never_be_read_is_said():
  with pytest.raises(errors.UserError, match='of an environment of Gymnasium, and this is none'):
    observers.Info('score').observe(object(), 0, None)
  with pytest.raises(errors.UserError, match="no way to sum up an episode 'least'"):
    observers.Info('score', 'least')


class Counting(gymnasium.Env):
  """Episodes of three steps; `info` has how many there were before."""

  observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
  action_space = gymnasium.spaces.Discrete(2)

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.steps = 0
    return np.zeros(2, np.float32), {'taken': 99}

  def step(self, action):
    self.steps += 1
    over = self.steps == 3
    return np.zeros(2, np.float32), 1.0, over, False, {'taken': self.steps, **({'is_success': True} if over else {})}


def _gym(seed):
  return wrappers.SinglePrecision(gym_adapter.GymEnvironment(Counting(), seed))


class Solving(environment.TwoStates):
  """Says by a method whether it is in the good state."""

  def is_good(self) -> bool:
    """Whether it is."""
    return bool(self._state)


@pytest.mark.parametrize(
  'launch',
  ['inline', pytest.param('local_mt', marks=pytest.mark.slow), pytest.param('local_mp', marks=pytest.mark.slow)],
)
def test_actors_and_evaluations_have_the_columns_in_each_slot(launch, tmp_path):
  good = functools.partial(observers.Reading, 'good', lambda made: made.is_good(), 'sum')
  experiment = dataclasses.replace(
    on_policy.experiment(),
    environment=Solving,
    observers=(good,),
    budget=tfacme.Budget(actor_steps=200),
    layout=tfacme.Layout(slots=2),
  )
  tfacme.train(experiment, str(tmp_path), launch, progress=False)
  logs = testing.logs(tmp_path)
  for row in logs['actor-0']:  # The last state is left by no step: it pays nothing.
    assert float(row['good']) - float(row['episode_return']) in (0.0, 1.0)
  (*_, last) = logs['evaluator']
  assert 0 <= float(last['good']) - float(last['episode_return']) <= 1.0


@pytest.mark.slow
def test_the_info_of_gymnasium_comes_through_the_wrappers(tmp_path, caplog):
  """And what an episode that is cut off has none of does not end the run."""
  made = [functools.partial(observers.Info, 'taken', 'sum'), functools.partial(observers.Info, 'is_success')]
  experiment = dataclasses.replace(
    on_policy.experiment(),
    environment=_gym,
    observers=made,
    budget=tfacme.Budget(actor_steps=60),
    evaluation=[tfacme.Evaluation(), tfacme.Evaluation(name='cut', max_episode_steps=2)],
  )
  run = tfacme.train(experiment, str(tmp_path), progress=False)
  assert run.evaluate(2).observed == {'taken': 6.0, 'is_success': 1.0}
  logs = testing.logs(tmp_path)
  for name in ('actor-0', 'evaluator'):
    assert {(row['taken'], row['is_success']) for row in logs[name]} == {('6.0', '1.0')}
  assert {(row['taken'], row['is_success']) for row in logs['cut']} == {('3.0', 'nan')}
  told = [record.getMessage() for record in caplog.records if 'is_success' in record.getMessage()]
  assert told == [
    "cut: the column is_success is NaN in an episode: the info of the environment had no 'is_success' in the whole "
    'episode; so far it had taken.'
  ]
  # Whatever is a column already is refused before a run.
  columns = {column for name in ('actor-0', 'evaluator') for column in logs[name][0]} - {'taken', 'is_success'}
  for column in sorted(columns):
    with pytest.raises(errors.UserError, match=f"column '{column}', which these logs have already"):
      observing.check([functools.partial(observers.Info, column)])
