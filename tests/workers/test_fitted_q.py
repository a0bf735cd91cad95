"""Estimates of the value of policies whose value is known, from recorded data."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import tfacme
from tests.contract import environment, layers, offline, offline_recurrent, on_policy
from tfacme import datasets, errors, networks, testing
from tfacme.graph import plan as plan_lib

_DISCOUNT = 0.8
_BEST = _DISCOUNT / (1 - _DISCOUNT)  # of an episode that goes on for ever: every step but the first one pays 1


class Sometimes(networks.MemorylessPolicy):
  """Takes the right action in a share of all steps."""

  def __init__(self):
    super().__init__()
    self.share = tf.Variable(1.0)

  def __call__(self, observation, state, context):
    right = tf.argmax(observation[:, :2], axis=1, output_type=tf.int32)
    wrong = tf.random.stateless_uniform(tf.shape(right), context.seed) >= self.share
    return tf.where(wrong, 1 - right, right), state, ()


def _experiment(**changes):
  """Episodes of random actions, that are cut off."""
  data = datasets.memory(environment.record(60, mistakes=0.5, truncates=True))
  made = tfacme.FittedQ(steps=400, discount=_DISCOUNT, learning_rate=5e-3, hidden_sizes=(32,), batch_size=64)
  toy = tfacme.Experiment(
    offline.Builder(), environment.truncating, layers.linear, tfacme.Budget(learner_steps=300), dataset=data
  )
  return dataclasses.replace(toy, **{'estimators': [made], **changes})


def _estimated(estimate):
  *pieces, columns = estimate(300)
  assert pieces and set(pieces) == {None}
  return columns


def test_the_values_of_policies_are_known_from_data_of_another_one():
  plan = plan_lib.make_plan(_experiment())
  policy = Sometimes()
  estimate = plan.estimators[0].make(policy, plan.spec, budget=300, seed=1)
  abandoned = estimate(300)
  next(abandoned)
  abandoned.close()
  best = _estimated(estimate)
  assert best['fitted_q'] == pytest.approx(_BEST, abs=0.15) and best['fitted_q_loss'] < 0.01
  assert abs(best['fitted_q_change']) < 0.05
  policy.share.assign(0.0)
  assert _estimated(estimate)['fitted_q'] == pytest.approx(0.0, abs=0.15)
  policy.share.assign(0.5)
  assert _estimated(estimate)['fitted_q'] == pytest.approx(_BEST / 2, abs=0.25)
  policy.share.assign(1.0)
  assert _estimated(estimate) == best  # Nothing is left of those between.


def test_what_it_can_not_evaluate_is_refused():
  with pytest.raises(errors.UserError, match='is of recorded data: give the experiment a dataset'):
    plan_lib.make_plan(dataclasses.replace(on_policy.experiment(), estimators=[tfacme.FittedQ()]))
  recurrent = offline_recurrent.experiment()
  with pytest.raises(errors.UserError, match='this one has a memory'):
    plan_lib.make_plan(dataclasses.replace(recurrent, estimators=[tfacme.FittedQ()]))
  with pytest.raises(errors.UserError, match='steps of fitted Q evaluation is 0'):
    tfacme.FittedQ(steps=0)
  unseen = _experiment(layout=tfacme.Layout(evaluators=0))
  with pytest.raises(errors.UserError, match='made with an evaluation, and this run has none'):
    plan_lib.make_plan(unseen)
  with pytest.raises(errors.UserError, match='Among the estimators is 5'):
    _experiment(estimators=[5])


@pytest.mark.slow
@pytest.mark.parametrize('launch', ['inline', 'local_mt', 'local_mp'])
def test_it_is_a_column_of_the_first_evaluation(launch, tmp_path):
  evaluations = [tfacme.Evaluation(every=150, episodes=10), tfacme.Evaluation(name='other', episodes=2, every=0)]
  data = datasets.memory(environment.record(60, mistakes=0.3, truncates=True))
  tfacme.train(_experiment(evaluation=evaluations, dataset=data), str(tmp_path), launch, progress=False)
  logs = testing.logs(tmp_path)
  rows, other = logs['evaluator'], logs['other']
  assert float(rows[-1]['episode_return']) == environment.BEST
  assert float(rows[-1]['fitted_q']) == pytest.approx(_BEST, abs=0.3)
  assert all(np.isfinite(float(row['fitted_q_loss'])) for row in rows)
  assert 'fitted_q' not in other[0]
