"""Whether an agent does well in an environment is told in sentences."""

import re

import pytest

import tfacme
from tests.contract import layers, on_policy
from tests.testing import broken
from tfacme import testing


def _experiment(environment=testing.TwoStates, steps=200, slots=2):
  return tfacme.Experiment(
    on_policy.Builder(),
    environment,
    layers.linear,
    tfacme.Budget(actor_steps=steps),
    layout=tfacme.Layout(slots=slots),
    evaluation=tfacme.Evaluation(every=0, episodes=2, max_episode_steps=50),
    name='toy',
  )


def test_all_is_fine(tmp_path):
  found = testing.check_training(_experiment(), tmp_path)
  assert [(finding.mark, finding.name) for finding in found] == [
    ('fine', 'training'),
    ('fine', 'exported policy'),
    ('fine', 'parts of a step'),
  ]
  assert found[0].text.startswith('toy took ') and found[0].text.endswith(' in 200 environment steps.')
  assert 'an episode of 5 steps' in found[1].text
  milliseconds = found[2].milliseconds
  assert milliseconds.keys() == {'environment', 'acting', 'writing', 'reading', 'learning'}
  assert all(value >= 0 for value in milliseconds.values()) and milliseconds['learning'] > 0


def test_an_episode_without_end_is_cut_off(tmp_path):
  experiment = _experiment(broken.Endless)
  found = {finding.name: finding for finding in testing.check_training(experiment, tmp_path)}
  assert 'an episode of 50 steps, where it was cut off' in found['exported policy'].text


def test_an_agent_that_learned_nothing(tmp_path):
  first, *_ = testing.check_training(_experiment(steps=20, slots=1), tmp_path)
  assert (first.mark, first.name) == ('warning', 'training')
  assert 'learned nothing' in first.text and '(--steps)' in first.text


@pytest.mark.parametrize(
  'environment, says',
  [
    (broken.Raising, r'The run failed: RuntimeError: the simulator is gone \(.*broken.py, line \d+'),
    (broken.WrongType, 'violates its own observation_spec'),
  ],
)
def test_a_run_that_fails(environment, says, tmp_path):
  (found,) = testing.check_training(_experiment(environment, steps=900), tmp_path)
  assert (found.mark, found.name) == ('fault', 'training')
  assert re.search(says, found.text), found.text
