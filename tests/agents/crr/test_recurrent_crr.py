"""CRR with memory: what it learns from sequences, by hand; and that it learns to remember from recorded episodes."""

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
from dm_env import specs as dm_specs

import tfacme
from tests.agents import contexts, replayed
from tests.networks import sums
from tfacme import core, datasets, errors, loggers, networks, testing
from tfacme.agents import crr
from tfacme.replay.items import Items

_SPEC = replayed.spec(dm_specs.BoundedArray((1,), np.float32, -1.0, 1.0))._replace(
  observations=dm_specs.Array((1,), np.float32)
)


def test_its_items_are_sequences_with_the_state_of_its_policy():
  builder = crr.CRRBuilder(crr.CRRConfig(trace_length=3, burn_in=1, sequence_period=2, max_replay_size=5_000))
  (table,) = builder.tables(_SPEC)
  assert table.items == Items(length=5, period=2, once=['state'], end='pad', burn_in=1)
  assert table.max_size == 5_000
  made = crr.default_networks((4,), lstm_size=3)(_SPEC)
  for evaluation, names in ((False, ['state']), (True, [])):
    policy = builder.policy(made, _SPEC, evaluation)
    _, _, extras = policy(tf.zeros([2, 1]), policy.initial_state(2), contexts.context(2))
    assert list(extras) == names


def test_memory_and_sequences_go_together():
  plain, remembering = (crr.default_networks((4,), lstm_size=size)(_SPEC) for size in (None, 3))
  crr.CRRBuilder(crr.CRRConfig(trace_length=3)).checks_networks(remembering, _SPEC)
  with pytest.raises(errors.UserError, match='CRR learns from sequences here, .* and this policy has none; give each'):
    crr.CRRBuilder(crr.CRRConfig(trace_length=3)).checks_networks(plain, _SPEC)
  with pytest.raises(errors.UserError, match='CRR learns from single transitions here, .* has a trace_length'):
    crr.CRRBuilder().checks_networks(remembering, _SPEC)


class _Mean(snt.Module):
  """A distribution around a share of the sum of all observations."""

  def __init__(self, log_std):
    super().__init__()
    self._log_std, self._share = log_std, tf.Variable(0.05)

  def __call__(self, total):
    return networks.Gaussian(self._share * total, tf.fill(tf.shape(total), self._log_std))


class _Worth(snt.Module):
  """The sum of all observations and of ten times all actions, as the value of the last one."""

  def __init__(self):
    super().__init__()
    self._factor = tf.Variable(1.0)

  def __call__(self, total):
    return self._factor * total[:, 0]


def _learn(steps, mask, log_std, **config):
  """The metrics of a learning step, and what it has made of the two parameters."""
  policy = networks.Unrollable(lambda x: x, _Mean(log_std), sums.Sum())
  critic = networks.Unrollable(lambda pair: pair[0] + 10.0 * pair[1], _Worth(), sums.Sum())
  config = crr.CRRConfig(trace_length=3, burn_in=1, discount=0.5, **config)
  update = crr.CRRBuilder(config).update(crr.CRRNetworks(policy, [critic]), _SPEC)
  with networks.drawing(tf.constant([1, 2])):
    output = update(core.Batch(tf.nest.map_structure(tf.constant, steps), tf.constant(mask), ()))
  metrics = {name: value.numpy() for name, value in output.metrics.items()}
  return metrics, [variable.numpy() for variable in (*policy.trainable_variables, *critic.trainable_variables)]


# A row that only warms up the state, two to learn from, the final observation, and a row that repeats it. The policy
# begins with a sum of 10 and has 11 behind the burn-in, so its means are 0.65, 0.8 and 1. The critic begins with 0 and
# has 2 there; of the recorded actions it holds values of 6 and 8, and after them it has 8.
_MASK = np.array([[1, 1, 1, 0, 0]], np.float32)
_STEPS = core.Step(
  np.array([[[1.0], [2.0], [3.0], [4.0], [4.0]]], np.float32),
  np.array([[[0.1], [0.2], [-0.1], [0.0], [0.0]]], np.float32),
  np.array([[9.0, 1.0, 2.0, 0.0, 0.0]], np.float32),
  np.array([[1.0, 1.0, 1.0, 0.0, 0.0]], np.float32),
  np.array([[False] * 5]),
  _MASK == 0,
  {'state': np.array([[[10.0]]], np.float32)},
)
_TERMINATED = _STEPS._replace(discount=np.array([[1.0, 1.0, 0.0, 0.0, 0.0]], np.float32))


def test_the_values_of_the_policy_by_hand():
  metrics, _ = _learn(_STEPS, _MASK, -12.0, temperature=9.0)
  # Of its actions 2 + 2 + 6.5 and 6 + 3 + 8; in the final observation 8 + 4 + 10.
  np.testing.assert_allclose(metrics['value'], (10.5 + 17.0) / 2, rtol=1e-4)
  np.testing.assert_allclose(metrics['q'], (6.0 + 8.0) / 2, rtol=1e-5)
  np.testing.assert_allclose(metrics['weight'], (np.exp((6 - 10.5) / 9) + np.exp((8 - 17) / 9)) / 2, rtol=1e-4)
  misses = [1.0 + 0.5 * 17.0 - 6.0, 2.0 + 0.5 * 22.0 - 8.0]
  np.testing.assert_allclose(metrics['loss'], np.mean(np.square(misses)), rtol=1e-4)


def test_returns_of_two_steps_by_hand():
  metrics, _ = _learn(_STEPS, _MASK, -12.0, n_step=2)
  misses = [1.0 + 0.5 * 2.0 + 0.25 * 22.0 - 6.0, 2.0 + 0.5 * 22.0 - 8.0]  # The second one ends with the episode.
  np.testing.assert_allclose(metrics['loss'], np.mean(np.square(misses)), rtol=1e-4)


def test_the_likelihood_of_recorded_actions_by_hand():
  metrics, _ = _learn(_STEPS, _MASK, 0.0, weights='constant', max_weight=0.5)  # Which is of exponential weights alone.
  squares = (0.2 - 0.65) ** 2, (-0.1 - 0.8) ** 2
  np.testing.assert_allclose(metrics['policy_loss'], np.mean(squares) / 2 + 0.5 * np.log(2 * np.pi), rtol=1e-5)


@pytest.mark.parametrize(
  'steps, n_step, squares',
  [
    (_STEPS, 1, (1.0 + 0.5 * 8.0 - 6.0, 0.0)),  # After the truncation there is no action.
    (_STEPS, 2, (0.0, 0.0)),
    (_TERMINATED, 1, (1.0 + 0.5 * 8.0 - 6.0, 2.0 - 8.0)),  # None is asked for.
    (_TERMINATED, 2, (1.0 + 0.5 * 2.0 - 6.0, 2.0 - 8.0)),
  ],
)
def test_the_values_of_the_next_actions_by_hand(steps, n_step, squares):
  metrics, _ = _learn(steps, _MASK, 0.0, sarsa_targets=True, n_step=n_step)
  np.testing.assert_allclose(metrics['loss'], np.mean(np.square(squares)), rtol=1e-5)


@pytest.mark.parametrize('sarsa_targets', [True, False])
def test_nothing_is_learned_from_rows_without_a_transition(sarsa_targets):
  changed = tf.nest.map_structure(np.copy, _STEPS)
  changed.action[:, 3:], changed.reward[:, 3:], changed.discount[:, 3:] = 0.7, 100.0, 1.0
  changed.observation[:, 4:] = 7.0
  changed.reward[:, 0] = 100.0  # What only warms up the state is not learned from either.
  found, expected = (_learn(steps, _MASK, 0.0, sarsa_targets=sarsa_targets) for steps in (changed, _STEPS))
  assert found == expected


def _hiding(seed):
  """Whose first observation alone shows which action is right in the whole episode."""
  return testing.TwoStates(seed, hides_cue=True, truncates=True)


def _experiment(**changes):
  config = crr.CRRConfig(
    trace_length=testing.TwoStates.length,
    sequence_period=testing.TwoStates.length,
    discount=0.9,
    temperature=0.1,
    batch_size=32,
    min_replay_size=20,
    samples_per_insert=32.0,
    policy_learning_rate=1e-2,
    critic_learning_rate=1e-2,
    target_update_period=20,
  )
  networks_ = crr.default_networks((16,), lstm_size=16)
  evaluation = tfacme.Evaluation(every=0, episodes=20)
  return tfacme.Experiment(crr.CRRBuilder(config), _hiding, networks_, evaluation=evaluation, **changes)


@pytest.mark.slow
def test_it_learns_to_remember_from_random_episodes_and_goes_on_with_actors(tmp_path):
  returns = tfacme.record(None, _hiding(1), 200, str(tmp_path / 'recorded'))
  data = datasets.rlds(str(tmp_path / 'recorded'))
  offline = _experiment(budget=tfacme.Budget(learner_steps=300), dataset=data)
  run = tfacme.train(offline, str(tmp_path / 'offline'), progress=False)
  assert np.mean(returns) < 2.5
  assert run.evaluate(20).mean > 3.5

  budget = tfacme.Budget(actor_steps=200)
  online = _experiment(budget=budget, start=run.workdir, dataset=data, dataset_share=0.5)
  tfacme.train(online, str(tmp_path / 'online'), progress=False)
  final = loggers.read(str(tmp_path / 'online' / 'logs' / 'evaluator.csv'))[-1]
  assert float(final['episode_return']) > 3.5
  assert 15 <= int(final['learner_steps']) <= 25  # One for each of 40 episodes but the first 20.
