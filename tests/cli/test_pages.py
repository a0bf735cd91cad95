"""The command line of a page."""

import pytest

import tfacme
from tfacme import cli, core, experiments, launching


class ToyBuilder(core.Builder):
  """Stands for a builder."""


_BUILDER = ToyBuilder()


def page(seed):
  return experiments.Experiment(
    builder=_BUILDER,
    environment=environment,
    networks=networks,
    budget=experiments.Budget(actor_steps=500 + seed),
    seed=seed,
    layout=experiments.Layout(slots=3),
    evaluation=experiments.Evaluation(episodes=5),
  )


def environment(seed):
  del seed


def networks(spec):
  del spec


@pytest.fixture
def calls(monkeypatch):
  made = []

  class Run:
    workdir = 'nowhere'

  def train(experiment, workdir, launch):
    made.append((experiment, workdir, launch))
    return Run()

  monkeypatch.setitem(vars(tfacme), 'train', train)
  monkeypatch.setitem(vars(launching), 'warm_up', lambda: made.append('warm_up'))
  return made


def test_defaults_are_the_pages(calls, capsys):
  assert cli.page(page, []) == 0
  assert calls == [(page(0), 'runs/toy-environment-seed0', 'inline')]
  assert 'No evaluation was made' in capsys.readouterr().out


def test_options(calls):
  command = '--seed 7 --launch=local_mp --actors 2 --evaluation.every 100 --workdir there'
  assert cli.page(page, command.split()) == 0
  assert calls[0] == 'warm_up'
  ((experiment, workdir, launch),) = calls[1:]
  assert (experiment.seed, experiment.budget.actor_steps) == (7, 507)
  assert experiment.layout == experiments.Layout(actors=2, slots=3)
  assert experiment.evaluation == experiments.Evaluation(every=100, episodes=5)
  assert (workdir, launch) == ('there', 'local_mp')
  cli.page(page, ['--steps', '9'])
  assert calls[-1][0].budget.actor_steps == 9


@pytest.mark.parametrize('command', ['--seed x', '--seed', '--actors 0', '--steps 0', '--step 3', '--launch x'])
def test_mistakes_are_one_line(calls, capsys, command):
  assert cli.page(page, command.split()) == 2
  captured = capsys.readouterr()
  assert captured.out == '' and captured.err.startswith('tfacme: ') and captured.err.count('\n') == 1
  assert calls == []


def test_help_has_the_pages_defaults(calls, capsys):
  with pytest.raises(SystemExit):
    cli.page(page, ['--help', '--seed', '2'])
  text = ' '.join(capsys.readouterr().out.replace('│', ' ').split())
  assert 'a run from recorded data. (default: 502)' in text
  assert 'number of actor nodes. (default: 1)' in text and '(default: 3)' in text
