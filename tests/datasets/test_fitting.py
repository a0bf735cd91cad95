"""Data that was recorded within an environment's outer wrappers is as if it had been recorded in the environment."""

import functools

import dm_env
import numpy as np
import pytest
import tree
from dm_env import specs as dm_specs

from tfacme import core, datasets, environments, errors, specs
from tfacme.environments import wrappers

_ID = f'{__name__}:Field'
STACKED = functools.partial(wrappers.FrameStacking, num_frames=2)
LIMITED = functools.partial(wrappers.StepLimit, limit=3)


class Field(dm_env.Environment):
  """A position that is pushed by -2 to 2, for 5 steps; in double precision, as many environments are."""

  def __init__(self, seed=0):
    self._random = np.random.default_rng(seed)

  def reset(self):
    """At random."""
    self._position, self._steps = self._random.standard_normal(2), 0
    return dm_env.restart(self._position.copy())

  def step(self, action):
    """Pays for the distance."""
    self._position, self._steps = self._position + action, self._steps + 1
    reward = -float(np.abs(self._position).sum())
    end = dm_env.termination if self._steps == 5 else dm_env.transition
    return end(reward=reward, observation=self._position.copy())

  def observation_spec(self):
    return dm_specs.Array((2,), np.float64)

  def action_spec(self):
    return dm_specs.BoundedArray((2,), np.float64, -2.0, 2.0)


class Noted(wrappers.EnvironmentWrapper):
  """Keeps the rows that pass through it."""

  episodes = []

  def reset(self):
    timestep = self._environment.reset()
    self._rows, self._observation = [], timestep.observation
    return timestep

  def step(self, action):
    timestep = self._environment.step(action)
    row = core.Step(self._observation, action, timestep.reward, timestep.discount, not self._rows, False)
    self._rows.append(row)
    self._observation = timestep.observation
    if timestep.last():
      final = tree.map_structure(np.zeros_like, row)
      self._rows.append(final._replace(observation=timestep.observation, last=True, first=False))
      Noted.episodes.append(datasets.episode(self._rows))
    return timestep


def _record(factory, episodes=4):
  """Episodes of random actions as they pass through `Noted`, wherever it is among the wrappers."""
  Noted.episodes = []
  environment, random = factory(3), np.random.default_rng(0)
  for _ in range(episodes):
    timestep = environment.reset()
    while not timestep.last():
      spec = environment.action_spec()
      timestep = environment.step(random.uniform(spec.minimum, spec.maximum, spec.shape).astype(np.float32))
  return datasets.memory(Noted.episodes)


def _fit(dataset, *around, id=_ID):  # noqa: A002
  factory = environments.factory(id).wrapped(*around)
  return datasets.fit(dataset, factory, specs.environment_spec(factory(0)))


@pytest.mark.parametrize(
  'inside, around',
  [
    ((), (wrappers.CanonicalAction,)),
    ((), (STACKED,)),
    ((), (wrappers.CanonicalAction, STACKED, wrappers.ObservationActionReward)),
    ((wrappers.CanonicalAction,), (wrappers.ObservationActionReward, STACKED)),
  ],
)
def test_it_is_as_if_it_had_been_recorded_outside(inside, around):
  factory = environments.factory(_ID)
  raw = _record(factory.wrapped(*inside, Noted, *around))
  wanted = _record(factory.wrapped(*inside, *around, Noted))
  fitted = _fit(raw, *inside, *around)
  assert isinstance(fitted, datasets.Wrapped) and len(fitted.wrappers) == len(around)
  assert datasets.memory(fitted.episodes(1)).spec() == wanted.spec() == fitted.spec()
  for ours, theirs in zip(fitted.episodes(1), wanted.episodes(1)):
    tree.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), ours, theirs)
    assert ours.action[:-1].any() and not ours.action[-1].any()


def test_wrappers_by_name_are_no_others():
  data = _record(environments.factory(_ID).wrapped(Noted))
  factory = environments.factory(_ID, frame_stack=2, canonical_action=True)
  fitted = datasets.fit(data, factory, specs.environment_spec(factory(0)))
  assert fitted.spec().observation.shape == (4,)
  assert np.abs(next(fitted.episodes(0)).action).max() <= 1


def test_what_fits_as_it_is_stays_as_it_is():
  data = _record(environments.factory(_ID).wrapped(wrappers.CanonicalAction, STACKED, Noted))
  assert _fit(data, wrappers.CanonicalAction, STACKED) is data


class Weak(Field):
  """Takes small pushes alone."""

  def action_spec(self):
    return dm_specs.BoundedArray((2,), np.float64, -0.4, 0.4)


@pytest.mark.parametrize('inside, warns', [((), True), ((wrappers.CanonicalAction,), False)])
def test_what_may_be_of_a_narrower_scale_is_told(inside, warns, caplog):
  factory = environments.factory(f'{__name__}:Weak')
  data = _record(factory.wrapped(*inside, Noted))
  outer = factory.wrapped(wrappers.CanonicalAction)
  assert datasets.fit(data, outer, specs.environment_spec(outer(0))) is data
  assert ('those of the environment without CanonicalAction' in caplog.text) == warns


@pytest.mark.parametrize('make', [Field, environments.factory(_ID)], ids=['function', 'factory'])
def test_actions_beyond_the_bounds_are_refused_where_nothing_explains_them(make):
  spec = specs.environment_spec(Field())
  rows = [
    core.Step(np.zeros(2, np.float32), np.full(2, scale, np.float32), np.float32(0), np.float32(1), scale == 50, last)
    for scale, last in ((50.0, False), (-50.0, False), (0.0, True))
  ]
  rows[-1] = rows[-1]._replace(discount=np.float32(0))
  with pytest.raises(errors.UserError, match='reach from -50 to 50, and those of the environment from -2 to 2'):
    datasets.fit(datasets.memory([datasets.episode(rows)]), make, spec)
  within = [row._replace(action=row.action * np.float32(0.04)) for row in rows]
  data = datasets.memory([datasets.episode(within)])
  assert datasets.fit(data, make, spec) is data


def test_values_of_another_precision_fit():
  data = _record(environments.factory(_ID).wrapped(Noted))
  doubled = datasets.Memory(tuple(step._replace(action=step.action.astype(np.float64)) for step in data.steps))
  assert _fit(doubled) is doubled


def test_extras_come_along_and_what_a_limit_cuts_off_does_not():
  data = _record(environments.factory(_ID).wrapped(Noted))
  counted = datasets.memory(step._replace(extras={'row': np.arange(6, dtype=np.int32)}) for step in data.steps)
  (episode, *_) = _fit(counted, STACKED, LIMITED).episodes(0)
  assert episode.extras['row'].tolist() == [0, 1, 2, 3]
  assert episode.last.tolist() == [False] * 3 + [True] and episode.discount.tolist() == [1, 1, 1, 0]


class Halving(wrappers.EnvironmentWrapper):
  """Alters actions and does not say how."""

  def step(self, action):
    return self._environment.step(action / 2)

  def action_spec(self):
    return dm_specs.BoundedArray((2,), np.float32, -4.0, 4.0)


class Flipping(wrappers.EnvironmentWrapper):
  """Alters actions within their bounds."""

  def step(self, action):
    return self._environment.step(-action)


@pytest.mark.parametrize(
  'around, says',
  [
    ((STACKED, Halving), 'The wrapper Halving does not say how recorded actions come through it'),
    ((STACKED, Flipping), 'takes the action .* where .* was recorded'),
    ((STACKED, functools.partial(wrappers.ActionRepeat, num_repeats=2)), 'where .* was recorded|takes several steps'),
  ],
)
def test_what_would_be_a_guess_is_refused(around, says):
  data = _record(environments.factory(_ID).wrapped(Noted))
  with pytest.raises(errors.UserError, match=says):
    _fit(data, *around)


@pytest.mark.parametrize(
  'change, says',
  [
    (
      lambda step: step._replace(reward=np.zeros((6, 2), np.float32)),
      r'its reward is float32 \[2\], and the environment',
    ),
    (lambda step: step._replace(action=step.action.astype(np.int32)), 'its action is int32'),
    (lambda step: step._replace(observation={'a': step.observation}), "its observation is {'a': 'float32"),
  ],
)
def test_data_of_another_environment_is_refused(change, says):
  data = _record(environments.factory(_ID).wrapped(Noted))
  with pytest.raises(errors.UserError, match=f'The data set does not fit the environment: {says}'):
    _fit(datasets.memory(map(change, data.steps)))


# --- What nobody can learn from ---


def test_a_nan_is_found_before_it_is_learned_from(tmp_path):
  data = _record(environments.factory(_ID).wrapped(Noted))
  broken = data.steps[2]
  broken.observation[4, 1] = np.nan
  with pytest.raises(errors.UserError, match='In row 4 of episode 2 of the data set in memory, observation is nan'):
    data.check()
  with datasets.RLDSWriter(str(tmp_path), data.spec()) as writer:
    for step in data.steps:
      writer.write(step)
  with pytest.raises(errors.UserError, match=f'In row 4 of episode 2 of the data set {tmp_path}, observation is nan'):
    datasets.rlds(str(tmp_path)).check()


@pytest.mark.parametrize('action', [3, -1])
def test_an_action_that_the_environment_does_not_have_is_refused(action):
  step = core.Step(np.zeros(2), np.array([action, 0]), np.zeros(2), np.ones(2), np.array([1, 0]), np.array([0, 1]))
  with pytest.raises(errors.UserError, match='In episode 7 there are actions from .* has those from 0 to 2'):
    datasets.episodes.check_values(step, dm_specs.DiscreteArray(3), 'episode 7')
