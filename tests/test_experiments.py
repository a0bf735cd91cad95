"""Parts that are no parts of an experiment are one sentence."""

import pytest

import tfacme
from tfacme import environments, errors
from tfacme.agents import dqn

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
