"""`tfacme status`: how a run stands, as another process sees it."""

import json
import os
import platform
import signal
import subprocess
import sys
import time

import pytest

import tfacme
from tests.contract import environment, noisy
from tests.programs import processes
from tfacme import cli
from tfacme.cli import status as status_command
from tfacme.runs import status as status_lib

_AT = 1_000_000.0


def _node(**changes):
  return {'counts': {}, 'restarts': 0, 'lost': False, 'finished': False, 'silent_seconds': 0.1, **changes}


def _told(seconds, acted, learned, notes=(), **nodes):
  """What a run of 1,000 steps says that many seconds after it began."""
  status = {
    'unit': 'actor_steps',
    'steps': acted,
    'budget': 1000,
    'totals': {'actor_steps': acted, 'actor_episodes': 3, 'learner_steps': learned},
    'notes': dict(notes),
    'nodes': nodes,
  }
  return status_lib.Told(_AT + seconds, platform.node(), os.getpid(), status)


def _rows(first, last, one_thread=False):
  """The table of nodes: {node: {column: cell}}."""
  table = status_command._nodes(first, last, one_thread)
  columns = [(column.header, [cell.plain for cell in column._cells]) for column in table.columns]
  return {name: {header: cells[i] for header, cells in columns[1:]} for i, name in enumerate(columns[0][1])}


def test_each_node_has_what_it_made_since_and_what_it_does_or_waits_for():
  first = _told(
    0, 400, 50, **{'actor-0': _node(counts={'actor_steps': 300}), 'learner': _node(counts={'learner_steps': 50})}
  )
  last = _told(
    4,
    480,
    60,
    notes={
      'actor-0': {'host': 'a', 'process': 7},
      'actor-1': {'host': 'b', 'process': 8, 'hangs_in': 'environment.step', 'hangs_seconds': 75.0},
      'actor-2': {'host': 'b', 'process': 9},
      'learner': {'host': 'a', 'process': 6, 'blocked': 'the rate limiter', 'blocked_seconds': 12.2},
      'evaluator': {'host': 'a', 'process': 5, 'evaluating': {'episodes': 3, 'of': 20}},
      'saver': {'host': 'a', 'process': 4, 'doing': 'saving a checkpoint'},
    },
    **{
      'actor-0': _node(counts={'actor_steps': 380}, silent_seconds=61.0),
      'actor-1': _node(counts={'actor_steps': 100}, restarts=2),
      'actor-2': _node(lost=True),
      'learner': _node(counts={'learner_steps': 60}),
      'evaluator': _node(finished=False),
      'saver': _node(),
    },
  )
  rows = _rows(first, last)
  assert rows['actor-0'] == {
    **{'host': 'a', 'process': '7', 'made anew': '', 'steps': '380', 'a second': '20'},
    'now': 'nothing was heard of it for 1 min 1 s',
  }
  assert (rows['actor-1']['made anew'], rows['actor-1']['a second']) == ('2 times', '')  # It is new.
  assert {name: row['now'] for name, row in rows.items() if name != 'actor-0'} == {
    'actor-1': 'in environment.step for 1 min 15 s',
    'actor-2': 'lost, and made anew',
    'learner': 'waits for the rate limiter, for 12 s',
    'evaluator': 'evaluates: 3 of 20 episodes',
    'saver': 'saving a checkpoint',
  }
  assert rows['learner']['a second'] == '2'  # 10 in 4 seconds
  # In one thread all but one are silent; and what is alike everywhere is left out.
  here = _told(4, 480, 60, notes={'actor-0': {'host': 'a', 'process': 7}}, **{'actor-0': _node(silent_seconds=61.0)})
  assert _rows(first, here, one_thread=True) == {'actor-0': {'now': 'works'}}


def _write(folder, told):
  (folder / 'experiment.json').write_text(
    json.dumps({'agent': 'dqn', 'environment': 'bsuite:catch/0', 'launch': 'local_mp'})
  )
  (folder / status_lib.FILE).write_text(json.dumps(told._asdict()))


def test_of_a_run_that_is_over_or_elsewhere_it_says_since_when(tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(status_command, '_LONGEST_SECONDS', 0.0)
  over = subprocess.Popen([sys.executable, '-c', ''])
  over.wait()
  told = _told(0, 400, 50, **{'actor-0': _node(counts={'actor_steps': 400})})._replace(time=time.time() - 125)
  for changed, says in (
    ({'process': over.pid}, 'It does not run; it ended 2 min 5 s ago.'),
    ({'host': 'another'}, f'It was last heard of 2 min 5 s ago, as process {os.getpid()} on another.'),
    ({}, f'It runs as process {os.getpid()} on {platform.node()}; this is of 2 min 5 s ago.'),
  ):
    _write(tmp_path, told._replace(**changed))
    assert cli.main(['status', str(tmp_path)]) == 0
    opening, standing, *facts = capsys.readouterr().out.splitlines()
    assert opening == f'dqn on bsuite:catch/0 in {tmp_path} (local_mp)' and standing == says
    assert any('400 of 1,000 environment steps' in line for line in facts)
    assert any(line.split() == ['actor-0', '400', 'works'] for line in facts)


def test_what_is_no_run_or_has_said_nothing_is_one_line(tmp_path, capsys):
  assert cli.main(['status', str(tmp_path)]) == 2
  assert 'is not the folder of a run' in capsys.readouterr().err
  (tmp_path / 'experiment.json').write_text('{}')
  assert cli.main(['status', str(tmp_path)]) == 2
  assert capsys.readouterr().err == f'tfacme: The run in {tmp_path} has said nothing of itself yet.\n'


def test_a_run_leaves_how_it_ended(tmp_path):
  tfacme.train(noisy.experiment(), str(tmp_path), progress=False)
  told = status_lib.read(str(tmp_path))
  assert (told.process, told.running) == (os.getpid(), True)  # This process goes on.
  assert told.status['steps'] == told.status['budget'] == noisy.experiment().budget.steps
  assert told.status['nodes']['learner']['counts']['learner_steps'] == told.status['totals']['learner_steps'] > 0
  assert all(node['finished'] for node in told.status['nodes'].values())
  assert not list(tmp_path.glob('*.partial'))


def test_statuses_are_written_every_other_second_and_a_full_disk_ends_nothing(tmp_path):
  seconds = [0.0]
  writer = status_lib.Writer(str(tmp_path), clock=lambda: seconds[0])
  for seconds[0], steps, written in ((0.0, 1, 1), (1.9, 2, 1), (2.0, 3, 3), (2.1, 4, 3)):
    writer({'steps': steps})
    assert status_lib.read(str(tmp_path)).status['steps'] == written
  writer.close()
  assert status_lib.read(str(tmp_path)).status['steps'] == 4
  status_lib.Writer(str(tmp_path / 'is not there'))({'steps': 1})


@pytest.mark.slow
def test_a_run_in_processes_is_seen_from_another_terminal(tmp_path):
  command = processes.tfacme(
    *('train', 'dqn', '--env', f'{environment.__name__}:TwoStates', '--steps', '10000000', '--actors', '2'),
    *('--launch', 'local_mp', '--workdir', str(tmp_path)),
  )
  command.wait_for(tmp_path / 'logs' / 'learner.csv', 2)
  ended = processes.run('status', str(tmp_path))
  lines = ended.out.splitlines()
  assert ended.code == 0, ended.err
  assert f'It runs as process {command.process.pid} on {platform.node()}; this is of ' in lines[1]
  for name in ('actor-0', 'actor-1', 'learner'):
    (line,) = [line for line in lines if line.startswith(f'{name} ')]
    process, steps, rate = line.split()[1:4]
    assert int(process) == command.named(name)
    assert int(steps.replace(',', '')) > 0 and int(rate.replace(',', '')) > 0
  command.process.send_signal(signal.SIGTERM)
  assert command.wait(60).code == 143
  assert 'It does not run; it ended ' in processes.run('status', str(tmp_path)).out
