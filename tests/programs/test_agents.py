"""Every agent, as the command runs it, on every engine: it ends at its steps, has learned, and leaves a policy."""

import pytest

import tfacme
from tests import pages
from tests.programs import processes
from tests.programs.test_engines import ENGINES, rows
from tfacme import datasets, environments, testing
from tfacme.agents import registry

_RECORDED_EPISODES = 20
# DQN, the one of all that most tests are about, has tests of its own.
AGENTS = [name for name in registry.names() if name != 'dqn']


def _command(agent, folder):
  """The command of the agent's trial, without its layout."""
  about = registry.about(agent)
  task = about.trial
  steps = '--learner-steps' if about.recorded else '--steps'
  command = ['train', agent, '--env', task.environment, steps, str(task.steps), '--slots', str(task.slots)]
  command += [part for name, value in task.config.items() for part in (f'--config.{name}', str(value))]
  return command + (['--dataset', _recorded(task, folder)] if about.recorded else [])


def _recorded(task, folder):
  """A data set of random episodes."""
  path = str(folder / 'recorded')
  tfacme.record(None, environments.make(task.environment), _RECORDED_EPISODES, path)
  return path


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('agent', AGENTS)
def test_it_runs(agent, engine, tmp_path):
  layout = f'--launch {engine} --actors {1 if engine == "inline" else 2} --workdir {tmp_path / "run"}'
  ended = processes.run(*_command(agent, tmp_path), *layout.split())
  assert (ended.code, ended.err, ended.left) == (0, '', [])
  last = rows(tmp_path / 'run' / 'logs' / 'evaluator.csv')[-1]
  about = registry.about(agent)
  assert int(last['learner_steps' if about.recorded else 'actor_steps']) == about.trial.steps
  assert int(last['learner_steps']) > 0
  pages.check_columns(tmp_path / 'run', agent)
  assert tfacme.load_run(str(tmp_path / 'run')).evaluate(2).episodes == 2


def _experiment(agent, folder):
  """The agent's trial."""
  about = registry.about(agent)
  dataset = datasets.rlds(_recorded(about.trial, folder)) if about.recorded else None
  return registry.experiment(agent, about.trial, dataset=dataset)


@pytest.mark.slow
@pytest.mark.parametrize('agent', AGENTS)
def test_it_repeats_and_resumes(agent, tmp_path):
  experiment = _experiment(agent, tmp_path)
  testing.check_resumes(experiment, tmp_path, testing.check_repeats(experiment, tmp_path))


@pytest.mark.parametrize('agent', registry.names())
def test_its_nodes_travel(agent, tmp_path):
  testing.check_travels(_experiment(agent, tmp_path))


@pytest.mark.parametrize('agent', registry.names())
def test_what_its_update_keeps_is_saved(agent, tmp_path):
  testing.check_update(_experiment(agent, tmp_path))
