"""Parts that are no parts of an experiment are one sentence; what all nodes agree on is worked out once."""

import dataclasses
import inspect

import numpy as np
import pytest
import tensorflow as tf

import tfacme
from tests.contract import planner
from tfacme import checkpoints, core, environments, errors, networks, observers
from tfacme.agents import dqn
from tfacme.graph import nodes
from tfacme.graph import plan as plan_lib
from tfacme.runs import describing

PARTS = {
  'builder': dqn.DQNBuilder(dqn.DQNConfig()),
  'environment': environments.factory('bsuite:catch/0'),
  'networks': dqn.default_networks(),
  'budget': tfacme.Budget(actor_steps=10),
}


def experiment(**parts):
  return tfacme.Experiment(**{**PARTS, **parts})


@pytest.mark.parametrize(
  'part, value',
  [
    ('builder', dqn.DQNConfig()),
    ('builder', dqn.DQNBuilder),
    ('environment', 'bsuite:catch/0'),
    ('environment', lambda: None),
    ('networks', 3),
    ('networks', lambda spec, more: None),
    ('budget', 30_000),
    ('layout', {'actors': 2}),
    ('evaluation', 20),
    ('seed', 'a'),
    ('dataset', 'recordings/dqn'),
  ],
)
def test_a_part_of_another_kind_is_named(part, value):
  with pytest.raises(errors.UserError, match=f'{part} is .* has to be'):
    experiment(**{part: value})


def test_an_agent_is_named_by_its_builder():
  assert experiment().agent == 'dqn'
  assert experiment(name='mine').agent == 'mine'


@pytest.mark.parametrize(
  'setting, says',
  [
    ({'n_step': '3'}, "n_step is '3', and has to be a whole number"),
    ({'n_step': 2.5}, 'n_step is 2.5, and has to be a whole number'),
    ({'batch_size': True}, 'batch_size is True, and has to be a whole number'),
    ({'discount': '0.9'}, "discount is '0.9', and has to be a number"),
  ],
)
def test_a_number_is_a_number(setting, says):
  with pytest.raises(errors.UserError, match=says):
    dqn.DQNConfig(**setting)


# --- Agents around agents ---


@dataclasses.dataclass(frozen=True)
class _Numbers:
  bonus: float = 0.5


def test_a_wrapper_is_the_agent_inside_but_for_what_it_says():
  """Whatever the contract of a builder grows by, a wrapper passes on."""
  public = {name for name, _ in inspect.getmembers(core.Builder, inspect.isfunction) if not name.startswith('_')}
  assert public <= set(vars(core.BuilderWrapper))
  agent = dqn.DQNBuilder(dqn.DQNConfig(n_step=2))
  wrapper = core.BuilderWrapper(agent, _Numbers())
  assert wrapper.variable_period == agent.variable_period
  assert wrapper.tables(None) == agent.tables(None) and wrapper.source(None) == agent.source(None)


# --- What would come to light at the end of a run alone ---


class _Unexportable(networks.MemorylessPolicy):
  """Needs to know how many observations there are before it is called."""

  def __init__(self, make):
    super().__init__()
    self._make = make

  def __call__(self, observation, state, context):
    return self._make(observation.shape[0]), state, ()


@pytest.mark.parametrize(
  'make, says',
  [
    (
      lambda count: tf.zeros([count], tf.int32),
      'evaluation policy can not be exported: .*test_experiment.py, line .* any number of observations',
    ),
    (
      lambda count: np.zeros(count, np.int32),
      r'gives actions of shape \(\), and has to give \(B,\), an action for each',
    ),
  ],
)
def test_a_policy_that_can_not_be_exported_is_refused_before_the_run(make, says):
  class Builder(core.BuilderWrapper):
    def policy(self, networks, spec, evaluation):
      return _Unexportable(make) if evaluation else super().policy(networks, spec, evaluation)

  with pytest.raises(errors.UserError, match=says):
    tfacme.make_program(experiment(builder=Builder(PARTS['builder'])))


# --- Layouts ---


@pytest.mark.parametrize('layout, threads', [(dict(threads=2), 2), (dict(learner_threads=0), 0), ({}, 1)])
def test_the_learner_may_have_threads_of_its_own(layout, threads):
  program = tfacme.make_program(experiment(layout=tfacme.Layout(**layout)))
  found = {node.role: node.threads for node in nodes.of_program(program)}
  assert found['learner'] == threads and found['actor'] == layout.get('threads', 1)


def test_nodes_that_come_up_late_need_no_checkpoint(tmp_path):
  """The first checkpoint of a run that went on takes the place of the one that it went on from."""
  folder, parts = str(tmp_path / 'checkpoints'), {'learner': tfacme.make_learner(planner.experiment()).save}
  checkpoint = checkpoints.write(folder, lambda path: 300, parts, keep=1)
  plan = plan_lib.make_plan(planner.experiment(), str(tmp_path), checkpoint)
  checkpoints.write(folder, lambda path: 400, parts, keep=1)
  fresh = plan_lib.make_plan(planner.experiment(), str(tmp_path))
  assert plan.fresh_seed('environment', 3) != fresh.fresh_seed('environment', 3)
  assert plan.seed('networks') == fresh.seed('networks')


# --- Evaluations ---


def test_one_evaluation_or_a_list_of_them():
  assert experiment().evaluations == (tfacme.Evaluation(),)
  listed = [tfacme.Evaluation(), tfacme.Evaluation(name='hard', policy='behaviour')]
  assert experiment(evaluation=listed).evaluations == tuple(listed)
  assert experiment(evaluation=()).evaluations == ()


@pytest.mark.parametrize('name', ['', 'learner', 'actor-3', 'a/b', '../up', 'two words', '.hidden'])
def test_a_name_of_an_evaluation_is_that_of_a_file_and_of_no_other_node(name):
  with pytest.raises(errors.UserError, match='evaluation.name is .* it names a node and a log'):
    tfacme.Evaluation(name=name)


@pytest.mark.parametrize(
  'evaluation, says',
  [
    ([tfacme.Evaluation(), tfacme.Evaluation(episodes=3)], 'named evaluator, evaluator: give each a name of its own'),
    ([tfacme.Evaluation(), 3], 'evaluation is 3, and has to be an Evaluation'),
  ],
)
def test_evaluations_that_do_not_go_together_are_refused(evaluation, says):
  with pytest.raises(errors.UserError, match=says):
    experiment(evaluation=evaluation)


def test_an_episode_is_at_most_a_twentieth_of_the_run_unless_the_limit_is_given():
  budgets = [tfacme.Budget(actor_steps=steps) for steps in (1, 20_000, 20_040, 539_980, 10**7)]
  budgets.append(tfacme.Budget(learner_steps=100))
  assert [tfacme.Evaluation().longest(budget) for budget in budgets] == [1000, 1000, 1002, 26_999, 27_000, 27_000]
  assert [tfacme.Evaluation(max_episode_steps=7).longest(budget) for budget in budgets] == [7] * 6


@pytest.mark.parametrize(
  'made, says',
  [
    (observers.ActionNorm, 'observers is <class .*, and has to be a list of makers of observers'),
    ([observers.ActionNorm()], 'Among the observers is <.*ActionNorm object.*such as observers.ActionNorm or'),
    ([observers.Info], 'Among the observers is .*Info.*, and each has to make one without an argument'),
  ],
)
def test_observers_are_a_list_of_what_makes_them(made, says):
  with pytest.raises(errors.UserError, match=says):
    experiment(observers=made)


def test_a_policy_that_is_none_is_refused():
  with pytest.raises(errors.UserError, match="no evaluation.policy 'behavior'; did you mean behaviour"):
    tfacme.Evaluation(policy='behavior')


def test_an_environment_of_an_evaluation_is_of_the_experiments_kind():
  hard = tfacme.Evaluation(name='hard', environment=environments.factory('gym:CartPole-v1'))
  with pytest.raises(errors.UserError, match="evaluation 'hard' has other observations .*4,.* where that has .*10, 5"):
    tfacme.make_program(experiment(evaluation=[tfacme.Evaluation(), hard]))


def test_evaluations_are_described_by_what_they_are():
  hard = tfacme.Evaluation(name='hard', environment=environments.factory('bsuite:catch/0'))
  described = describing.describe(experiment(evaluation=[tfacme.Evaluation(episodes=3), hard]), 'inline')['evaluations']
  assert [(one['name'], one['episodes'], one['environment']) for one in described] == [
    ('evaluator', 3, None),
    ('hard', None, 'bsuite:catch/0'),
  ]
