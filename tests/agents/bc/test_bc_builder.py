"""BC's builder: what it refuses, what it puts together; and that it learns from a recorded folder."""

import cloudpickle
import numpy as np
import pytest
from dm_env import specs as dm_specs

import tfacme
from tests.agents import replayed
from tfacme import datasets, errors, networks, specs, testing
from tfacme.agents import bc
from tfacme.replay import sources
from tfacme.replay.items import Items

_DISCRETE = dm_specs.DiscreteArray(3)
_CONTINUOUS = dm_specs.BoundedArray((2,), np.float32, -2.0, 2.0)


def _spec(actions=_DISCRETE, observations=dm_specs.Array((4,), np.float32)):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0, 1)
  return specs.EnvironmentSpec(observations, actions, reward, discount)


@pytest.mark.parametrize(
  'actions, loss',
  [
    (_DISCRETE, 'log_likelihood'),
    (_CONTINUOUS, 'log_likelihood'),
    ({'arm': _CONTINUOUS, 'tool': _DISCRETE}, 'log_likelihood'),
    (_CONTINUOUS, 'mse'),
  ],
)
def test_it_takes_actions_of_all_kinds(actions, loss):
  bc.BCBuilder(bc.BCConfig(loss=loss)).check(_spec(actions))


@pytest.mark.parametrize(
  'actions, loss, says',
  [
    (_DISCRETE, 'mse', 'The squared error of a discrete action means nothing'),
    (dm_specs.Array((2,), np.float32), 'mse', 'actions with bounds'),
    ((_DISCRETE, _DISCRETE), 'mse', 'The squared error is for a single vector of actions'),
  ],
)
def test_it_refuses_other_actions(actions, loss, says):
  with pytest.raises(errors.UserError, match=says):
    bc.BCBuilder(bc.BCConfig(loss=loss)).check(_spec(actions))


def test_its_config_refuses_what_makes_no_sense():
  with pytest.raises(errors.UserError, match="no loss 'log_likelihod'; did you mean log_likelihood"):
    bc.BCConfig(loss='log_likelihod')


def test_it_refuses_networks_that_do_not_fit():
  other = bc.default_networks((8,))(_spec(_CONTINUOUS))
  with pytest.raises(errors.UserError, match='returns a Gaussian, and has to return a networks.Categorical'):
    bc.BCBuilder().checks_networks(other, _spec())


def test_it_has_no_tables_and_reads_transitions():
  builder = bc.BCBuilder(bc.BCConfig(batch_size=8))
  assert not builder.tables(_spec())
  assert builder.source(_spec()) == sources.Data(Items(length=2, observations='ends'), 8, rewards=False)


def test_builder_and_networks_can_be_pickled():
  factory = bc.default_networks((4,), normalize_observations=True)
  assert cloudpickle.loads(cloudpickle.dumps(factory)) == factory
  builder = cloudpickle.loads(cloudpickle.dumps(bc.BCBuilder()))
  builder.checks_networks(factory(_spec()), _spec())


def test_what_acts_drops_nothing():
  dropping, plain = bc.default_networks((64,), dropout=0.5)(_spec()), bc.default_networks((64,))(_spec())
  for mine, other in zip(dropping.policy.variables, plain.policy.variables, strict=True):
    assert mine.name == other.name
    mine.assign(other)

  def logits(made, phase, seed=1):
    with networks.drawing(np.array([seed, 0]), phase):
      return made.policy(np.ones((2, 4), np.float32)).logits.numpy()

  expected = logits(plain, networks.Phase.LEARNING)
  for phase in (networks.Phase.ACTING, networks.Phase.EVALUATION):
    np.testing.assert_array_equal(logits(dropping, phase), expected)
  learning = [logits(dropping, networks.Phase.LEARNING, seed) for seed in (1, 2)]
  assert not np.allclose(learning[0], expected) and not np.allclose(learning[0], learning[1])
  with pytest.raises(errors.UserError, match='The rate of dropout is 1.0'):
    bc.default_networks(dropout=1.0)(_spec())


def _straight(observation):
  """Pushes straight to the target."""
  return np.clip((observation[1:] - observation[:1]) / 0.25, -2.0, 2.0).astype(np.float32)


_straight.reset = lambda: None


@pytest.mark.parametrize('loss', ['log_likelihood', 'mse'])
def test_it_learns_to_reach(loss, tmp_path):
  builder = bc.BCBuilder(bc.BCConfig(loss=loss, batch_size=64, learning_rate=(3e-3, 0.0, 1_000)))
  made = bc.default_networks((32, 32))
  recorded, learned = replayed.learned_to_reach(builder, made, tmp_path, 1_000, _straight, episodes=50)
  assert learned > recorded - 0.3  # at random it is -7.9


def test_a_data_set_of_other_actions_is_refused(tmp_path):
  path = str(tmp_path / 'recorded')
  tfacme.record(None, testing.Reach(1), 2, path)
  experiment = tfacme.Experiment(
    builder=bc.BCBuilder(),
    networks=bc.default_networks((8,)),
    environment=lambda seed: _Discrete(),
    budget=tfacme.Budget(learner_steps=10),
    dataset=datasets.rlds(path),
  )
  with pytest.raises(errors.UserError, match='does not fit the environment: its action is .* and the environment has'):
    tfacme.make_program(experiment)


class _Discrete(testing.Reach):
  """The same task with three pushes."""

  def action_spec(self):
    return dm_specs.DiscreteArray(3)


def test_there_has_to_be_a_data_set():
  with pytest.raises(errors.UserError, match='learns from recorded data alone; give a budget in learner steps'):
    tfacme.make_program(
      tfacme.Experiment(
        builder=bc.BCBuilder(),
        networks=bc.default_networks((8,)),
        environment=testing.Reach,
        budget=tfacme.Budget(actor_steps=10),
      )
    )


def test_its_policy_is_the_mode():
  made = bc.default_networks((8,))(_spec(_CONTINUOUS))
  policy = bc.BCBuilder().policy(made, _spec(_CONTINUOUS), evaluation=False)
  action, _, extras = policy(np.zeros((2, 4), np.float32), (), None)
  mode = made.policy(np.zeros((2, 4), np.float32)).mode()
  np.testing.assert_allclose(action, networks.to_environment(mode, _CONTINUOUS))
  assert extras == {}
