"""From what an experiment says of its loggers to those of a node."""

import dataclasses
import importlib.util

import cloudpickle
import pytest

from tests.contract import on_policy
from tfacme import errors, experiments, loggers
from tfacme.loggers import base
from tfacme.runs import describing


@dataclasses.dataclass(frozen=True)
class Noting:
  """Makes a logger whose events it keeps."""

  events: list
  ready: bool = False

  def prepared(self, log):
    self.events.append(('prepared', log.name, log.run_id))
    return dataclasses.replace(self, ready=True)

  def ended(self, log, finished):
    self.events.append(('ended', log.run_id, finished))

  def __call__(self, log):
    assert self.ready
    return base.MemoryLogger()


def test_the_csv_file_is_always_there(tmp_path):
  rows = []
  each = loggers.EachRow(lambda name, row: rows.append((name, row)))
  logger = loggers.make_logger((each,), loggers.Log('learner', str(tmp_path), 'one'))
  logger.write({'learner_steps': 1, 'loss': 0.5})
  logger.close()
  (written,) = loggers.read(tmp_path / 'learner.csv')
  ((name, row),) = rows
  assert name == 'learner' and written == {key: str(value) for key, value in row.items()}


def test_makers_learn_of_a_runs_beginning_and_end(tmp_path):
  events, log = [], loggers.Log('', str(tmp_path), 'one')
  logged = loggers.OfRun([Noting(events)], log)
  with logged.running(1.0):
    events.append('runs')
    sent = cloudpickle.loads(cloudpickle.dumps(logged))  # Other processes get what was prepared.
    sent.logger('learner').close()
  with pytest.raises(ZeroDivisionError), loggers.OfRun([Noting(events)], log).running(1.0):
    raise ZeroDivisionError
  assert events == [
    *(('prepared', '', 'one'), 'runs', ('ended', 'one', True)),
    *(('prepared', '', 'one'), ('ended', 'one', False)),
  ]


@pytest.mark.parametrize(
  ('given', 'message'),
  [
    (['tensorboard'], "Among the loggers is 'tensorboard'"),
    ([lambda name, row: None], r'goes in loggers.EachRow\(function\)'),
    ([loggers.TensorBoard], 'Among the loggers is .*such as loggers.TensorBoard()'),
    ([loggers.WandB], 'Among the loggers is'),
    (loggers.TensorBoard(), 'has to be a list'),
    ('tensorboard', 'has to be a list'),
  ],
)
def test_mistakes_are_one_sentence(given, message):
  with pytest.raises(errors.UserError, match=message):
    dataclasses.replace(on_policy.experiment(), loggers=given)
  with pytest.raises(errors.UserError, match='EachRow has 3'):
    loggers.EachRow(3)


@pytest.mark.parametrize('package, kind', [('wandb', loggers.WandB), ('mlflow', loggers.MLflow)])
def test_a_tracker_that_is_not_installed(package, kind, monkeypatch):
  found = importlib.util.find_spec
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None if name == package else found(name))
  with pytest.raises(errors.UserError, match=rf'package {package}, .* with the extra trackers '):
    kind()


def test_a_description_says_which(tmp_path):
  def show(name, row):
    del name, row

  makers = [loggers.TensorBoard(), loggers.EachRow(show)]
  described = describing.describe(dataclasses.replace(on_policy.experiment(), loggers=makers), 'inline')
  first, second = described['loggers']
  assert first == 'TensorBoard()' and second.startswith('EachRow(function=') and 'show' in second
  assert describing.describe(on_policy.experiment(), 'inline')['loggers'] == ['TensorBoard()']
  assert 'loggers' not in experiments.identity(described)
  assert cloudpickle.loads(cloudpickle.dumps(makers))[0] == loggers.TensorBoard()


def test_a_command_line_chooses_by_name():
  own = loggers.EachRow(print)
  board = loggers.TensorBoard()
  assert loggers.chosen((), ['tensorboard']) == (board,)
  assert loggers.chosen((), []) == ()
  page = (own, board)
  assert loggers.names(page) == ('tensorboard',)
  assert loggers.chosen(page, loggers.names(page)) == page
  assert loggers.chosen(page, ()) == (own,)
