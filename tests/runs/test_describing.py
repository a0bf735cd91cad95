"""What an experiment is described as, and in what two differ."""

import dataclasses
import functools
import json
import re

import numpy as np
import pytest

import tfacme
from tests.contract import beside, environment, imitation
from tfacme import core, datasets, environments, errors
from tfacme.agents import dqn
from tfacme.runs import describing


def _shape(reward, scale=1.0):
  return scale * reward


class _Wrapper:
  def __init__(self, environment, function):
    pass


@dataclasses.dataclass(frozen=True)
class _Networks:
  activation: object
  sizes: tuple = (8,)

  def __call__(self, spec):
    raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class _Config(dqn.DQNConfig):
  shaping: object = _shape


def _described(networks, *wrappers, config=None):
  experiment = tfacme.Experiment(
    builder=dqn.DQNBuilder(config or dqn.DQNConfig()),
    networks=networks,
    environment=environments.factory('bsuite:catch/0').wrapped(*wrappers),
    budget=tfacme.Budget(actor_steps=100),
  )
  return describing.describe(experiment, 'inline')


def test_functions_are_called_by_their_names_and_code():
  wrapper = functools.partial(_Wrapper, function=functools.partial(_shape, scale=2.0))
  described = _described(_Networks(_shape), wrapper, config=_Config())
  shape = described['config']['shaping']
  assert re.fullmatch(f'{__name__}:_shape#[0-9a-f]{{8}}', shape)
  assert described['networks'] == f'_Networks(activation={shape}, sizes=(8))'
  assert described['environment'] == f'bsuite:catch/0 {__name__}:_Wrapper(function={shape}(scale=2.0))'


def test_an_edited_choice_of_a_builder_is_another_experiment():
  def described(explore):
    builder = dqn.DQNBuilder(dqn.DQNConfig(), explore=explore)
    return describing.describe(dataclasses.replace(imitation.experiment(), builder=builder), 'inline')

  twice = described(lambda q, context: 2 * q)
  assert describing.what_differs(twice, described(lambda q, context: 2 * q)) is None
  assert re.match('builder.explore .*<lambda>#', describing.what_differs(twice, described(lambda q, context: 3 * q)))


def test_no_memory_address_gets_into_it():
  class Anything:
    pass

  described = _described(_Networks({'a': Anything(), 'b': [Anything, lambda x: x, np.float32(3)]}))
  assert ' at 0x' not in str(described)


def test_it_is_json_that_every_reader_takes():
  described = _described(_Networks(_shape))
  assert described['config']['max_abs_reward'] == 'Infinity'
  json.dumps(described, allow_nan=False)


def test_another_unit_of_the_budget_is_another_experiment():
  def described(**budget):
    data = datasets.memory(environment.record(1))
    experiment = dataclasses.replace(beside.experiment(), budget=tfacme.Budget(**budget), dataset=data)
    return describing.describe(experiment, 'inline')

  before = described(learner_steps=100)
  assert describing.what_differs(before, described(learner_steps=200)) is None
  says = "budget.unit 'learner_steps' where this one has 'actor_steps'; give another folder."
  assert [describing.what_differs(before, described(actor_steps=steps)) for steps in (60, 150)] == [says, says]


def test_what_the_replay_begins_with_and_the_share_of_data_are_part_of_an_experiment():
  def described(**changes):
    data = datasets.memory(environment.record(1))
    return describing.describe(dataclasses.replace(beside.experiment(), dataset=data, **changes), 'inline')

  before = described()
  shared = describing.what_differs(before, described(dataset_share=0.5))
  assert shared == 'dataset_share None where this one has 0.5; give another folder.'
  begun = describing.what_differs(before, described(prefill=datasets.memory(environment.record(2))))
  assert re.match("prefill None where this one has 'memory:", begun)
  assert describing.what_differs({k: v for k, v in before.items() if k != 'prefill'}, before) is None  # An older run's.


def test_what_differs_is_described_otherwise():
  assert _described(_Networks(_shape)) != _described(_Networks(_shape, (9,)))


# --- The folder of a run ---


def test_what_a_builder_is_made_of_is_part_of_an_experiment():
  described = [describing.describe(imitation.experiment(mistakes=share), 'inline') for share in (0.0, 0.5)]
  data = [one['builder'].pop('demonstrations') for one in described]
  assert data[0] != data[1] and 'memory:' in data[0]
  assert described[0] == described[1]


def test_a_run_is_described_with_the_numbers_of_the_agent_inside():
  builder = core.BuilderWrapper(dqn.DQNBuilder(dqn.DQNConfig(n_step=2)), dqn.DQNConfig(n_step=4))
  described = describing.describe(dataclasses.replace(imitation.experiment(), builder=builder), 'inline')
  assert described['config']['n_step'] == 4
  assert (described['builder']['agent']['type'], described['builder']['agent']['config']['n_step']) == ('DQNBuilder', 2)


def test_a_config_whose_numbers_cannot_be_told_is_refused():
  builder = dqn.DQNBuilder({'n_step': 3})
  with pytest.raises(errors.UserError, match="A config has to be a dataclass.* not {'n_step': 3}"):
    describing.describe(dataclasses.replace(imitation.experiment(), builder=builder), 'inline')


@pytest.mark.parametrize(
  'changes, budget, hinted',
  [
    ({'epsilon': (1.0, 0.05, 60)}, 200, True),
    ({'epsilon': (1.0, 0.05, 60)}, 100, False),
    ({'epsilon': (1.0, 0.1, 60)}, 200, False),
    ({'n_step': 2}, 200, False),
  ],
)
def test_only_a_schedule_is_excused_by_other_steps(changes, budget, hinted):
  def described(config, budget):
    experiment = tfacme.Experiment(
      builder=dqn.DQNBuilder(config),
      networks=dqn.default_networks(),
      environment=environments.factory('bsuite:catch/0'),
      budget=tfacme.Budget(actor_steps=budget),
    )
    return describing.describe(experiment, 'inline')

  config = dqn.DQNConfig(epsilon=(1.0, 0.05, 30))
  says = describing.what_differs(described(config, 100), described(dataclasses.replace(config, **changes), budget))
  assert ("such as '100%', stays the same" in says) == hinted


def test_a_share_of_the_steps_is_the_same_experiment_with_other_steps():
  config = dqn.DQNConfig(epsilon=(1.0, 0.05, '50%'))
  described = _described(_Networks(_shape), config=config)
  assert described['config']['epsilon'] == [1.0, 0.05, '50%']
