"""The command line of a page."""

import dataclasses
from typing import Any

import pytest

import tfacme
from tests.contract import environment as toys
from tfacme import cli, core, datasets, environments, experiments, launching, loggers


@dataclasses.dataclass(frozen=True)
class Config:
  """Numbers."""

  rate: float = 0.5
  """Of something."""


@dataclasses.dataclass(frozen=True)
class Loss:
  """A choice that is a dataclass."""

  temperature: float = 1.0
  """How soft."""

  def __call__(self):
    """None."""


@dataclasses.dataclass(frozen=True)
class ToyBuilder(core.Builder):
  """Stands for a builder."""

  config: Config = Config()
  loss: Any = None


@dataclasses.dataclass(frozen=True)
class Networks:
  """Makes networks.

  Attributes:
    units: of each layer.
  """

  units: int = 3

  def __call__(self, spec):
    """None."""


def page(seed):
  return experiments.Experiment(
    builder=ToyBuilder(Config(rate=0.125)),
    environment=environment,
    networks=Networks(units=7),
    budget=experiments.Budget(actor_steps=500 + seed),
    seed=seed,
    layout=experiments.Layout(slots=3),
    evaluation=experiments.Evaluation(episodes=5),
  )


def environment(seed):
  del seed


@pytest.fixture
def calls(monkeypatch):
  made = []

  def train(experiment, workdir, launch, debug, profile):
    made.append((experiment, workdir, launch))

  monkeypatch.setitem(vars(tfacme), 'train', train)
  monkeypatch.setitem(vars(launching), 'warm_up', lambda: made.append('warm_up'))
  return made


def test_defaults_are_the_pages(calls):
  assert cli.page(page, []) == 0
  assert calls == [(page(0), 'runs/toy-environment-seed0', 'inline')]


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


def test_loggers_by_name_and_a_pages_own(calls):
  own = loggers.EachRow(print)
  tracked = lambda seed: dataclasses.replace(page(seed), loggers=[loggers.TensorBoard(), own])
  for arguments, made in (([], (loggers.TensorBoard(), own)), (['--loggers'], (own,))):
    assert cli.page(tracked, arguments) == 0
    assert calls[-1][0].loggers == made


def test_the_pages_config_and_networks_are_options(calls, capsys):
  assert cli.page(page, '--config.rate 0.25 --networks.units 9'.split()) == 0
  assert calls[-1][0].builder == ToyBuilder(Config(rate=0.25)) and calls[-1][0].networks == Networks(9)
  with pytest.raises(SystemExit):
    cli.page(page, ['--help'])
  text = ' '.join(capsys.readouterr().out.replace('│', ' ').split())
  assert '--config.rate FLOAT Of something. (default: 0.125)' in text
  assert '--networks.units INT of each layer. (default: 7)' in text


def test_so_are_the_builders_other_choices_that_are_dataclasses(calls, capsys):
  def chosen(seed):
    return dataclasses.replace(page(seed), builder=ToyBuilder(loss=Loss(2.0)))

  assert cli.page(chosen, '--loss.temperature 3 --config.rate 0.25'.split()) == 0
  assert calls[-1][0].builder == ToyBuilder(Config(rate=0.25), Loss(3.0))
  cli.page(chosen, [])
  assert calls[-1][0].builder == ToyBuilder(loss=Loss(2.0))
  with pytest.raises(SystemExit):
    cli.page(chosen, ['--help'])
  assert '--loss.temperature FLOAT How soft. (default: 2.0)' in ' '.join(
    capsys.readouterr().out.replace('│', ' ').split()
  )
  assert cli.page(page, ['--loss.temperature', '3']) == 2  # The page chooses none.


def test_so_is_what_an_environment_with_an_id_is_made_with(calls):
  def catch(seed):
    return dataclasses.replace(page(seed), environment=environments.factory('bsuite:catch/0', step_limit=5))

  assert cli.page(catch, ['--env.frame-stack', '2']) == 0
  assert calls[-1][0].environment == environments.factory('bsuite:catch/0', step_limit=5, frame_stack=2)


def test_so_are_those_of_an_agent_inside_another(calls):
  def wrapped(seed):
    builder = core.BuilderWrapper(ToyBuilder(Config(rate=0.125)))
    return dataclasses.replace(page(seed), builder=builder, networks=lambda spec: None)

  assert cli.page(wrapped, ['--agent.config.rate', '0.25']) == 0
  assert calls[-1][0].builder == core.BuilderWrapper(ToyBuilder(Config(rate=0.25)))


@dataclasses.dataclass(frozen=True)
class Imitating(core.BuilderWrapper):
  """Has recorded data, and a field that is named as an option of every page."""

  demonstrations: Any = None
  networks: Any = None


def test_recorded_data_and_what_is_named_as_another_option_have_none(calls):
  data, own = datasets.memory(toys.record(2)), Networks(units=1)

  def imitating(seed):
    return dataclasses.replace(page(seed), builder=Imitating(ToyBuilder(), demonstrations=data, networks=own))

  assert cli.page(imitating, ['--agent.config.rate', '0.25', '--networks.units', '9']) == 0
  made = calls[-1][0]
  assert made.builder.demonstrations is data and made.builder.networks is own
  assert made.networks == Networks(units=9) and made.builder.agent == ToyBuilder(Config(rate=0.25))


@pytest.mark.parametrize(
  'command',
  ['--seed x', '--seed', '--actors 0', '--steps 0', '--step 3', '--launch x', '--config.rate x', '--networks.depth 3'],
)
def test_mistakes_are_one_line(calls, capsys, command):
  assert cli.page(page, command.split()) == 2
  captured = capsys.readouterr()
  assert captured.out == '' and captured.err.startswith('tfacme: ') and captured.err.count('\n') == 1
  assert calls == []


def test_help_has_the_pages_defaults(calls, capsys):
  with pytest.raises(SystemExit):
    cli.page(page, ['--help', '--seed', '2'])
  text = ' '.join(capsys.readouterr().out.replace('│', ' ').split())
  assert 'a run from recorded data (--learner-steps is another name of those). (default: 502)' in text
  assert 'number of actor nodes. (default: 1)' in text and '(default: 3)' in text


def test_options_of_the_evaluation_are_those_of_the_first(calls):
  listed = [experiments.Evaluation(episodes=5), experiments.Evaluation(name='hard', environment=environment)]

  def several(seed):
    return dataclasses.replace(page(seed), evaluation=listed)

  assert cli.page(several, ['--evaluation.every', '100']) == 0
  assert calls[0][0].evaluation == [experiments.Evaluation(every=100, episodes=5), listed[1]]


# --- Recorded data ---


@pytest.fixture
def folders(tmp_path):
  """The names of three folders that look like data sets."""
  for name in ('one', 'two', 'three'):
    (tmp_path / name).mkdir()
    for file in ('dataset_info.json', 'features.json'):
      (tmp_path / name / file).write_text('{}')
  return [str(tmp_path / name) for name in ('one', 'two', 'three')]


def _rlds(path, **options):
  return datasets.rlds(path, options=datasets.Options(**options))


def test_the_recorded_data_of_a_page_are_read_as_options_say(calls, folders):
  one, two, three = folders
  own = _rlds(one, best=0.5)
  offline = lambda seed: dataclasses.replace(page(seed), dataset=own, budget=experiments.Budget(learner_steps=9))
  for options, dataset in (
    ('', own),
    ('--dataset.episodes 7', _rlds(one, best=0.5, episodes=7)),
    (f'--dataset {two}', _rlds(two, best=0.5)),
    (
      f'--dataset {two} {three} --dataset.best None --dataset.shares 1 3',
      datasets.several([_rlds(two), _rlds(three)], [1, 3]),
    ),
  ):
    assert cli.page(offline, options.split()) == 0
    assert calls[-1][0] == dataclasses.replace(offline(0), dataset=dataset)


def test_learner_steps_of_a_page_have_the_name_that_they_have_in_train(calls, capsys):
  def offline(seed, steps=9):
    return dataclasses.replace(page(seed), budget=experiments.Budget(learner_steps=steps), stack=steps)

  for options in ('--learner-steps 20', '--learner_steps=20', '--steps 20'):
    assert cli.page(offline, options.split()) == 0
    assert (calls[-1][0].budget.learner_steps, calls[-1][0].stack) == (20, 20)  # The page has them before.
  assert cli.page(page, ['--learner-steps', '20']) == 2
  assert 'has actors, whose environment steps it counts: say --steps N.' in capsys.readouterr().err


def test_recorded_data_beside_actors(calls, folders):
  one, two, three = folders
  assert cli.page(page, f'--dataset {one} --dataset-share 0.5 --prefill {two} --dataset.split test'.split()) == 0
  own = dict(dataset=_rlds(one, split='test'), dataset_share=0.5, prefill=_rlds(two, split='test'))
  assert calls[-1][0] == dataclasses.replace(page(0), **own)
  shared = lambda seed: dataclasses.replace(page(seed), **own)
  assert cli.page(shared, []) == 0 and calls[-1][0] == shared(0)
  assert cli.page(shared, f'--prefill {three} --dataset-share 0.25'.split()) == 0
  changed = dataclasses.replace(shared(0), prefill=_rlds(three, split='test'), dataset_share=0.25)
  assert calls[-1][0] == changed
  assert cli.page(shared, '--dataset --dataset-share None'.split()) == 0
  assert calls[-1][0] == dataclasses.replace(shared(0), dataset=None, dataset_share=None)


def test_recorded_data_that_options_can_not_name_stay(calls, folders, capsys):
  one, two, _ = folders
  data, other = datasets.memory(toys.record(2)), _rlds(one, best=0.5)
  made = lambda seed: dataclasses.replace(page(seed), dataset=data)
  assert cli.page(made, []) == 0 and calls[-1][0].dataset is data
  assert cli.page(made, ['--prefill', two, '--dataset.episodes', '3']) == 0
  assert calls[-1][0].dataset is data and calls[-1][0].prefill == _rlds(two, episodes=3)
  assert cli.page(made, ['--dataset', two]) == 0 and calls[-1][0].dataset == _rlds(two)
  differing = lambda seed: dataclasses.replace(page(seed), dataset=_rlds(two), prefill=other)
  assert cli.page(differing, ['--dataset.episodes', '3']) == 0
  assert calls[-1][0].dataset == _rlds(two, episodes=3) and calls[-1][0].prefill == other
  for arguments, says in (
    (['--dataset.best', '0.5'], '--dataset.best is of recorded data: give some (--dataset, or --prefill).'),
    (['--dataset', 'nowhere'], 'There is no folder nowhere to read a data set from.'),
  ):
    assert cli.page(made, arguments) == 2
    assert capsys.readouterr().err == f'tfacme: {says}\n'
