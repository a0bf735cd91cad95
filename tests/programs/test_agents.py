"""Every agent on every engine: it ends at its steps, has learned, and leaves a policy."""

import dataclasses

import pytest

import tfacme
from tests import pages
from tests.programs.test_engines import rows
from tfacme import datasets, environments, testing
from tfacme.agents import registry

_RECORDED_EPISODES = 20
# DQN, the one of all that most tests are about, has tests of its own.
AGENTS = [name for name in registry.names() if name != 'dqn']
# And an engine knows nothing of what an agent is: each runs on one of the two with several nodes at once.
RUNS = [
  pytest.param(agent, engine, marks=[] if engine == 'inline' else [pytest.mark.slow])
  for i, agent in enumerate(AGENTS)
  for engine in ('inline', ('local_mt', 'local_mp')[i % 2])
]


def _experiment(agent, folder):
  """The agent's trial; an agent that learns from recorded data has random episodes."""
  about, dataset = registry.about(agent), None
  if about.recorded:
    path = str(folder / 'recorded')
    tfacme.record(None, environments.make(about.trial.environment), _RECORDED_EPISODES, path)
    dataset = datasets.rlds(path)
  return registry.experiment(agent, about.trial, dataset=dataset)


@pytest.mark.parametrize('agent, engine', RUNS)
def test_it_runs(agent, engine, tmp_path):
  experiment = _experiment(agent, tmp_path)
  layout = dataclasses.replace(experiment.layout, actors=1 if engine == 'inline' else 2)
  testing.check_runs(dataclasses.replace(experiment, layout=layout), tmp_path / 'run', engine)
  assert int(rows(tmp_path / 'run' / 'logs' / 'evaluator.csv')[-1]['learner_steps']) > 0
  pages.check_columns(tmp_path / 'run', agent)


@pytest.mark.slow
@pytest.mark.parametrize('agent', AGENTS)
def test_it_resumes(agent, tmp_path):
  testing.check_resumes(_experiment(agent, tmp_path), tmp_path)


@pytest.mark.parametrize('agent', registry.names())
def test_its_nodes_travel(agent, tmp_path):
  testing.check_travels(_experiment(agent, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize('agent', registry.names())
def test_what_its_update_keeps_is_saved(agent, tmp_path):
  testing.check_update(_experiment(agent, tmp_path))
