"""What the README and the pages of docs/ say can be done, can be done."""

import dataclasses
import json
import pathlib
import re
import runpy
import subprocess
import sys

import pytest
from setuptools.config import pyprojecttoml

import tfacme
from tests import pages
from tests.pages import ROOT
from tfacme import environments, experiments, loggers
from tfacme.agents import dqn
from tfacme.runs import describing

README = (ROOT / 'README.md').read_text()
PAGES = ('docs/agents.md', 'docs/environments.md')
DOCUMENTS = (
  'README.md',
  'CONTRIBUTING.md',
  'docs/agents.md',
  'docs/clusters.md',
  'docs/debugging.md',
  'docs/deploying.md',
  'docs/design.md',
  'docs/environments.md',
  'docs/faults.md',
  'docs/gpus.md',
  'docs/research.md',
  'docs/runs.md',
  'docs/security.md',
  'docs/serving.md',
  'docs/tracking.md',
)


def test_its_make_targets_exist():
  targets = [command.split()[1] for command in pages.commands(README) if command.startswith('make ')]
  assert targets == ['demo', 'test']
  makefile = (ROOT / 'Makefile').read_text()
  for target in [*targets, 'test-all', 'format', 'build-files', 'lock']:
    assert re.search(rf'^{target}:', makefile, flags=re.MULTILINE), target


def test_its_links_lead_somewhere():
  for page in [*(ROOT / document for document in DOCUMENTS), *(ROOT / 'tfacme' / 'agents').glob('*/README.md')]:
    for link in re.findall(r'\]\((?!http)([^)#]+)\)', page.read_text()):
      assert (page.parent / link).exists(), f'{page}: {link}'


def test_the_rooms_are_those_of_the_rule_for_imports():
  layers = pyprojecttoml.load_file(ROOT / 'pyproject.toml')['tool']['importlinter']['contracts'][0]['layers']
  rule = {name.strip(): number for number, layer in enumerate(layers) for name in layer.split(':')}
  (block,) = re.findall(r'holds that\):\n\n((?:    .*\n)+)', (ROOT / 'docs' / 'design.md').read_text())
  lines = [re.split('  +', line.strip())[0].split(', ') for line in block.splitlines()]
  told = [f'tfacme.{name.removesuffix(".py")}' for line in lines for name in line]
  here = {path.stem for path in (ROOT / 'tfacme').iterdir() if path.suffix == '.py' or (path / '__init__.py').exists()}
  assert set(told) == set(rule) == {f'tfacme.{name}' for name in here - {'__init__', '__main__'}}
  assert [rule[name] for name in told] == sorted(rule[name] for name in told)


@pytest.mark.parametrize('document', DOCUMENTS)
def test_the_files_that_it_names_exist(document):
  for path in re.findall(r'`((?:[\w*]+/)+[\w*]+\.py)`', (ROOT / document).read_text()):
    assert list((ROOT / 'tfacme').glob(path)) or list(ROOT.glob(path)) or path.startswith('programs/DOMAIN'), path


def _curves():
  """(page, folder of its results) of every command that made a curve."""
  for page in sorted((ROOT / 'tfacme' / 'agents').glob('*/README.md')):
    for arguments in re.findall(r'python benchmarks/curves.py ([^`]*)', page.read_text()):
      pages = re.findall(r'\S+\.py', arguments)
      (out,) = re.findall(r'--out (\S+)', arguments)
      for name in map(pathlib.Path, pages):
        yield str(name), out if len(pages) == 1 else f'{out}/{name.parent.name}-{name.stem}'


@pytest.mark.parametrize('page, out', sorted(set(_curves())))
def test_a_curve_was_made_with_the_settings_of_its_page(page, out):
  make = runpy.run_path(str(ROOT / page))['experiment']
  results = sorted((ROOT / out).glob('seed*.json'))
  assert len(results) >= 3
  for result in results:
    recorded = json.loads(result.read_text(), parse_constant=str)
    experiment = make(seed=recorded['seed'])
    described = describing.describe(experiment, recorded['launch'])
    assert recorded['config'] == {name: described['config'][name] for name in recorded['config']}
    assert (recorded['environment'], recorded['budget']) == (described['environment'], described['budget'])
    evaluation = dict(recorded.get('evaluation') or recorded['evaluations'][0])
    # The limit of an episode's length has got a default by the budget since; no episode came near either of the two.
    limit = evaluation.pop('max_episode_steps', None) or experiments.MAX_EPISODE_STEPS
    lengths = [float(row['episode_length']) for row in loggers.read(str(result.with_suffix('.csv')))]
    assert 2 * max(lengths) <= min(limit, experiment.evaluations[0].longest(experiment.budget))
    assert evaluation == {name: described['evaluations'][0][name] for name in evaluation}


@pytest.mark.slow
def test_its_commands_run(tmp_path):
  commands = [command for command in pages.commands(README) if not command.startswith('make ')]
  assert len(commands) >= 10
  pages.call_commands(commands, tmp_path)
  for made in ('curve.png', 'catch.gif', 'graph.svg', 'policy/saved_model.pb', 'page/policy/saved_model.pb'):
    assert (tmp_path / 'runs' / made).exists(), made


@pytest.mark.slow
@pytest.mark.parametrize('page', PAGES)
def test_the_commands_of_a_page_run(page, tmp_path):
  commands = pages.commands((ROOT / page).read_text())
  assert commands
  pages.call_commands(commands, tmp_path)


def test_the_page_of_environments_runs():
  page = (ROOT / 'docs' / 'environments.md').read_text()
  names = {}
  for block in pages.blocks('python', page):
    exec(block, names)  # pylint: disable=exec-used
  assert names['environment'].observation_spec().num_values == 64
  assert names['taxi'](0).observation_spec()['action_mask'].shape == (6,)
  fields = [field.name for field in dataclasses.fields(environments.Options)]
  listed = page.partition('`environments.Options` lists them: ')[2].partition('. The wrappers')[0]
  assert re.findall(r'`(\w+)`', listed) == fields


def test_the_page_of_runs_names_every_file_and_column_of_a_run(tmp_path):
  experiment = tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=20, batch_size=8)),
    networks=dqn.mlp_networks((4,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=100),
    layout=tfacme.Layout(replay='reverb'),
  )
  tfacme.train(experiment, str(tmp_path), launch='local_mt', progress=False)
  page = (ROOT / 'docs' / 'runs.md').read_text()
  tree = page.partition('## Its folder')[2].partition('##')[0]
  of_all, *sections = page.partition('## The columns')[2].split('`logs/')
  assert sorted(re.findall(r'^      (\w[\w.-]*)', tree, re.MULTILINE)) == sorted(
    path.name for path in tmp_path.iterdir()
  )

  assert pages.columns(of_all) == set(loggers.COLUMNS)
  for section, node in zip(sections, ('actor-0', 'learner', 'evaluator'), strict=True):
    assert section.startswith(f'{node}.csv')
    told = pages.columns(of_all) | pages.columns(section) | (pages.measured('dqn') if node == 'learner' else set())
    # Of agents whose table is a queue, and of runs that are told to.
    of_others = {'queue_size', 'queue_samples_per_insert', 'fitted_q', 'fitted_q_change', 'fitted_q_loss'}
    assert told - of_others == loggers.read(str(tmp_path / 'logs' / f'{node}.csv'))[0].keys()


@pytest.mark.slow
def test_its_python_runs(tmp_path):
  (block,) = pages.blocks('python', README)
  ended = subprocess.run([sys.executable, '-c', block], cwd=tmp_path, capture_output=True, text=True, timeout=200)
  assert ended.returncode == 0, ended.stderr
  assert float(ended.stdout.strip().splitlines()[-1]) >= 0.9


@pytest.mark.slow
def test_the_agent_of_contributing_runs(tmp_path):
  (block,) = pages.blocks('python', (ROOT / 'CONTRIBUTING.md').read_text())
  run = f'{block}\nrun = tfacme.train(experiment, {str(tmp_path / "run")!r})\nprint(run.description)'
  ended = subprocess.run([sys.executable, '-c', run], cwd=tmp_path, capture_output=True, text=True, timeout=200)
  assert ended.returncode == 0, ended.stderr
  assert "'scale': 10.0" in ended.stdout and "'type': 'DQNBuilder'" in ended.stdout
