"""MBOP's builder: what it refuses, what it puts together; and that it plans what the data do not show."""

import dataclasses

import cloudpickle
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.agents import contexts, replayed
from tests.parity import references
from tfacme import core, errors, networks, specs
from tfacme.agents import mbop
from tfacme.replay import sources
from tfacme.replay.items import Items
from tfacme.workers import export

_SMALL = mbop.MBOPConfig(horizon=3, trajectories=4)
_NEST = replayed.spec({'arm': replayed.CONTINUOUS, 'leg': dm_specs.BoundedArray((), np.float32, 0.0, 1.0)})
_NEST = _NEST._replace(observations={'a': dm_specs.Array((2,), np.float32), 'b': dm_specs.Array((), np.float32)})


def _made(spec, members=2, seed=0):
  with networks.seeded(seed):
    return mbop.default_networks((4,), members=members)(spec)


@pytest.mark.parametrize(
  'changed, says',
  [
    ({'actions': dm_specs.DiscreteArray(3)}, '^MBOP needs continuous actions'),
    ({'actions': dm_specs.Array((2,), np.float32)}, '^MBOP needs actions with bounds'),
    ({'observations': dm_specs.Array((8, 8, 3), np.uint8)}, '^MBOP predicts observations that are vectors'),
    ({'rewards': dm_specs.Array((2,), np.float32)}, '^MBOP learns from a single reward'),
  ],
)
def test_it_refuses_what_it_can_not_predict_or_plan(changed, says):
  with pytest.raises(errors.UserError, match=says):
    mbop.MBOPBuilder().check(replayed.spec()._replace(**changed))
  mbop.MBOPBuilder().check(_NEST)


def test_it_refuses_networks_that_do_not_fit():
  spec, builder = replayed.spec(), mbop.MBOPBuilder(_SMALL)
  made, other = _made(spec), _made(spec, members=4)
  builder.checks_networks(made, spec)
  for wrong, says in (
    (dataclasses.replace(made, world_model=tf.Module()), 'The world_model of MBOP is a Module, and has to be a netw'),
    (dataclasses.replace(made, policy_prior=made.return_model), r'returns \(2, 1, 1\) .* to return \(2, 1, 2\)'),
    (
      dataclasses.replace(made, world_model=other.world_model),
      r'policy_prior of MBOP returns \(2, 1, 2\) .* \(4, 1, 2\)',
    ),
    (_made(spec, members=3), 'trajectories is 4, and has to be a multiple of 3, the members of an ensemble'),
  ):
    with pytest.raises(errors.UserError, match=says):
      builder.checks_networks(wrong, spec)


def test_one_table_of_transitions_with_what_was_before_and_what_follows():
  builder = mbop.MBOPBuilder(mbop.MBOPConfig(batch_size=8, horizon=2, max_replay_size=5_000))
  (table,) = builder.tables(replayed.spec())
  assert (table.items, table.max_size) == (Items(length=2), 5_000)
  assert builder.source(replayed.spec()) == sources.Sample('replay', 8)
  relabel = builder.relabel(replayed.spec())
  assert relabel.extras['previous_action'] == replayed.CONTINUOUS
  assert sorted(relabel.extras) == ['previous_action', 'return_ahead', 'return_ahead_weight']


def test_builder_and_networks_can_be_pickled():
  builder, factory = mbop.MBOPBuilder(_SMALL), mbop.default_networks((4,), members=2)
  assert cloudpickle.loads(cloudpickle.dumps((builder, factory))) == (builder, factory)


def _batch(spec, size=4):
  """Random transitions, whose first item begins an episode, and whose last one's return is not known."""
  random = np.random.RandomState(0)
  draw = lambda leaf: random.rand(size, 2, *leaf.shape).astype(np.float32)
  action, observation = (tf.nest.map_structure(draw, nest) for nest in (spec.actions, spec.observations))
  first = np.arange(2 * size).reshape(size, 2) == 0
  extras = {
    'previous_action': tf.nest.map_structure(draw, spec.actions),
    'return_ahead': draw(spec.rewards),
    'return_ahead_weight': np.float32(np.arange(size) < size - 1)[:, np.newaxis] * np.ones((1, 2), np.float32),
  }
  steps = core.Step(observation, action, draw(spec.rewards), np.ones((size, 2), np.float32), first, ~first, extras)
  return tf.nest.map_structure(tf.constant, core.Batch(steps, np.ones((size, 2), np.float32), ()))


def test_it_learns_from_nests_of_observations_and_actions():
  builder, made = mbop.MBOPBuilder(_SMALL), _made(_NEST)
  builder.checks_networks(made, _NEST)
  update, batch = references.compiled(builder.update(made, _NEST)), _batch(_NEST)
  losses = [update(batch).metrics for _ in range(30)]
  assert np.isfinite(list(losses[0].values())).all() and losses[0]['known_returns'] == 0.75
  for name in ('state_error', 'reward_error', 'action_error', 'return_error'):
    assert losses[-1][name] < losses[0][name], name


def test_what_came_before_the_first_action_and_what_is_not_known_do_not_count():
  builder, batch, found = mbop.MBOPBuilder(_SMALL), _batch(_NEST), []
  extras = batch.steps.extras
  wrong = {
    'previous_action': tf.nest.map_structure(lambda x: tf.concat([x[:1] + 9, x[1:]], 0), extras['previous_action']),
    'return_ahead': tf.concat([extras['return_ahead'][:-1], extras['return_ahead'][-1:] + 9], 0),
  }
  for changed in ({}, wrong):
    given = batch._replace(steps=batch.steps._replace(extras={**extras, **changed}))
    made = _made(_NEST)
    builder.update(made, _NEST)(given)
    found.append([variable.numpy() for model in vars(made).values() for variable in model.variables])
  for ours, theirs in zip(*found):
    np.testing.assert_array_equal(ours, theirs)


def test_what_follows_a_termination_does_not_count():
  builder, batch, found = mbop.MBOPBuilder(_SMALL), _batch(_NEST), []
  ended = batch.steps._replace(discount=tf.concat([tf.zeros([1, 2]), batch.steps.discount[1:]], 0))
  seen = ended.observation['b']
  for b in (seen, tf.concat([seen[:1] + [[0.0, 9.0]], seen[1:]], 0)):
    steps = ended._replace(observation={**ended.observation, 'b': b})
    made = _made(_NEST)
    builder.update(made, _NEST)(batch._replace(steps=steps))
    found.append([variable.numpy() for variable in made.world_model.variables])
  for ours, theirs in zip(*found):
    np.testing.assert_array_equal(ours, theirs)


def test_each_trajectory_goes_by_a_member_of_its_own_and_rewards_by_all():
  """Worlds that move by 1 and by 3, and pay 10 and 30 there: the mean is 20, and so 20 deviations of 1."""
  made = _made(replayed.spec())
  for model in vars(made).values():
    for variable in model.trainable_variables:
      variable.assign(tf.zeros_like(variable))
  outputs = np.array([[[1.0, 1, 1, 1, 10]], [[3.0, 3, 3, 3, 30]]], np.float32)
  made.world_model._network._layers[-1].b.assign(outputs)
  made.policy_prior._network._layers[-1].b.assign([[[0.25, 0.5]], [[-0.25, -0.5]]])
  made.return_model._network._layers[-1].b.assign([[[4.0]], [[6.0]]])
  model = mbop.MBOPModel(made, horizon=5)
  state, action = tf.zeros([4, 4]), tf.zeros([4, 2])
  np.testing.assert_allclose(model.propose(state, action), [[0.25, 0.5], [-0.25, -0.5]] * 2)
  following, reward = model.step(state, action)
  np.testing.assert_allclose(following, [[1.0] * 4, [3.0] * 4] * 2)
  np.testing.assert_allclose(reward, [20.0] * 4)
  np.testing.assert_allclose(model.value(state, action), [5.0] * 4)
  made.world_model.update(tf.zeros([2, 6]), tf.constant([[0.0] * 5, [0.0] * 4 + [8.0]]), tf.ones([2, 1]))
  np.testing.assert_allclose(model.value(state, action), [5.0 / 4] * 4)  # Rewards of 0 and 8 have a deviation of 4.
  # Returns of 0 and 200 have one of 100, and 20 for each step: more than such rewards can bring about.
  made.return_model.update(tf.zeros([2, 6]), tf.constant([[0.0], [200.0]]), tf.ones([2, 1]))
  returns = made.return_model(tf.concat([state, action], axis=1))
  np.testing.assert_allclose(model.value(state, action), tf.reduce_mean(returns[..., 0], axis=0) / 20)


def test_its_policy_is_exported_with_its_plan(tmp_path):
  """For any number of observations at a time; and the signature takes and gives the plan."""
  spec, builder = _NEST, mbop.MBOPBuilder(_SMALL)
  policy = builder.policy(_made(spec), spec, evaluation=True)
  export.Exporter(policy, spec, 10).write(str(tmp_path / 'policy'), 10)
  loaded = export.LoadedPolicy(str(tmp_path / 'policy'))
  observation = {'a': np.zeros((64, 2), np.float32), 'b': np.zeros(64, np.float32)}
  first = loaded.act(observation, np.ones(64, bool))
  assert first['arm'].shape == (64, 2) and first['leg'].shape == (64,)
  signature = tf.saved_model.load(str(tmp_path / 'policy')).signatures['serving_default']
  _, inputs = signature.structured_input_signature
  assert sorted(inputs) == ['observation_a', 'observation_b', 'seed', 'state']
  assert sorted(signature.structured_outputs) == ['action_arm', 'action_leg', 'next_state']
  context = contexts.context(2)
  with networks.drawing(context.seed):
    _, plan, _ = policy({'a': tf.zeros([2, 2]), 'b': tf.zeros([2])}, policy.initial_state(2), context)
  assert plan.shape == (2, 3, specs.size(replayed.CONTINUOUS) + 1)


@pytest.mark.slow
def test_it_plans_what_the_data_do_not_show(tmp_path):
  """Random pushes tell the models what there is to know of pushing straight to the target."""
  config = mbop.MBOPConfig(horizon=4, trajectories=100, kappa=2.0, batch_size=64, learning_rate=(3e-3, 0.0, 400))
  builder, made = mbop.MBOPBuilder(config), mbop.default_networks((32, 32))
  recorded, learned = replayed.learned_to_reach(builder, made, tmp_path, steps=400)
  assert recorded < -6
  assert learned > -2
