"""What tfacme is compared with its peers by."""

import json
import subprocess
import sys

import pytest

from benchmarks import compare
from benchmarks.peers import works


def _row(steps=1000.0, updates=125.0, seconds=2.0):
  return {'steps': steps, 'updates': updates, 'seconds': seconds}


def test_every_work_has_its_contenders():
  for name, work in works.WORKS.items():
    commands = compare.contenders(name)
    assert len(commands) == 1 + len(work.engines) + len(work.peers)
    assert all(name in command for command in commands.values())


def test_what_is_measured_begins_once_it_has_warmed_up_and_learned():
  work = works.Work('dqn', 'CartPole-v1', (), warm=10, steps=100)
  window = works.Window(work)
  for steps, updates in ((5, 1), (30, 0), (31, 1), (80, 7), (131, 13), (400, 99)):
    assert not window.over or steps == 400
    window(steps, updates)
  result = window.result()
  assert (result['steps'], result['updates']) == (100, 12) and result['seconds'] > 0


def test_who_has_not_come_to_the_end_has_no_result():
  with pytest.raises(RuntimeError, match='ended before it had made its steps'):
    works.Window(works.WORKS['sac-pendulum']).result()


def test_other_work_is_not_compared():
  rows = {'tfacme': [_row(), _row()], 'SBX': [_row(updates=250.0), _row(updates=250.0)]}
  with pytest.raises(RuntimeError, match='SBX made 0.2500 updates for a step of sac-pendulum, and tfacme 0.1250'):
    compare.check_same('sac-pendulum', rows)
  compare.check_same('impala-catch', rows)  # Updates are what is counted there.


def test_ratios_are_of_runs_that_followed_each_other():
  rows = {'tfacme': [_row(seconds=s) for s in (1, 2, 4)], 'SBX': [_row(seconds=s) for s in (2, 6, 4)]}
  lines = compare.table({'sac-pendulum': rows}).splitlines()
  assert lines[2:] == [
    '| sac-pendulum | tfacme | 500 steps | 1.00 |',
    '| sac-pendulum | SBX | 250 steps | 2.00 |',
  ]


def test_a_contender_that_fails_says_why():
  with pytest.raises(RuntimeError, match='ended with exit code 1:(.|\n)*no such work'):
    compare.run([sys.executable, '-c', 'raise SystemExit("no such work")'])
  assert compare.run([sys.executable, '-c', 'print(1); print({})']) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
  'name, engine', [('dqn-catch', ()), ('dqn-catch', ('local_mp', '2', '1')), ('impala-catch', ())]
)
def test_tfacme_does_the_work(name, engine):
  code = (
    'import dataclasses, sys; sys.path[:0] = [sys.argv.pop(1)]; import ours, works; name = sys.argv[1]; '
    'works.WORKS[name] = dataclasses.replace(works.WORKS[name], warm=500, steps=1000); ours.main(*sys.argv[1:])'
  )
  folder = str(compare.ROOT / 'benchmarks' / 'peers')
  done = subprocess.run(
    [sys.executable, '-c', code, folder, name, *engine], capture_output=True, text=True, cwd=compare.ROOT
  )
  assert done.returncode == 0, done.stderr
  row = json.loads(done.stdout.splitlines()[-1])
  each = row['steps'] / row['updates']
  assert 1000 <= row['steps'] < 2000 and each == pytest.approx(works.WORKS[name].steps_per_update, rel=0.25)
