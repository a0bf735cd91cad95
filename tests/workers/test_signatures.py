"""The signatures of a SavedModel: what they are called by, and that they have no more than the policy needs."""

import json
import re
import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import networks, specs
from tfacme.agents import dqn, r2d2
from tfacme.workers import export

_OBSERVATION = dm_specs.Array((3,), np.float32)
_SEED = tf.constant([1, 2])


def _spec(observation=_OBSERVATION, action=None):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0.0, 1.0)
  return specs.EnvironmentSpec(observation, action or dm_specs.DiscreteArray(4), reward, discount)


@pytest.fixture
def saved(tmp_path):
  """A function from a policy and a spec to the SavedModel of it, loaded."""

  def save(policy, spec=_spec()):
    export.check(policy, spec)
    export.Exporter(policy, spec, 10).write(str(tmp_path / 'policy'), 10)
    return tf.saved_model.load(str(tmp_path / 'policy'))

  return save


class _Function(networks.MemorylessPolicy):
  """A policy that is a function of the observation and the context."""

  def __init__(self, function):
    super().__init__()
    self._function = function

  def __call__(self, observation, state, context):
    return self._function(observation, context), state, ()


def _names(signature):
  return sorted(signature.structured_input_signature[1]), sorted(signature.structured_outputs)


def _operations(signature):
  return set(re.findall(r'\bop: "(\w+)"', str(signature.graph.as_graph_def())))  # of the functions in it too


def _draws(signature):
  return {name for name in _operations(signature) if 'Random' in name}


def _dqn(**config):
  made = dqn.mlp_networks((4,))(_spec())
  return dqn.DQNBuilder(dqn.DQNConfig(**config)).policy(made, _spec(), evaluation=True)


def test_a_policy_that_draws_nothing_and_remembers_nothing_takes_the_observation_alone(saved):
  model = saved(_dqn())
  assert list(model.signatures) == ['serving_default']
  served = model.signatures['serving_default']
  assert _names(served) == (['observation'], ['action'])
  assert not _draws(served)
  for batch in (1, 7):
    observation = tf.random.stateless_normal([batch, 3], _SEED)
    wanted, _ = model.act(observation, model.initial_state(batch), _SEED)
    np.testing.assert_array_equal(served(observation=observation)['action'], wanted)


def test_a_policy_that_draws_takes_a_seed(saved):
  model = saved(_dqn(evaluation_epsilon=0.5))
  served = model.signatures['serving_default']
  assert list(model.signatures) == ['serving_default'] and _names(served) == (['observation', 'seed'], ['action'])
  observation = tf.random.stateless_normal([200, 3], _SEED)
  wanted, _ = model.act(observation, model.initial_state(200), _SEED)
  np.testing.assert_array_equal(served(observation=observation, seed=_SEED)['action'], wanted)
  assert np.any(served(observation=observation, seed=_SEED + 1)['action'] != wanted)


class _Wasteful(networks.MemorylessPolicy):
  """Its extras are noise, which nobody asks for."""

  def __call__(self, observation, state, context):
    noise = tf.random.stateless_normal(tf.shape(observation), context.seed)
    return -observation, state, {'noise': noise}


def test_what_is_drawn_for_nothing_is_left_out(saved):
  served = saved(_Wasteful(), _spec(action=_OBSERVATION)).signatures['serving_default']
  assert _names(served) == (['observation'], ['action']) and not _draws(served)


def test_a_memory_goes_in_and_out_by_names(saved):
  made = r2d2.default_networks(lstm_size=5)(_spec())
  model = saved(r2d2.R2D2Builder().policy(made, _spec(), evaluation=True))
  act, begin = model.signatures['serving_default'], model.signatures['initial_state']
  assert _names(begin) == (['batch_size'], ['state_cell', 'state_hidden'])
  outputs = ['action', 'next_state_cell', 'next_state_hidden']
  assert _names(act) == (['observation', 'state_cell', 'state_hidden'], outputs) and not _draws(act)
  named, state = begin(batch_size=tf.constant(7)), model.initial_state(7)
  assert {name: leaf.shape for name, leaf in named.items()} == {'state_cell': (7, 5), 'state_hidden': (7, 5)}
  for i in range(3):
    observation = tf.random.stateless_normal([7, 3], [i, 0])
    wanted, state = model.act(observation, state, _SEED)
    given = act(observation=observation, **named)
    np.testing.assert_array_equal(given['action'], wanted)
    named = {name.removeprefix('next_'): given[name] for name in outputs[1:]}
  np.testing.assert_array_equal(named['state_cell'], state['state'].cell)
  assert np.any(named['state_cell'])


class _Count(tf.Module):
  """Counts a slot's steps in one part of its state; what the other one is does not matter to the actions."""

  def initial_state(self, batch_size):
    return {'steps': tf.zeros([batch_size], tf.int32), 'unused': tf.zeros([batch_size], tf.int32)}

  def __call__(self, observation, state, context):
    after = {'steps': state['steps'] + 1, 'unused': state['unused'] + state['steps']}
    return state['steps'], after, ()


def test_a_state_that_actions_do_not_depend_on_is_left_out(saved):
  act = saved(_Count()).signatures['serving_default']
  assert _names(act) == (['observation', 'state_steps'], ['action', 'next_state_steps'])


def test_what_lasts_for_an_episode_goes_in_and_out(saved):
  lasting = lambda seed: tf.random.stateless_uniform([], seed, maxval=1000, dtype=tf.int32)
  policy = _Function(
    lambda observation, context: tf.map_fn(lasting, context.episode_seed, fn_output_signature=tf.int32)
  )
  model = saved(policy)
  act = model.signatures['serving_default']
  carried = ['episode_begun', 'episode_seed']
  assert _names(act) == ([*carried, 'observation', 'seed'], ['action', *(f'next_{name}' for name in carried)])
  state, chosen = model.signatures['initial_state'](batch_size=tf.constant(2)), []
  for i in range(3):
    outputs = act(observation=tf.zeros([2, 3]), seed=tf.constant([i, 0]), **state)
    chosen.append(outputs['action'].numpy().tolist())
    state = {name: outputs[f'next_{name}'] for name in carried}
  assert chosen[0] == chosen[1] == chosen[2] and chosen[0][0] != chosen[0][1]


class _Parts(NamedTuple):
  left: Any
  right: Any


def test_nests_are_named_by_their_paths(saved):
  observation = {
    'arm': _Parts(_OBSERVATION, dm_specs.Array((2,), np.float32)),
    'walker/speed': dm_specs.Array((), np.float32),
    'walker_speed': dm_specs.Array((), np.float32),
  }
  action = {'grip': dm_specs.DiscreteArray(2), 'turn': (_OBSERVATION, _OBSERVATION)}

  def act(observation, context):
    left = observation['arm'].left + observation['walker/speed'][:, tf.newaxis]
    turn = (left, left + observation['walker_speed'][:, tf.newaxis])
    return {'grip': tf.cast(observation['arm'].right[:, 0] > 0, tf.int32), 'turn': turn}

  served = saved(_Function(act), _spec(observation, action)).signatures['serving_default']
  inputs, outputs = _names(served)
  plain = ['observation_arm_left', 'observation_arm_right', 'observation_walker_speed']
  assert set(inputs) > set(plain) and len(inputs) == 4
  assert outputs == ['action_grip', 'action_turn_0', 'action_turn_1']
  ones = {name: tf.ones([2, *spec.shape[1:]]) for name, spec in served.structured_input_signature[1].items()}
  given = served(**{**ones, 'observation_walker_speed': tf.constant([2.0, 3.0])})
  np.testing.assert_array_equal(given['action_turn_0'][:, 0], [3.0, 4.0])
  np.testing.assert_array_equal(given['action_turn_1'][:, 0], [4.0, 5.0])


_ALONE = """
import json, sys
sys.modules['tfacme'] = sys.modules['sonnet'] = None
import tensorflow as tf
served = tf.saved_model.load(sys.argv[1]).signatures['serving_default']
(action,) = served(tf.constant(json.loads(sys.argv[2]))).values()
print(json.dumps(action.numpy().tolist()))
"""


@pytest.mark.slow
def test_a_signature_needs_no_tfacme(saved, tmp_path):
  model = saved(_dqn())
  observations = [[0.5, -1.0, 2.0], [1.5, 0.0, -2.0]]
  there = subprocess.run(
    [sys.executable, '-I', '-c', _ALONE, str(tmp_path / 'policy'), json.dumps(observations)],
    capture_output=True,
    text=True,
  )
  assert there.returncode == 0, there.stderr
  here = model.signatures['serving_default'](tf.constant(observations))['action']
  assert json.loads(there.stdout) == here.numpy().tolist()


def test_a_policy_that_is_written_again_has_its_newest_variables(tmp_path):
  made = dqn.mlp_networks((4,))(_spec())
  exporter = export.Exporter(dqn.DQNBuilder().policy(made, _spec(), evaluation=True), _spec(), 10)
  observation, actions = tf.random.stateless_normal([100, 3], _SEED), []
  for step in range(2):
    exporter.write(str(tmp_path / 'policy'), step)
    model = tf.saved_model.load(str(tmp_path / 'policy'))
    actions.append(model.signatures['serving_default'](observation)['action'].numpy())
    for variable in made.q.variables:
      variable.assign(tf.random.stateless_normal(variable.shape, [step, 7]))
  assert np.any(actions[0] != actions[1])
