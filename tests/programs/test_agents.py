"""Every agent, as the command runs it, on every engine: it ends at its steps, has learned, and leaves a policy."""

import cloudpickle
import pytest

import tfacme
from tests.agents import tasks
from tests.programs import processes
from tests.programs.test_engines import ENGINES, rows
from tests.programs.test_repeat import logged
from tfacme import cli, datasets, environments
from tfacme.agents import registry
from tfacme.graph import nodes

_REACH = f'{tasks.__name__}:{tasks.Reach.__name__}'
_FEW = '--config.min_replay_size 100 --config.batch_size 16 --config.samples_per_insert 16'
_COMMANDS = {
  'bc': '--env bsuite:catch/0 --steps 600',
  'dqn': f'--env bsuite:catch/0 --steps 600 {_FEW}',
  'impala': '--env bsuite:catch/0 --steps 600 --slots 2 --config.unroll_length 8 --config.batch_size 4',
  'ppo': '--env bsuite:catch/0 --steps 600 --slots 2 --config.unroll_length 16 --config.batch_size 4',
  'r2d2': '--env bsuite:memory_len/3 --steps 600 --config.min_replay_size 20 --config.batch_size 4',
  'sac': f'--env {_REACH} --steps 600 {_FEW}',
}
_ENVIRONMENTS = {'sac': _REACH}
_OFFLINE = ('bc',)  # agents that learn from recorded data


def _recorded(folder):
  """A data set of random episodes."""
  path = str(folder / 'recorded')
  tfacme.record(None, environments.make('bsuite:catch/0'), 20, path)
  return path


def test_all_agents_are_here():
  assert set(_COMMANDS) == set(registry.names())


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('agent', [name for name in _COMMANDS if name != 'dqn'])  # which has tests of its own
def test_it_runs(agent, engine, tmp_path):
  command = _COMMANDS[agent]
  if agent in _OFFLINE:
    command += f' --dataset {_recorded(tmp_path)}'
  layout = f'--launch {engine} --actors {1 if engine == "inline" else 2} --workdir {tmp_path / "run"}'
  ended = processes.run('train', agent, *command.split(), *layout.split())
  assert (ended.code, ended.err, ended.left) == (0, '', [])
  last = rows(tmp_path / 'run' / 'logs' / 'evaluator.csv')[-1]
  assert int(last['learner_steps' if agent in _OFFLINE else 'actor_steps']) == 600
  assert int(last['learner_steps']) > 0
  evaluated = processes.run('evaluate', str(tmp_path / 'run'), '--episodes', '2')
  assert evaluated.code == 0, evaluated.err


@pytest.mark.slow
@pytest.mark.parametrize('agent', [name for name in _COMMANDS if name != 'dqn'])
def test_it_repeats(agent, tmp_path):
  command = _COMMANDS[agent]
  if agent in _OFFLINE:
    command += f' --dataset {_recorded(tmp_path)}'
  runs = [tmp_path / name for name in ('first', 'second', 'other')]
  for run, seed in zip(runs, ('1', '1', '2')):
    assert cli.main(['train', agent, *command.split(), '--workdir', str(run), '--seed', seed]) == 0
  first, second, other = map(logged, runs)
  assert first == second
  assert first != other


@pytest.mark.parametrize('agent', list(_COMMANDS))
def test_its_nodes_travel(agent, tmp_path):
  offline = agent in _OFFLINE
  experiment = tfacme.Experiment(
    builder=registry.builder(agent, registry.config_class(agent)()),
    networks=registry.default_networks(agent),
    environment=environments.factory(_ENVIRONMENTS.get(agent, 'bsuite:catch/0')),
    budget=tfacme.Budget(**{'learner_steps' if offline else 'actor_steps': 10_000}),
    dataset=datasets.rlds(_recorded(tmp_path)) if offline else None,
  )
  for node in nodes.of_program(tfacme.make_program(experiment)):
    cloudpickle.loads(cloudpickle.dumps(node.run))
