"""`tfacme logs`: the newest rows of a log."""

import pytest

import tfacme
from tests.contract import environment, noisy
from tfacme import cli
from tfacme.cli import logs


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  folder = str(tmp_path_factory.mktemp('logs') / 'run')
  tfacme.train(noisy.experiment(), folder, progress=False)
  return folder


def _printed(capsys, monkeypatch, *arguments, width=100):
  monkeypatch.setenv('COLUMNS', str(width))
  code = cli.main(['logs', *arguments])
  out, err = capsys.readouterr()
  return code, out.splitlines(), err


def test_all_logs_are_listed(run, capsys, monkeypatch):
  code, lines, _ = _printed(capsys, monkeypatch, run)
  assert code == 0 and lines[0].split() == ['node', 'rows', 'last', 'columns']
  assert [line.split()[0] for line in lines[1:] if line[0] != ' '] == ['actor-0', 'evaluator', 'learner']


def test_the_newest_rows_are_shown_with_what_there_is_room_for(run, capsys, monkeypatch):
  code, lines, _ = _printed(capsys, monkeypatch, run, 'learner', '--last', '3')
  assert code == 0 and len(lines) == 5 and max(map(len, lines[:4])) <= 100
  assert lines[0].startswith('learner_steps')
  assert lines[4].startswith('There is no room for ') and lines[4].endswith(' (--columns).')
  _, wide, _ = _printed(capsys, monkeypatch, run, 'learner', '--last', '3', width=1000)
  assert len(wide) == 4


def test_columns_can_be_chosen(run, capsys, monkeypatch):
  code, lines, _ = _printed(capsys, monkeypatch, run, 'evaluator', '--last', '1', '--columns', 'episode_return')
  assert code == 0 and lines[0].split() == ['episode_return'] and len(lines) == 2
  assert float(lines[1]) <= environment.BEST


@pytest.mark.parametrize(
  'arguments, says',
  [
    (['learne'], 'no log of the run in'),
    (['learner', '--columns', 'losses'], 'no column of this log'),
    (['learner', '--last', '0'], 'last is 0'),
  ],
)
def test_mistakes_are_one_line(arguments, says, run, capsys, monkeypatch):
  code, _, err = _printed(capsys, monkeypatch, run, *arguments)
  assert code == 2 and says in err and err.count('\n') <= 2


@pytest.mark.parametrize(
  'column, text, shown',
  [('loss', '0.123456', '0.1235'), ('learner_steps', '12345', '12,345'), ('loss', '1e-08', '1e-08'), ('env', 'a', 'a')],
)
def test_numbers_have_the_digits_that_matter(column, text, shown):
  assert logs._shown(column, text) == shown
