"""The commands, with fakes in the place of what runs."""

import dataclasses
import json
import re
import subprocess
import sys
import types
from typing import Optional, Sequence

import numpy as np
import pytest

import tfacme
from tfacme import cli, core, datasets, errors, graph, launching
from tfacme.agents import registry
from tfacme.cli import running
from tfacme.graph import picture


@dataclasses.dataclass(frozen=True)
class Config:
  """A toy's numbers."""

  batch_size: int = 8
  """Items of one learning step."""

  double: bool = True
  """Whether to do it twice."""

  def __post_init__(self):
    errors.in_range('batch_size', self.batch_size, low=1)


class Run:
  """What `tfacme.train` and `tfacme.load_run` return."""

  description = {'evaluations': [{'name': 'evaluator'}], 'budget': {'actor_steps': 20}}

  def __init__(self, workdir):
    self.workdir = workdir

  def evaluate(self, episodes, seed, max_episode_steps, checkpoint):
    values = {
      'mean': np.float32(0.5 + seed),
      'standard_error': 0.1 if episodes > 1 else float('nan'),
      'minimum': -1.0,
      'maximum': 1.0,
      'episodes': episodes,
    }
    observed = {'is_success': (0.25, 0.1), 'crashed': (float('nan'), float('nan'))} if seed == 3 else {}
    values['observed'] = {name: mean for name, (mean, _) in observed.items()}
    values['observed_errors'] = {name: error for name, (_, error) in observed.items()}
    return types.SimpleNamespace(**values, episodes_cut=1 if max_episode_steps == 9 else 0)


@dataclasses.dataclass(frozen=True)
class Builder(core.Builder):
  """Stands for an agent."""

  config: Config


@dataclasses.dataclass(frozen=True)
class Networks:
  """Makes a toy's networks.

  Attributes:
    hidden_sizes: units of each layer.
    memory: units of its memory; None is none.
  """

  hidden_sizes: Optional[Sequence[int]] = None
  memory: Optional[int] = 5

  def __call__(self, spec):
    """None."""


@pytest.fixture
def calls(monkeypatch):
  """The calls of the public functions, none of which is made."""
  made = []

  def train(experiment, workdir, launch, debug, profile):
    made.append(('train', experiment, workdir, launch))
    return Run(workdir)

  # In the package's dict, so that what it would load by itself is not asked for.
  monkeypatch.setitem(vars(tfacme), 'train', train)
  monkeypatch.setitem(vars(tfacme), 'load_run', Run)
  monkeypatch.setitem(vars(launching), 'warm_up', lambda: made.append(('warm_up',)))
  monkeypatch.setattr(registry, 'config', lambda name: {'dqn': Config()}[name])
  monkeypatch.setattr(registry, 'builder', lambda name, config: Builder(config))
  monkeypatch.setattr(registry, 'default_networks', lambda name: Networks())
  return made


@pytest.fixture
def finished(tmp_path):
  """The folder of a run with evaluations."""
  (tmp_path / 'run' / 'logs').mkdir(parents=True)
  (tmp_path / 'run' / 'experiment.json').write_text('{"agent": "dqn", "environment": "bsuite:catch/0"}')
  (tmp_path / 'run' / 'logs' / 'evaluator.csv').write_text('actor_steps,episode_return\n10,0.5\n20,1.0\n')
  return str(tmp_path / 'run')


def test_train(calls, tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  command = 'train dqn --env bsuite:catch/0 --steps 1000 --actors 2 --slots=3 --seed 4 --config.batch-size 5'
  command += ' --config.double False --evaluation.episodes 7 --loggers --threads 2'
  command += ' --networks.hidden-sizes 64 1e1 --networks.memory None --env.step-limit 7 --env.kwargs a 1e3 b False'
  command += ' --start runs/before'
  assert cli.main(command.split()) == 0
  ((_, experiment, workdir, launch),) = calls
  assert (launch, workdir) == ('inline', 'runs/dqn-bsuite-catch-0-seed4')
  assert experiment.builder.config == Config(batch_size=5, double=False)
  assert (list(experiment.networks.hidden_sizes), experiment.networks.memory) == ([64, 10], None)
  assert (experiment.name, experiment.seed, experiment.budget.actor_steps) == ('dqn', 4, 1000)
  assert (experiment.layout.actors, experiment.layout.slots, experiment.layout.threads) == (2, 3, 2)
  assert experiment.evaluation.episodes == 7 and experiment.loggers == ()
  assert experiment.start == 'runs/before'
  assert experiment.environment.id == 'bsuite:catch/0'
  assert experiment.environment.options.changed == {'kwargs': {'a': 1000, 'b': False}, 'step_limit': 7}
  assert capsys.readouterr().out.startswith('Starting')  # `train` says all else.


def test_recorded_data_beside_actors(calls, tmp_path, monkeypatch):
  """A part of each batch, and what the replay begins with, are read by the same options; each has shares of its own."""
  named = lambda names, options: types.SimpleNamespace(names=names, changed=options.changed, episodes=None)
  monkeypatch.setattr(datasets, 'named', named)
  command = ['train', 'dqn', '--env', 'bsuite:catch/0', '--workdir', str(tmp_path / 'run')]

  def trained(options):
    assert cli.main([*command, *options.split()]) == 0
    return calls[-1][1]

  both = trained('--dataset a b --dataset.shares 1 3 --dataset.episodes 5 --dataset-share 0.25 --prefill c')
  assert both.dataset_share == 0.25
  assert (both.dataset.names, both.dataset.changed) == (('a', 'b'), {'episodes': 5, 'shares': (1.0, 3.0)})
  assert (both.prefill.names, both.prefill.changed) == (('c',), {'episodes': 5})
  begun = trained('--prefill c d --dataset.shares 1 3')
  assert (begun.dataset, begun.dataset_share, begun.prefill.changed) == (None, None, {'shares': (1.0, 3.0)})
  same = trained('--dataset a --dataset-share 0.5 --prefill a')
  assert same.prefill is same.dataset and same.dataset.names == ('a',)


def test_processes_get_ready_first(calls, tmp_path):
  command = ['train', 'dqn', '--env', 'bsuite:catch/0', '--launch', 'local_mp', '--workdir', str(tmp_path / 'a')]
  assert cli.main(command) == 0
  assert [call[0] for call in calls] == ['warm_up', 'train']
  assert calls[1][2:] == (str(tmp_path / 'a'), 'local_mp')


@pytest.mark.parametrize(
  ('command', 'message'),
  [
    ('trian', r"no command 'trian'; did you mean train"),
    ('train', 'needs the agent first: tfacme train AGENT'),
    ('train --env bsuite:catch/0 dqn', 'needs the agent first'),
    ('train dqn', 'tfacme train dqn needs --env'),
    ('train dqn --env bsuit:catch/0', r'did you mean bsuite:catch/0'),
    ('train dqn --env bsuite:catch/0 --steps 0', 'number of steps is 0'),
    ('train dqn --env bsuite:catch/0 --steps -5', 'number of steps is -5'),
    ('train dqn --env bsuite:catch/0 --steps many', "--steps takes None, or INT, and 'many' is not that"),
    ('train dqn --env bsuite:catch/0 --steps', '--steps: expected 1 argument'),
    ('train dqn --env bsuite:catch/0 --actors 0', 'number of actors is 0'),
    (
      'train dqn --env bsuite:catch/0 --launch remote',
      "--launch can't be 'remote'; it is one of inline, local_mp",
    ),
    (
      'train dqn --env bsuite:catch/0 --loggers tensorbord',
      "--loggers can't be 'tensorbord'; it is one of mlflow, ten",
    ),
    ('train dqn --env bsuite:catch/0 --config.batchsize 5', r'--config.batchsize.; did you mean --config.batch_size\?'),
    ('train dqn --env bsuite:catch/0 --config.batch_size 0', 'batch_size is 0'),
    ('train dqn --env bsuite:catch/0 --config.zzz=1', 'no option .--config.zzz.; tfacme train dqn --help lists them'),
    ('train dqn --env bsuite:catch/0 catch', "'catch' is no value of any option"),
    ('train dqn --env bsuite:catch/0 --env.kwargs size', '--env.kwargs takes NAME VALUE .* and .size. is not that'),
    ('train dqn --env bsuite:catch/0 --env.frame-stack -1', 'frame_stack is -1, and has to be at least 0'),
    ('train dqn --env bsuite:catch/0 --frame-stack 2', r'did you mean --env.frame_stack\?'),
    ('train dqn --env bsuite:catch/0 --seed -1', 'seed is -1, and has to be at least 0'),
    ('train dqn --env bsuite:catch/0 --dataset nowhere', 'no folder nowhere to read a data set from'),
    ('train dqn --env bsuite:catch/0 --prefill nowhere', 'no folder nowhere to read a data set from'),
    (
      'train dqn --env bsuite:catch/0 --dataset.best 0.5',
      'is of recorded data: give some .--dataset, or --prefill.',
    ),
    (
      'train dqn --env bsuite:catch/0 --score 1',
      "with published returns '1'; give two numbers, .*--score RANDOM EXPERT",
    ),
    ('train dqn --env bsuite:catch/0 --score -1 good', '--score -1 good: give the mean returns of random actions'),
    ('train dqn --env bsuite:catch/0 --score 1 2 3', '--score 1 2 3: give the mean returns of random actions and of'),
    ('train dqn --env bsuite:catch/0 --score 1 1', 'Random actions and an expert have the same return, 1'),
    ('record --random --env bsuite:catch/0 --out there --checkpoint best', 'needs --checkpoint with --run'),
    ('record --run {run} --env.frame-stack 2 --out there', 'needs --env with --random, and not with --run'),
    ('evaluate', 'needs RUN'),
    ('evaluate {run} --episodes 0', '--episodes is 0'),
    ('evaluate {run} --seed -1', '--seed is -1, and has to be at least 0'),
    ('watch {run} --seed -1', '--seed is -1, and has to be at least 0'),
    ('record --run {run} --out data --seed -1', '--seed is -1, and has to be at least 0'),
    ('evaluate {run} --episode 3', r'did you mean --episodes\?'),
    ('evaluate nowhere', 'no run in nowhere'),
    ('plot', 'needs the folder of a run'),
    ('plot nowhere', 'no run in nowhere'),
    ('watch nowhere', 'no run in nowhere'),
    ('export nowhere', 'no run in nowhere'),
    ('graph', 'needs the agent first'),
  ],
)
def test_mistakes_are_one_line(calls, finished, capsys, command, message):
  assert cli.main(command.format(run=finished).split()) == 2
  captured = capsys.readouterr()
  assert captured.out == '' and captured.err.startswith('tfacme: ') and captured.err.count('\n') == 1
  assert re.search(message, captured.err), captured.err
  assert calls == []


_OWN = '''
import dataclasses, types
from tfacme import core

@dataclasses.dataclass(frozen=True)
class Config:
  rate: float = 0.5

@dataclasses.dataclass(frozen=True)
class Builder(core.Builder):
  config: Config

@dataclasses.dataclass(frozen=True)
class default_networks:
  units: int = 3
  def __call__(self, spec):
    """None."""

agent = types.SimpleNamespace(Config=Config, Builder=Builder, default_networks=default_networks)
incomplete = types.SimpleNamespace(Config=Config)
bare = types.SimpleNamespace(Config=dataclasses.make_dataclass('Config', ['rate']), Builder=Builder, default_networks=0)
'''


@pytest.fixture
def trained(tmp_path, monkeypatch):
  """The experiments of `train`, in a folder with agents of one's own."""
  (tmp_path / 'my_own_agents.py').write_text(_OWN)
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, 'path', list(sys.path))
  made = []
  monkeypatch.setattr(running, 'run', lambda experiment, workdir, *unused: made.append((experiment, workdir)))
  yield made
  sys.modules.pop('my_own_agents', None)


@pytest.mark.parametrize('name', ['my_own_agents', 'my_own_agents:agent'])
def test_an_agent_of_ones_own(trained, name, capsys):
  options = '--env bsuite:catch/0 --config.rate 0.25 --networks.units 4'
  assert cli.main(['train', name, *options.split()]) == 0
  ((experiment, workdir),) = trained
  assert (experiment.builder.config.rate, experiment.networks.units, experiment.agent) == (0.25, 4, name)
  assert workdir == f'runs/{name.replace(":", "-")}-bsuite-catch-0-seed0'
  with pytest.raises(SystemExit):
    cli.main(['train', name, '--help'])
  assert '--config.rate FLOAT' in capsys.readouterr().out


@pytest.mark.parametrize(
  'name, says',
  [
    ('my_own_agents:incomplete', 'has no Builder and no default_networks, and an agent has Config, Builder and'),
    ('my_own_agents:agnt', "There is no agent in my_own_agents 'agnt'; did you mean agent"),
    ('my_own_agents:bare', 'needs a default for each of its fields, for rate too'),
    ('my_own_agent.one', "There is no agent 'my_own_agent.one'; there are awac, bc, "),
  ],
)
def test_mistakes_with_an_agent_of_ones_own(trained, name, says, capsys):
  assert cli.main(['train', name, '--env', 'bsuite:catch/0']) == 2
  assert says in capsys.readouterr().err
  assert trained == []


def test_an_unknown_agent(capsys):
  assert cli.main(['train', 'dqm', '--env', 'bsuite:catch/0']) == 2
  assert capsys.readouterr().err == "tfacme: There is no agent 'dqm'; did you mean dqn?\n"


def test_faults_keep_their_traceback_and_interrupts_their_code(calls, monkeypatch):
  def fail(*_, **__):
    raise RuntimeError('a fault')

  def interrupt(*_, **__):
    raise KeyboardInterrupt

  command = ['train', 'dqn', '--env', 'bsuite:catch/0']
  monkeypatch.setitem(vars(tfacme), 'train', fail)
  with pytest.raises(RuntimeError, match='a fault'):
    cli.main(command)
  monkeypatch.setitem(vars(tfacme), 'train', interrupt)
  assert cli.main(command) == 130


def test_evaluate(calls, finished, capsys):
  assert cli.main(['evaluate', finished, '--episodes', '5', '--json']) == 0
  result = json.loads(capsys.readouterr().out)
  assert result == {
    'mean': 0.5,
    'standard_error': 0.1,
    'minimum': -1.0,
    'maximum': 1.0,
    'episodes': 5,
    'episodes_cut': 0,
    'columns': {},
    'columns_standard_error': {},
  }
  assert cli.main(['evaluate', finished]) == 0
  assert capsys.readouterr().out == 'return 0.5 ± 0.1 (mean and standard error of 20 episodes), from -1 to 1\n'
  assert cli.main(['evaluate', finished, '--seed', '3']) == 0
  first, *columns = capsys.readouterr().out.splitlines()
  assert first.startswith('return 3.5 ') and columns == ['is_success 0.25 ± 0.1', 'crashed nan']
  assert cli.main(['evaluate', finished, '--seed', '3', '--episodes', '1', '--json']) == 0
  result = json.loads(capsys.readouterr().out)
  assert (result['standard_error'], result['columns']) == (None, {'is_success': 0.25, 'crashed': None})
  assert result['columns_standard_error'] == {'is_success': 0.1, 'crashed': None}
  assert cli.main(['evaluate', finished, '--max-episode-steps', '9']) == 0
  assert '(mean and standard error of 20 episodes, 1 cut off), from' in capsys.readouterr().out


def test_evaluate_tells_of_one_episode_and_of_what_the_run_estimated(calls, finished, tmp_path, capsys):
  log = tmp_path / 'run' / 'logs' / 'evaluator.csv'
  log.write_text('actor_steps,episode_return,is_success,fitted_q,timestamp\n20,1.0,0.5,0.875,9.0\n')
  assert cli.main(['evaluate', finished, '--seed', '3', '--episodes', '1']) == 0
  first, *_, last = capsys.readouterr().out.splitlines()
  assert first == 'return 3.5 (one episode), from -1 to 1'
  assert last == 'fitted_q 0.875 (estimated by the run, in logs/evaluator.csv, after 20 environment steps)'


def test_plot(finished, tmp_path, capsys):
  assert cli.main(['plot', finished, finished, '--out', str(tmp_path / 'a.png')]) == 0
  assert (tmp_path / 'a.png').stat().st_size > 1000
  assert 'a.png' in capsys.readouterr().out


def test_watch_and_export(calls, finished, tmp_path, monkeypatch):
  from tfacme import environments

  class Policy:
    def reset(self):
      pass

    def __call__(self, observation):
      return np.int32(1)

  monkeypatch.setattr(Run, 'policy', lambda self, checkpoint: Policy(), raising=False)
  monkeypatch.setattr(Run, 'environment', lambda self, seed: environments.make('bsuite:catch/0', seed), raising=False)
  monkeypatch.setattr(Run, 'export', lambda self, *given: calls.append((self.workdir, *given)), raising=False)
  assert cli.main(['watch', finished, '--out', str(tmp_path / 'a.gif')]) == 0
  assert (tmp_path / 'a.gif').read_bytes().startswith(b'GIF89a')
  assert cli.main(['export', finished, '--out', 'somewhere']) == 0
  assert cli.main(['export', finished, '--format', 'onnx', '--checkpoint', 'best']) == 0
  assert calls == [(finished, 'somewhere', None, None), (finished, 'policy.onnx', 'onnx', 'best')]


def test_graph(calls, tmp_path, monkeypatch):
  nodes = [picture.NodeInfo(f'actor-{index}', 'actor', index) for index in range(4)]
  program = types.ModuleType('tfacme.graph.program')
  program.graph = lambda made: picture.Graph(nodes[:made], ())
  monkeypatch.setitem(sys.modules, 'tfacme.graph.program', program)
  monkeypatch.setattr(graph, 'program', program, raising=False)
  monkeypatch.setitem(vars(tfacme), 'make_program', lambda experiment: experiment.layout.actors)
  assert cli.main(['graph', 'dqn', '--actors', '3', '--out', str(tmp_path / 'new' / 'a.svg')]) == 0
  assert 'actor × 3' in (tmp_path / 'new' / 'a.svg').read_text()
  (tmp_path / 'file').write_text('')
  assert cli.main(['graph', 'dqn', '--out', str(tmp_path / 'file' / 'a.svg')]) == 2
  assert cli.main(['graph', 'dqn', '--out', str(tmp_path / 'a.png')]) == 2


_TALKS = {
  '--help': (0, 'evaluate RUN'),
  'train --help': (0, 'dqn'),
  **{f'train {agent} --help': (0, '--networks.hidden_sizes {None}|{[INT [INT ...]]}') for agent in registry.names()},
  'evaluate --help': (0, '--json'),
  'check --help': (0, 'dqn'),
  'check dqn --help': (0, '--steps INT'),
  'deploy --help': (0, 'kubernetes AGENT'),
  'deploy slurm --help': (0, 'dqn'),
  'deploy slurm dqn --help': (0, '--cluster.cpus INT'),
  'agents': (0, 'dqn'),
  'envs': (0, 'bsuite:catch/0'),
  'status --help': (0, 'RUN'),
  'status nowhere': (2, ''),
  'train dqm': (2, ''),
  'train dqn --env bsuite:catch/0 --config.batch_size 0': (2, ''),
  'train dqn --env bsuite:catch/0 --networks.activation rel': (2, ''),
  'train bc --env bsuite:catch/0': (2, ''),
  'deploy slurm dqn --env bsuite:catch/0 --out there --gpus actor': (2, ''),
}
_ASK = """
import contextlib, io, json, os, sys
from tfacme import cli
answers = {}
for command in json.loads(sys.argv[1]):
  with contextlib.redirect_stdout(io.StringIO()) as output:
    try:
      code = cli.main(command.split())
    except SystemExit as exit:
      code = exit.code
  loaded = sorted({'tensorflow', 'reverb', 'launchpad', 'sonnet'} & set(sys.modules))
  answers[command] = (code, output.getvalue(), loaded)
assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '3'
print(json.dumps(answers))
"""


def test_what_only_talks_imports_no_tensorflow():
  command = [sys.executable, '-c', _ASK, json.dumps(list(_TALKS))]
  done = subprocess.run(command, capture_output=True, text=True, check=True)
  for command, (code, output, loaded) in json.loads(done.stdout).items():
    assert (command, code, loaded) == (command, _TALKS[command][0], [])
    assert _TALKS[command][1] in output
  assert done.stderr.count('\n') == 6  # One line for each of the mistakes, and no library's noise.


def test_as_a_module():
  done = subprocess.run([sys.executable, '-m', 'tfacme', 'evaluat'], capture_output=True, text=True, check=False)
  assert (done.returncode, done.stderr) == (2, "tfacme: There is no command 'evaluat'; did you mean evaluate?\n")


@pytest.mark.parametrize(
  'option, meant',
  [
    ('--config.lr', '--config.learning_rate'),
    ('--gamma', '--config.discount'),
    ('--config.tau', '--config.target_update_rate'),
  ],
)
def test_names_of_the_field_lead_to_an_agents_options(option, meant, capsys):
  assert cli.main(['train', 'dqn', '--env', 'bsuite:catch/0', option, '1']) == 2
  assert f'did you mean {meant}?' in capsys.readouterr().err


def test_help_shows_meanings_and_defaults(capsys):
  with pytest.raises(SystemExit) as exit_:
    cli.main(['train', 'dqn', '--help'])
  assert exit_.value.code == 0
  text = ' '.join(capsys.readouterr().out.replace('│', ' ').split())
  for option in ('--env STR', '--steps', '--seed INT', '--workdir', '--launch', '--actors INT', '--slots INT'):
    assert option in text
  assert 'number of actor nodes. (default: 1)' in text
  assert 'resumes from its last checkpoint' in text and 'threads (local_mt) or in processes (local_mp)' in text
  assert 'environment steps of all actors together, after which the run ends; None is 30,000, unless there are ' in text
  for field in dataclasses.fields(registry.config('dqn')):
    assert f'--config.{field.name}' in text, field
