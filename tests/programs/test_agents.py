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
OFFLINE = [name for name in AGENTS if registry.about(name).recorded]
# What these read and write are the tables of CRR or BCQ, which resume; what their own updates keep is looked at below.
READ_ALIKE = ('awac', 'iql', 'td3_bc', 'bve', 'discrete_cql')
# And an engine knows nothing of what an agent is: each runs on one of the two with several nodes at once.
SEVERAL = [(agent, ('local_mt', 'local_mp')[i % 2]) for i, agent in enumerate(AGENTS)]


def _experiment(agent, folder):
  """The agent's trial; an agent that learns from recorded data has random episodes."""
  about, dataset = registry.about(agent), None
  if about.recorded:
    path = folder / 'recorded'
    if not path.exists():
      tfacme.record(None, environments.make(about.trial.environment), _RECORDED_EPISODES, str(path))
    dataset = datasets.rlds(str(path))
  return registry.experiment(agent, about.trial, dataset=dataset)


@pytest.fixture
def inline(made_once):
  """A function from an agent to the folder of its run in one thread, of which all has been checked that is checked."""
  return lambda agent: made_once(agent, lambda folder: _check_runs(agent, folder, 'inline', actors=1))


def _check_runs(agent, folder, engine, actors):
  experiment = _experiment(agent, folder)
  layout = dataclasses.replace(experiment.layout, actors=actors)
  testing.check_runs(dataclasses.replace(experiment, layout=layout), folder / 'run', engine)
  assert int(rows(folder / 'run' / 'logs' / 'evaluator.csv')[-1]['learner_steps']) > 0
  pages.check_columns(folder / 'run', agent)


@pytest.mark.parametrize('agent', AGENTS)
def test_it_runs_in_one_thread(agent, inline):
  inline(agent)


@pytest.mark.slow
@pytest.mark.parametrize('agent, engine', SEVERAL)
def test_it_runs_with_several_nodes_at_once(agent, engine, tmp_path):
  _check_runs(agent, tmp_path, engine, actors=2)


@pytest.mark.slow
@pytest.mark.parametrize('agent', [name for name in AGENTS if name not in READ_ALIKE])
def test_it_resumes(agent, inline, tmp_path):
  whole = inline(agent)
  testing.check_resumes(_experiment(agent, whole), tmp_path, str(whole / 'run'))


@pytest.mark.parametrize('agent', registry.names())
def test_its_nodes_travel(agent, tmp_path):
  testing.check_travels(_experiment(agent, tmp_path))


# An agent that learns from recorded data and has resumed has shown it: it went on to the same variables.
@pytest.mark.slow
@pytest.mark.parametrize('agent', [name for name in registry.names() if name not in OFFLINE or name in READ_ALIKE])
def test_what_its_update_keeps_is_saved(agent, tmp_path):
  testing.check_update(_experiment(agent, tmp_path))
