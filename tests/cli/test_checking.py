"""`tfacme check`: its table, its JSON and its exit code."""

import json

import pytest

from tfacme import cli, testing
from tfacme.agents import registry


@pytest.fixture
def tried(monkeypatch):
  """The experiments that were to be tried, none of which is run."""
  experiments = []

  def try_(experiment, folder):
    experiments.append(experiment)
    return [testing.Finding('warning', 'training', 'It learned nothing [so far].')]

  monkeypatch.setitem(vars(testing), 'check_training', try_)
  return experiments


def _checked(capsys, *arguments):
  """(exit code, what was printed)."""
  try:
    code = cli.main(['check', *arguments])
  except SystemExit as exit_:
    code = exit_.code
  return code, capsys.readouterr().out


def test_a_fault(tried, capsys):
  code, out = _checked(capsys, 'dqn', '--env', 'tests.testing.broken:WrongType')
  assert code == 1 and tried == []
  (line,) = [line for line in out.splitlines() if line.startswith('fault')]
  assert line.split()[:4] == ['fault', 'values', 'At', 'step']
  assert out.splitlines()[-1] == '1 fault, 0 warnings; dqn was not run: mend the environment first'


def test_none(tried, capsys):
  options = ('--config.batch-size', '8', '--steps', '30', '--seed', '3', '--env.step-limit', '12', '--stack', '2')
  code, out = _checked(capsys, 'dqn', '--env', 'tests.testing.broken:Healthy', *options)
  assert code == 0
  assert 'It learned nothing [so far].' in out and out.splitlines()[-1] == '0 faults, 1 warning'
  (experiment,) = tried
  assert (experiment.agent, experiment.seed, experiment.stack, experiment.budget.steps) == ('dqn', 3, 2, 30)
  assert experiment.builder.config.batch_size == 8 and experiment.builder.config.min_replay_size == 16
  assert experiment.environment.options.step_limit == 12


def test_as_json(tried, capsys):
  code, out = _checked(capsys, 'dqn', '--env', 'tests.testing.broken:Printing', '--json')
  told = json.loads(out)
  assert (code, told['faults'], told['warnings']) == (0, 0, 2)
  marks = {finding['name']: finding['mark'] for finding in told['findings']}
  assert (marks['output'], marks['seeds'], marks['training']) == ('warning', 'fine', 'warning')
  assert {'step', 'reset', 'make'} == {name for finding in told['findings'] for name in finding['milliseconds']}


def test_a_mistake_is_told_before_anything_is_played(tried, capsys):
  assert cli.main(['check', 'dqn', '--env', 'bsuite:catch/0', '--steps', '0']) == 2
  assert '--steps is 0' in capsys.readouterr().err
  assert cli.main(['check', 'dqm', '--env', 'bsuite:catch/0']) == 2
  assert 'did you mean dqn?' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize('agent', ['bc', 'cql', 'discrete_cql', 'impala', 'ppo', 'r2d2'])
def test_an_agent_in_its_own_environment(agent, capsys):
  code, out = _checked(capsys, agent, '--env', registry.about(agent).trial.environment, '--json')
  told = json.loads(out)
  assert (code, told['faults'], told['warnings']) == (0, 0, 0), out
  found = {finding['name']: finding for finding in told['findings']}
  assert 'learner steps in 200' in found['training']['text']
  assert 'played an episode of' in found['exported policy']['text']
  acts = set() if registry.about(agent).recorded else {'environment', 'acting', 'writing'}
  assert found['parts of a step']['milliseconds'].keys() == acts | {'reading', 'learning'}
  assert all(value >= 0 for value in found['parts of a step']['milliseconds'].values())


@pytest.mark.slow
def test_an_agent_that_does_not_fit(capsys):
  code, out = _checked(capsys, 'sac', '--env', 'bsuite:catch/0', '--json')
  (fault,) = [finding for finding in json.loads(out)['findings'] if finding['mark'] == 'fault']
  assert code == 1 and fault['name'] == 'training' and 'needs continuous actions' in fault['text']
