"""`--from FILE`: the options of a run that was."""

import dataclasses
import json
import logging
import sys

import pytest

import tfacme
from tfacme import cli, environments, experiments
from tfacme.agents import registry
from tfacme.cli import running
from tfacme.runs import describing


@pytest.fixture
def trained(monkeypatch):
  """The experiments of `train`, none of which runs."""
  made = []
  monkeypatch.setattr(running, 'run', lambda experiment, *_: made.append(experiment))
  return made


def _experiment(agent='dqn', config=None, networks=None, **parts):
  settings = dict(
    builder=registry.builder(agent, dataclasses.replace(registry.config(agent), **(config or {}))),
    networks=dataclasses.replace(registry.default_networks(agent), **(networks or {})),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=777),
    name=agent,
  )
  return experiments.Experiment(**{**settings, **parts})


def _written(tmp_path, experiment):
  path = tmp_path / 'experiment.json'
  path.write_text(json.dumps(describing.describe(experiment, 'local_mp')))
  return str(path)


def _train(*arguments):
  return cli.main(['train', 'dqn', '--env', 'gym:CartPole-v1', *arguments])


@pytest.mark.parametrize('agent', registry.names())
def test_a_run_of_every_agent_can_be_made_again(agent, trained, tmp_path):
  """With other values than the defaults, wherever a number or a choice between two can be another one."""
  first = _experiment(agent)
  changes = {}
  for field in dataclasses.fields(first.builder.config):
    value = getattr(first.builder.config, field.name)
    if isinstance(value, bool):
      changes[field.name] = not value
    elif field.name in ('learning_rate', 'epsilon'):
      changes[field.name] = (1e-3, 0.0, '50%')
    elif field.name == 'trace_length' and value is None:
      changes[field.name] = 8  # All that is of sequences asks for it.
  networks = {'hidden_sizes': (7, 5)}
  made = _experiment(
    agent,
    changes,
    networks,
    stack=2,
    layout=experiments.Layout(slots=3, updates_per_call=2, check_memory=False),
    evaluation=experiments.Evaluation(every=50, episodes=3),
    checkpointing=experiments.Checkpointing(keep=1, replay=False),
    logging=experiments.Logging(learner_every=7),
  )
  command = ['train', agent, '--env', 'bsuite:catch/1', '--from', _written(tmp_path, made)]
  if registry.about(agent).recorded:  # It has to say how long, and to have data.
    assert cli.main(command) == 2
    return
  assert cli.main(command) == 0
  (again,) = trained
  before, now = describing.describe(made, 'inline'), describing.describe(again, 'inline')
  for part in ('config', 'network_options', 'stack', 'budget', 'layout', 'evaluations', 'checkpointing', 'logging'):
    assert now[part] == before[part], part
  assert again.environment.id == 'bsuite:catch/1' and again.seed == 0


def test_the_command_line_wins(trained, tmp_path):
  path = _written(tmp_path, _experiment(config={'n_step': 5, 'batch_size': 16}, networks={'hidden_sizes': (7, 5)}))
  assert _train('--config.n-step', '2', f'--from={path}', '--steps', '50', '--networks.hidden-sizes', '3') == 0
  (made,) = trained
  assert (made.builder.config.n_step, made.builder.config.batch_size) == (2, 16)
  assert (made.budget.steps, tuple(made.networks.hidden_sizes), made.environment.id) == (50, (3,), 'gym:CartPole-v1')


def test_a_folder_and_a_part_of_a_file_will_do(trained, tmp_path):
  (tmp_path / 'experiment.json').write_text('{"config": {"n_step": 5, "max_abs_reward": "Infinity"}, "stack": 4}')
  assert _train('--from', str(tmp_path)) == 0
  (made,) = trained
  assert (made.builder.config.n_step, made.stack, made.budget.steps) == (5, 4, 30_000)
  assert made.builder.config.max_abs_reward == float('inf')


@pytest.mark.parametrize(
  'text, says',
  [
    (None, 'can not be read: No such file or directory'),
    ('{"config": ', 'is no JSON'),
    ('[1]', 'is to hold parts by their names'),
    ('{"config": {"unroll_length": 20}}', 'sets config.unroll_length to 20, which is no option of tfacme train dqn'),
    ('{"config": {"batch_size": 0}}', 'batch_size is 0, and has to be at least 1'),
    ('{"config": {"batch_size": "many"}}', "--config.batch_size takes INT, and 'many' is not that"),
  ],
)
def test_mistakes_are_one_line(text, says, trained, tmp_path, capsys):
  path = tmp_path / 'mine.json'
  if text is not None:
    path.write_text(text)
  assert _train('--from', str(path)) == 2
  said = capsys.readouterr().err
  assert says in said and said.count('\n') == 1 and trained == []


def test_what_only_python_can_give_is_named(trained, tmp_path, caplog):
  description = {
    'config': {'n_step': 5, 'shaping': 'mine:shape#0a1b'},
    'networks': 'mine:make',
    'network_options': None,
    'evaluations': [{'episodes': 3}, {'episodes': 4}],
  }
  (tmp_path / 'experiment.json').write_text(json.dumps(description))
  with caplog.at_level(logging.WARNING, 'tfacme'):
    assert _train('--from', str(tmp_path)) == 0
  assert trained[0].builder.config.n_step == 5 and trained[0].evaluation.episodes == 3
  assert [
    any(word in message for message in caplog.messages) for word in ('config.shaping', 'mine:make', '2 evalu')
  ] == ([True] * 3)


def test_pages_take_it_too(trained, tmp_path, monkeypatch):
  def page(seed, steps=300):
    return _experiment(config={'epsilon': (1.0, 0.1, steps)}, budget=tfacme.Budget(actor_steps=steps), seed=seed)

  path = _written(tmp_path, _experiment(config={'n_step': 5}, layout=experiments.Layout(slots=4)))
  written = json.loads((tmp_path / 'experiment.json').read_text())
  del written['config']['epsilon']
  (tmp_path / 'experiment.json').write_text(json.dumps(written))
  monkeypatch.setattr(sys, 'argv', ['page.py'])
  assert cli.page(page, ['--from', path, '--seed', '3']) == 0
  (made,) = trained
  assert (made.builder.config.n_step, made.layout.slots, made.seed, made.budget.steps) == (5, 4, 3, 777)
  assert made.builder.config.epsilon == (1.0, 0.1, 777)  # The page was told of the steps.


def test_a_choice_that_only_python_can_make_is_compared(trained, tmp_path, caplog):
  description = describing.describe(_experiment(), 'inline')
  (tmp_path / 'same.json').write_text(json.dumps(description))
  description['builder']['loss'] = 'mine:loss#0a1b'
  (tmp_path / 'other.json').write_text(json.dumps(description))
  with caplog.at_level(logging.WARNING, 'tfacme'):
    assert _train('--from', str(tmp_path / 'same.json')) == 0
    assert not caplog.messages
    assert _train('--from', str(tmp_path / 'other.json')) == 0
  assert 'has loss mine:loss#0a1b, for which there is no option: here it is ' in caplog.text
