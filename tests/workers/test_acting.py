"""The actor: one call for all slots, state that starts anew with an episode, and memory of its own."""

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import core, errors, networks, schedules, specs
from tfacme.workers import acting, export

SPEC = specs.EnvironmentSpec(
  observations={'x': dm_specs.Array((2,), np.float32), 'flag': dm_specs.Array((), np.bool_)},
  actions=dm_specs.Array((2,), np.float32),
  rewards=dm_specs.Array((), np.float32),
  discounts=dm_specs.BoundedArray((), np.float32, 0.0, 1.0),
)


class NoVariables:
  """Stands for a client of the learner."""

  version = 3

  def update(self):
    pass


class Before(tf.Module):
  """Acts with the observation of the call before, or with -1 where an episode begins; tells what it was called with."""

  def initial_state(self, batch_size):
    return tf.fill([batch_size, 2], -1.0)

  def __call__(self, observation, state, context):
    numbers = tf.stack([tf.cast(context.seed[0], tf.int64), context.steps])
    return state, observation['x'], {'numbers': tf.tile(numbers[None], [2, 1]), 'index': context.index}


def make_actor(policy=None, budget=None):
  return acting.PolicyActor(
    core.ActorParts(
      policy=policy or Before(),
      environments=[None, None],  # type: ignore[list-item]
      environment_spec=SPEC,
      variables=NoVariables(),  # type: ignore[arg-type]
      seed=7,
      first_index=4,
      slots=8,
      evaluation=False,
      budget=budget,
    )
  )


def observe(*values):
  return {'x': np.array([[v, v] for v in values], np.float32), 'flag': np.array([True, False])}


class Late(Before):
  """Makes its variable at its first call."""

  def __call__(self, observation, state, context):
    if not hasattr(self, '_offset'):
      self._offset = tf.Variable([3.0, 4.0])
    return observation['x'] + self._offset, state, {'offset': self._offset[tf.newaxis]}


def test_variables_that_are_made_at_the_first_call_are_made_before_it():
  policy = Late()
  actions, extras = acting.create_variables(policy, SPEC)
  assert [variable.numpy().tolist() for variable in policy.variables] == [[3.0, 4.0]]
  assert actions == tf.TensorSpec([1, 2]) and extras == {'offset': tf.TensorSpec([1, 2])}
  assert acting.extras_spec(policy, SPEC) == {'offset': dm_specs.Array((2,), np.float32)}


def test_a_state_is_not_overwritten_by_the_next_observation():
  actor = make_actor()
  seen = [
    actor.act(observe(a, b), np.array(first), steps)[0][:, 0].tolist()
    for (a, b), first, steps in (((1, 2), [True, True], 0), ((3, 4), [False, False], 1), ((5, 6), [False, True], 2))
  ]
  assert seen == [[-1, -1], [1, 2], [3, -1]]


def test_what_is_told_to_the_policy():
  _, extras = make_actor().act(observe(1, 2), np.array([True, True]), 41)
  assert extras['numbers'].tolist() == [[7, 41]] * 2
  assert extras['index'].tolist() == [4, 5]
  assert make_actor().version == 3


def test_an_observation_of_another_shape_is_an_error():
  with pytest.raises(ValueError, match=r'shape \(2, 1\).*takes \(2, 2\)'):
    make_actor().act({**observe(1, 2), 'x': np.zeros((2, 1), np.float32)}, np.array([True, True]), 0)


class Episodes(tf.Module):
  """Tells what it hears of episodes, and draws a number for each call and one for each episode."""

  def initial_state(self, batch_size):
    return ()

  def __call__(self, observation, state, context):
    lasting = [tf.random.stateless_uniform([], context.episode_seed[i]) for i in range(2)]
    drawn = tf.random.stateless_uniform([2, 2], networks.draw()) + tf.random.stateless_uniform([2, 2], networks.draw())
    told = {'first': context.first, 'episode': context.episode, 'lasting': tf.stack(lasting), 'drawn': drawn}
    return observation['x'], state, told


def test_a_policy_knows_where_episodes_begin_and_has_noise_that_lasts_one():
  actor = make_actor(Episodes())
  firsts = [[True, True], [False, False], [False, True], [False, False]]
  told = [actor.act(observe(1, 2), np.array(first), 0)[1] for first in firsts]
  assert [t['first'].tolist() for t in told] == firsts
  assert [t['episode'].tolist() for t in told] == [[0, 0], [0, 0], [0, 1], [0, 1]]
  lasting = np.stack([t['lasting'] for t in told])
  assert len(set(lasting[:, 0])) == 1 and len(set(lasting[:, 1])) == 2 and len(set(lasting.ravel())) == 3
  assert len(np.unique([t['drawn'] for t in told])) == 16
  again = make_actor(Episodes()).act(observe(1, 2), np.array(firsts[0]), 0)[1]
  assert all(np.array_equal(again[name], told[0][name]) for name in again)


class Scheduled(Before):
  """Tells the value of a schedule over half of the run."""

  def __call__(self, observation, state, context):
    return state, observation['x'], {'value': tf.fill([2], schedules.value((1.0, 0.0, '50%'), context.steps))}


def test_a_schedule_over_a_share_of_the_run():
  actor = make_actor(Scheduled(), budget=200)
  told = [actor.act(observe(1, 2), np.array([True, True]), steps)[1]['value'][0] for steps in (0, 25, 100, 150)]
  assert told == [1.0, 0.75, 0.0, 0.0]


# --- Actions of the environment's types ---

_CHOICE, _REAL = dm_specs.DiscreteArray(3), dm_specs.BoundedArray((2,), np.float32, -1, 1)


class Acting(networks.MemorylessPolicy):
  """Acts by what it is given, whatever it observes."""

  def __init__(self, act):
    super().__init__()
    self._act = act

  def __call__(self, observation, state, context):
    return self._act(tf.shape(observation)[0]), state, ()


def _spec(actions):
  return SPEC._replace(observations=dm_specs.Array((4,), np.float32), actions=actions)


@pytest.mark.parametrize(
  'spec, act, dtype',
  [
    (_CHOICE, lambda count: tf.ones([count], tf.int64), np.int32),
    (_CHOICE, lambda count: tf.ones([count], tf.uint8), np.int32),
    (_CHOICE, lambda count: tf.ones([count], tf.bool), np.int32),
    (dm_specs.DiscreteArray(3, np.uint8), lambda count: tf.ones([count], tf.int32), np.uint8),
    (_REAL, lambda count: tf.ones([count, 2], tf.float64), np.float32),
    (_REAL, lambda count: tf.ones([count, 2], tf.int32), np.float32),
    (_REAL, lambda count: tf.ones([count, 2], tf.bfloat16), np.float32),
  ],
)
def test_actions_of_a_kind_are_brought_into_the_type_of_the_environment(spec, act, dtype, tmp_path):
  policy = Acting(act)
  actions, _ = acting.create_variables(policy, _spec(spec))
  assert actions.dtype.as_numpy_dtype == dtype
  export.check(policy, _spec(spec))
  assert export.ExportedPolicy(policy, _spec(spec), 1).act.get_concrete_function().structured_outputs[0].dtype == dtype


@pytest.mark.parametrize(
  'spec, act, says',
  [
    (
      _CHOICE,
      lambda count: 1.4 * tf.ones([count]),
      'gives actions of type float32, and the environment takes a discrete action with 3 values, of type int32; choose '
      'a whole number, as tf.argmax does',
    ),
    (_CHOICE, lambda count: tf.ones([count], tf.float16), 'of type float16'),
    (
      _CHOICE,
      lambda count: tf.ones([count, 1], tf.int32),
      r'of shape \(., 1\), and has to give \(.,\), an action for each',
    ),
    (_REAL, lambda count: tf.ones([count, 3]), r'of shape \(., 3\), and has to give \(., 2\)'),
    (_REAL, lambda count: None, r'returned None, and has to return actions'),
    (_REAL, lambda count: (tf.ones([count, 2]),), 'another nest than those of the environment'),
    (
      {'turn': _CHOICE, 'push': _REAL},
      lambda count: {'turn': tf.ones([count]), 'push': tf.ones([count, 2])},
      'actions turn',
    ),
  ],
)
def test_other_actions_are_refused_as_they_are_traced(spec, act, says):
  for check in (acting.create_variables, export.check):
    with pytest.raises(errors.UserError, match=says):
      check(Acting(act), _spec(spec))


def test_a_policy_that_returns_something_else_is_named():
  class Alone(Acting):
    def __call__(self, observation, state, context):
      return tf.zeros([1], tf.int32)

  with pytest.raises(
    errors.UserError, match=r'^Alone \(.*test_acting.py, line \d+\) returned a .*, and has to return three'
  ):
    acting.create_variables(Alone(None), _spec(_CHOICE))
