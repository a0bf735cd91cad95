"""Data that was recorded within an environment's outer wrappers is as if it had been recorded in the environment."""

import collections
import contextlib
import functools

import dm_env
import numpy as np
import pytest
import tensorflow_datasets as tfds
import tree
from dm_env import specs as dm_specs

import tfacme
from tests.datasets import foreign
from tfacme import core, datasets, environments, errors, specs
from tfacme.datasets import reader, wrapped
from tfacme.environments import wrappers
from tfacme.environments.wrappers import single_precision
from tfacme.replay import recorded
from tfacme.replay.items import Items

View = collections.namedtuple('View', 'z y')
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


def test_rewards_that_nobody_learns_from_may_be_of_any_shape_within_wrappers_too():
  plain = _record(environments.factory(_ID).wrapped(Noted)).steps
  pairs = [step._replace(reward=np.stack([step.reward] * 2, axis=1)) for step in plain]
  factory = environments.factory(_ID).wrapped(STACKED)
  spec = specs.environment_spec(factory(0))
  with pytest.raises(errors.UserError, match='does not fit the environment: its observation is'):
    datasets.fit(datasets.memory(pairs), factory, spec)
  read = next(datasets.fit(datasets.memory(pairs), factory, spec, rewards=False).episodes(0))
  wanted = next(datasets.fit(datasets.memory(plain), factory, spec).episodes(0))
  np.testing.assert_array_equal(read.observation, wanted.observation)
  assert wanted.reward.any() and read.reward.shape == wanted.reward.shape and not read.reward.any()


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
def test_actions_beyond_the_bounds_are_refused_where_nothing_explains_them(make, caplog):
  spec = specs.environment_spec(Field())
  rows = [
    core.Step(np.zeros(2, np.float32), np.full(2, scale, np.float32), np.float32(0), np.float32(1), scale == 50, last)
    for scale, last in ((50.0, False), (-50.0, False), (0.0, True))
  ]
  rows[-1] = rows[-1]._replace(discount=np.float32(0))
  with pytest.raises(
    errors.UserError, match='reach from -50 to 50 .in row 0 of episode 0., and those of the environment from -2 to 2'
  ):
    datasets.fit(datasets.memory([datasets.episode(rows)]), make, spec)
  for scale, warns in ((0.04, False), (0.02, True)):  # Just from -1 to 1 they may have been scaled.
    within = [row._replace(action=row.action * np.float32(scale)) for row in rows]
    data = datasets.memory([datasets.episode(within)])
    assert datasets.fit(data, make, spec) is data
    assert ('reach just from -1 to 1, and are taken as they are' in caplog.text) == warns


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


class Shifting(wrappers.EnvironmentWrapper):
  """Alters choices by little beside their size."""

  def step(self, action):
    return self._environment.step(tree.map_structure(lambda x: (x + 3).astype(x.dtype), action))


@pytest.mark.parametrize('value', [np.int32(5000), np.int64(5000), np.uint8(5), np.bool_(False)], ids=repr)
def test_whole_numbers_are_the_recorded_ones_or_others(value):
  """A thousandth is what real numbers may be off, and no choice is another one."""
  row = np.arange(3)
  zeros = np.zeros(3, np.float32)
  step = core.Step(np.zeros((3, 2), np.float32), np.full(3, value), zeros, zeros + 1, row == 0, row == 2)
  spec = specs.environment_spec(single_precision.SinglePrecision(Field()))
  spec = spec._replace(actions=dm_specs.Array((), value.dtype))
  plain = datasets.Wrapped(datasets.Memory((step,)), spec, (STACKED,))
  assert next(plain.episodes(0)).action[:2].tolist() == [value] * 2
  shifted = datasets.Wrapped(datasets.Memory((step,)), spec, (Shifting, STACKED))
  with pytest.raises(errors.UserError, match='takes the action .* where .* was recorded'):
    next(shifted.episodes(0))


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


def test_choices_that_were_written_as_real_numbers_are_told_to_be_whole_numbers():
  factory = environments.factory('bsuite:catch/0')
  spec = specs.environment_spec(factory(0))
  row = core.step_spec(spec)._replace(action=dm_specs.Array((1,), np.float32))
  assert wrapped.difference(spec, row).endswith(
    'its action is float32 [1], and the environment has int32 []: choices have to be written as whole numbers, int32 '
    'say.'
  )


class Nested(Field):
  """Observes its position as a nest."""

  shown = staticmethod(lambda position: position)

  def reset(self):
    return self._shown(super().reset())

  def step(self, action):
    return self._shown(super().step(action))

  def observation_spec(self):
    return tree.map_structure(lambda leaf: dm_specs.Array(leaf.shape, leaf.dtype), self.shown(np.zeros(2)))

  def _shown(self, timestep):
    return timestep._replace(observation=self.shown(timestep.observation))


class Listed(Nested):
  shown = staticmethod(lambda position: [position, {'b': position, 'a': -position}])


class Numbered(Nested):
  shown = staticmethod(lambda position: {'1': position, '0': -position, '2': {'0': position}})


class Named(Nested):
  shown = staticmethod(lambda position: View(position, -position))


@pytest.mark.parametrize('name', ['Field', 'Listed', 'Numbered', 'Named'])
@pytest.mark.parametrize('around', [(), (wrappers.ObservationActionReward,)], ids=['plain', 'oar'])
def test_own_recordings_are_taken_whatever_the_nest(name, around, tmp_path):
  factory = environments.factory(f'{__name__}:{name}').wrapped(*around)
  with contextlib.closing(factory(0)) as environment:
    tfacme.record(None, environment, 2, str(tmp_path), seed=1)
  spec = specs.environment_spec(factory(0))
  data = datasets.rlds(str(tmp_path))
  fitted = datasets.fit(data, factory, spec)
  assert fitted is data
  read = recorded.Recorded(Items(length=2), 1, fitted, 1 << 20, core.step_spec(spec))
  for episode in read.episodes(0):
    tree.assert_same_structure(episode.observation, spec.observations)
    shown = episode.observation.observation if around else episode.observation
    positions = [abs(leaf) for leaf in tree.flatten(shown)]
    assert all((leaf == positions[0]).all() for leaf in positions) and positions[0].shape == (6, 2)
    signs = {path: float(np.sign(leaf[0, 0])) for path, leaf in specs.paths(shown).items()}
    opposite = [path for path in signs if signs[path] != signs[next(reversed(signs))]]
    assert opposite == {'Field': [], 'Listed': ['1/a'], 'Numbered': ['0'], 'Named': ['z']}[name]


def test_surplus_fields_are_left_out_and_told(caplog):
  data = _record(environments.factory(_ID).wrapped(Noted))
  more = datasets.memory(
    step._replace(observation={'position': step.observation, 'more': step.observation}) for step in data.steps
  )
  spec = specs.environment_spec(Field())._replace(observations={'position': dm_specs.Array((2,), np.float32)})
  assert datasets.fit(more, Field, spec) is more
  assert 'The environment has no observation/more: the data set has, and it is left out' in caplog.text
  read = recorded.Recorded(Items(length=2), 1, more, 1 << 20, core.step_spec(spec))
  assert list(next(read.episodes(0)).observation) == ['position']


@pytest.mark.parametrize('around', [(), (STACKED,)], ids=['plain', 'stacked'])
def test_an_axis_of_one_is_no_difference(around):
  data = _record(environments.factory(_ID).wrapped(Noted))
  wide = datasets.memory(
    step._replace(observation=step.observation[:, None], action=step.action[..., None], reward=step.reward[:, None])
    for step in data.steps
  )
  factory = environments.factory(_ID).wrapped(*around)
  spec = specs.environment_spec(factory(0))
  read = lambda source: recorded.Recorded(Items(2), 1, _fit(source, *around), 1 << 20, core.step_spec(spec)).episodes(0)
  for ours, theirs in zip(read(wide), read(data)):
    tree.map_structure(np.testing.assert_array_equal, ours, theirs)


def test_other_names_are_told_if_there_is_one_that_they_can_be(tmp_path):
  episode = foreign.rows(2)
  episode['observation'] = {'state': np.zeros((3, 2), np.float32), 'kind': np.arange(3), 'words': ['a'] * 3}
  part = tfds.features.Tensor(shape=(2,), dtype=np.float32)
  nest = {'state': part, 'kind': np.int64, 'words': np.str_}
  data = foreign.write(tmp_path / 'data', [episode], observation=nest)
  spec = specs.environment_spec(Field())._replace(actions=dm_specs.DiscreteArray(9))
  says = 'not read of the data: observation/words is text.*; if it is there under another name, say --dataset.obs'
  with pytest.raises(errors.UserError, match=f'{says}ervation observation/state') as error:
    datasets.fit(data, Field, spec)
  option = str(error.value).rstrip('.').rpartition(' ')[2]
  told = datasets.rlds(data.path, options=datasets.Options(observation=[option]))
  assert datasets.fit(told, Field, spec) is told


def test_which_of_several_does_not_fit_is_named(tmp_path):
  paths = [str(tmp_path / name) for name in ('one', 'other')]
  for path, size in zip(paths, (2, 3)):
    step = _record(environments.factory(_ID).wrapped(Noted)).steps[0]
    step = step._replace(observation=np.zeros((6, size), np.float32))
    with datasets.RLDSWriter(path, datasets.memory([step]).spec()) as writer:
      writer.write(step)
  both, spec = datasets.named(paths), specs.environment_spec(Field())
  says = rf'The data set {paths[1]} does not fit the environment: its observation is float32 \[3\], and the environment'
  with pytest.raises(errors.UserError, match=says):
    datasets.fit(both, Field, spec)


@pytest.mark.parametrize('dtype', [np.int32, np.uint8, np.bool_])
def test_choices_are_no_continuous_actions(dtype):
  data = _record(environments.factory(_ID).wrapped(Noted))
  choices = datasets.memory(step._replace(action=(step.action > 0).astype(dtype)) for step in data.steps)
  says = rf'its action is {np.dtype(dtype).name} \[2\], and the environment has float64 \[2\]'
  with pytest.raises(errors.UserError, match=says):
    datasets.fit(choices, Field, specs.environment_spec(Field()))


# --- Values against the environment's ---


class Small(Field):
  """Sees the field from -0.1 to 0.1, of its four parts."""

  def observation_spec(self):
    return dm_specs.BoundedArray((2,), np.float64, -0.1, 0.1)


def test_observations_out_of_range_are_told(caplog):
  data = _record(environments.factory(_ID).wrapped(Noted))
  datasets.fit(data, Small, specs.environment_spec(Small()))
  largest = max(np.abs(step.observation).max() for step in data.steps)
  assert 'The observation [1] reaches from' in caplog.text and 'the environment are -0.1 to 0.1' in caplog.text
  assert largest > 0.1
  caplog.clear()
  datasets.fit(data, Field, specs.environment_spec(Field()))
  assert 'bounds' not in caplog.text


@pytest.mark.parametrize('field, name', [('actions', 'action'), ('observations', 'observation')])
def test_choices_that_the_environment_does_not_have_are_refused_at_the_start(field, name):
  values = np.int32([[0, 1, 0], [1, 5, 0]])
  steps = [
    core.Step(row, row, np.zeros(3), np.float32([1, 0, 0]), np.array([1, 0, 0]) > 0, np.array([0, 0, 1]) > 0)
    for row in values
  ]
  choices = {'observations': dm_specs.DiscreteArray(9), 'actions': dm_specs.DiscreteArray(9)}
  spec = specs.environment_spec(Field())._replace(**{**choices, field: dm_specs.DiscreteArray(2)})
  says = f'In row 1 of episode 1 of the data set in memory the {name} is 5, and the environment has those from 0 to 1'
  with pytest.raises(errors.UserError, match=says):
    datasets.fit(datasets.memory(steps), lambda seed: None, spec)


def test_what_an_agent_does_not_learn_from_need_not_be_there(tmp_path):
  data = foreign.write(tmp_path / 'data', [foreign.rows(2), foreign.rows(3)], reward=None, is_terminal=None)
  spec = specs.EnvironmentSpec(
    dm_specs.Array((1,), np.float32),
    dm_specs.DiscreteArray(9),
    dm_specs.Array((2,), np.float32),
    dm_specs.Array((), np.float32),
  )
  with pytest.raises(errors.UserError, match='have no reward, no is_terminal or discount, and this agent learns from'):
    datasets.fit(data, None, spec)
  assert datasets.fit(data, None, spec, rewards=False) is data
  read = recorded.Recorded(Items(length=2), 1, data, 1 << 20, core.step_spec(spec))
  assert next(read.episodes(0)).reward.shape[1:] == (2,)
  rewarded = foreign.write(tmp_path / 'rewarded', [foreign.rows(2)], is_terminal=None)
  with pytest.raises(errors.UserError, match='no is_terminal or discount, .* say --dataset.ends terminated or'):
    datasets.fit(rewarded, None, spec)


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


def _masked(mask, actions):
  """An episode with these masks and actions, nests of [T + 1, ...]."""
  rows = len(tree.flatten(actions)[0])
  row, zeros = np.arange(rows), np.zeros(rows, np.float32)
  return core.Step({'action_mask': mask, 'x': zeros}, actions, zeros, zeros + 1, row == 0, row == rows - 1)


_MASK = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0], [1, 0, 1]], np.bool_)  # Where nothing is legal, it says nothing.
_CHOICE = _masked(_MASK, np.int32([2, 1, 1, 1]))


def test_an_action_that_is_illegal_by_its_own_mask_is_refused_when_it_is_read():
  spec = dm_specs.DiscreteArray(3)
  datasets.episodes.check_values(_CHOICE, spec, 'episode 7')
  illegal = _CHOICE._replace(action=np.int32([2, 0, 1, 1]))
  says = 'In row 1 of episode 7 the action is 0, which is illegal by the action_mask of the same row, .* or record it'
  with pytest.raises(errors.UserError, match=says):
    datasets.episodes.check_values(illegal, spec, 'episode 7')
  beside = wrappers.OAR(illegal.observation, illegal.action, illegal.reward)
  with pytest.raises(errors.UserError, match='In row 1 of episode 7 the action is 0'):
    datasets.episodes.check_values(illegal._replace(observation=beside), spec, 'episode 7')


_SEVERAL = {'force': dm_specs.BoundedArray((), np.float32, -9.0, 9.0), 'move': specs.MultiDiscreteArray([2, 3])}


def _several(second):
  """Two choices at once, beside a number, of which the mask says nothing."""
  legal = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], np.bool_)
  actions = {'force': np.float32([7, 7, 0]), 'move': np.int32([[1, 0], [1, second], [0, 0]])}
  return _masked({'force': np.zeros(3, np.bool_), 'move': legal}, actions)


def test_each_of_several_choices_has_its_part_of_the_mask(tmp_path):
  legal, illegal = _several(2), _several(0)
  datasets.episodes.check_values(legal, _SEVERAL, 'episode 7')
  says = r'In row 1 of {} the action move \[1\] is 0, which is illegal by the action_mask'
  with pytest.raises(errors.UserError, match=says.format('episode 7')):
    datasets.episodes.check_values(illegal, _SEVERAL, 'episode 7')
  with datasets.RLDSWriter(str(tmp_path), datasets.memory([legal]).spec()) as writer:
    for step in (legal, illegal):
      writer.write(step)
  data = datasets.rlds(str(tmp_path))
  for action_spec, findings in ((None, 0), (_SEVERAL, 1)):  # It is not known which part is whose, or it is.
    look = data.look(action_spec)
    assert len(list(data.recorded(look))) == 2
    assert len(look.findings()) == findings
  with pytest.raises(errors.UserError, match=says.format(f'episode 1 of the data set {tmp_path}')):
    look.result()


def test_an_illegal_action_is_refused_at_the_start(tmp_path):
  data = datasets.memory([_CHOICE, _CHOICE._replace(action=np.int32([2, 1, 0, 1])), _CHOICE])
  data.check()
  steps = [_CHOICE, _CHOICE._replace(action=np.int32([2, 0, 0, 1]))]
  says = 'In row 1 of episode 1 of the data set {} the action is 0, which is illegal'
  with pytest.raises(errors.UserError, match=says.format('in memory')):
    datasets.memory(steps).check()
  with datasets.RLDSWriter(str(tmp_path), data.spec()) as writer:
    for step in steps:
      writer.write(step)
  with pytest.raises(errors.UserError, match=says.format(tmp_path)):
    datasets.rlds(str(tmp_path)).check()
  beside = [step._replace(observation=wrappers.OAR(step.observation, step.action, step.reward)) for step in steps]
  with pytest.raises(errors.UserError, match=says.format('in memory')):
    datasets.memory(beside).check()


_PUSH = dm_specs.BoundedArray((2,), np.float32, -2.0, 2.0)


def _pushed(actions):
  """An episode of `Field` with these actions [T + 1, 2]."""
  rows = len(actions)
  row = np.arange(rows)
  zeros = np.zeros(rows, np.float32)
  return core.Step(np.zeros((rows, 2), np.float32), np.float32(actions), zeros, zeros + 1, row == 0, row == rows - 1)


def test_actions_beyond_the_bounds_are_refused_when_they_are_read():
  says = r'The actions \[1\] of episode 7 reach from -1 to 500 \(in row 1\), and those of the environment from -2 to 2:'
  with pytest.raises(errors.UserError, match=says):
    datasets.episodes.check_values(_pushed([[3e-5, -1], [0, 500], [0, 0]]), _PUSH, 'episode 7')
  own = dm_specs.BoundedArray((2,), np.float32, [-900, -2], [900, 2])
  with pytest.raises(errors.UserError, match=r'actions \[1\] of .* from -500 to 0 \(in row 2\), .* from -2 to 2'):
    datasets.episodes.check_values(_pushed([[0, 0], [-500, 0], [0, -500], [0, 0]]), own, 'episode 7')


@pytest.mark.parametrize(
  'spec, actions',
  [
    (_PUSH, [[2, -2.00039], [0, 0]]),  # A ten thousandth of the width is rounding.
    (dm_specs.BoundedArray((2,), np.float32, 1.0, 2.0), [[1, 2], [0, 0]]),  # The last row has no action.
    (dm_specs.BoundedArray((2,), np.float32, [-2, -900], [2, 900]), [[1, 500], [0, 0]]),
    (dm_specs.BoundedArray((2,), np.float32, 0.0, np.inf), [[-500, 500], [0, 0]]),  # no scale, as at the start
    (dm_specs.Array((2,), np.float32), [[-500, 500], [0, 0]]),
    (dm_specs.BoundedArray((0,), np.float32, -1.0, 1.0), np.zeros((2, 0))),
  ],
)
def test_actions_within_their_bounds_are_read(spec, actions):
  datasets.episodes.check_values(_pushed(actions), spec, 'episode 7')


def test_actions_that_were_not_looked_at_are_not_learned_from(tmp_path, monkeypatch):
  monkeypatch.setattr(reader, '_LOOKED_AT', 1)  # byte, so the first episode of each file
  spec = specs.environment_spec(single_precision.SinglePrecision(Field()))
  within = _pushed([[1, 2], [0, 0]])
  with datasets.RLDSWriter(str(tmp_path), datasets.memory([within]).spec()) as writer:
    for step in (within, within, _pushed([[1, 500], [0, 0]])):
      writer.write(step)
  data = datasets.rlds(str(tmp_path))
  assert datasets.fit(data, Field, spec) is data
  read = recorded.Recorded(Items(length=2), 1, data, 1 << 20, core.step_spec(spec))
  with pytest.raises(errors.UserError, match=r'The actions \[1\] of an episode of .* reach from 500 to 500'):
    list(read.episodes(0))
