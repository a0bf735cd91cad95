"""The table of what happens when a part of a run is killed."""

import json
import pathlib

import pytest

from benchmarks import faults, victims
from tests import pages

_RESULTS = pages.ROOT / 'benchmarks' / 'results' / 'faults.json'


def test_the_page_has_what_was_measured():
  results = json.loads(_RESULTS.read_text())
  _, _, rest = faults.PAGE.read_text().partition('<!-- tables -->\n')
  assert rest.partition('\n<!-- end -->')[0] == faults.tables(results)
  assert set(results) == set(faults.NODES)


@pytest.mark.parametrize('launch', faults.NODES)
def test_runs_came_to_their_end_whatever_was_killed(launch):
  results, options = json.loads(_RESULTS.read_text())[launch], faults.Options(launch=launch)
  assert set(results['one']) == set(faults.NODES[launch])
  for node, row in results['one'].items():
    assert row['began_again'] == int(node in victims.CORE)
    assert row['made_anew'] or row['began_again'] or node == faults.LAUNCHER
    assert (row['exit_code'], row['left'], row['steps']) == (0, 0, options.steps)
    # Ray calls a host that does not answer lost after a minute or so; all others go on meanwhile.
    assert (
      row['seconds'] <= (120 if node == victims.HOST else 60)
      and row['return'] >= 0.8
      and row.get('left_after_seconds', 0) <= 10
    )
  any_of = results['any']
  assert (any_of['exit_code'], any_of['left'], any_of['steps']) == (0, 0, faults.RANDOM_STEPS[launch])
  assert len(any_of['kills']) == options.kills
  # What is killed while a run begins again has it begin once more.
  assert any_of.get('longest_after_a_kill_seconds', any_of['longest_stand_seconds']) <= 60 and any_of['return'] >= 0.8


def test_the_tables_are_of_the_numbers(tmp_path):
  ended = {'exit_code': 0, 'steps': 4000, 'return': 1.0, 'made_anew': 1, 'began_again': 0, 'left': 0}
  again = {**ended, 'made_anew': 0, 'began_again': 1}
  command = {'node': faults.LAUNCHER, 'seconds': 9.0, 'steps_lost': 17, 'left_after_seconds': 0.4}
  local = {
    'one': {
      'actor-0': {'node': 'actor-0', 'seconds': 2.2, **ended},
      'replay': {'node': 'replay', 'seconds': 9.8, 'steps_lost': 1234, **again, 'left': 1},
      faults.LAUNCHER: {**command, **ended, 'made_anew': 0},
    },
    'any': {'kills': ['actor-1', 'saver', 'replay'], 'minutes': 9.6, 'longest_stand_seconds': 12.3, **again},
  }
  ray = {
    'one': {victims.HOST: {'node': victims.HOST, 'seconds': 31.0, **ended, 'made_anew': 3, 'left_for_seconds': 41.0}},
    'any': {**local['any'], 'killed_in_it': ['counter', 'actor-1'], 'longest_after_a_kill_seconds': 7.0},
  }
  results = {'local_mp': local, 'ray': ray}
  page = tmp_path / 'page.md'
  page.write_text('before\n<!-- tables -->\nold\n<!-- end -->\nafter\n')
  faults.write(faults.Options(out=str(tmp_path / 'faults.json'), page=str(page)), results)
  assert json.loads(pathlib.Path(tmp_path, 'faults.json').read_text()) == results
  lines = page.read_text().splitlines()
  assert (lines[:2], lines[-2:]) == (['before', '<!-- tables -->'], ['<!-- end -->', 'after'])
  end = 'exit code 0 after 4,000 steps, a return of 1.00'
  assert lines[6:9] == [
    f'| an actor | it was made anew, and all others went on | 2 |  | {end} |',
    f'| the replay | the run began again from its last checkpoint | 10 | 1,234 | {end}, 1 left running |',
    f'| the command | no process was left after 0.4 s; the same command went on | 9 | 17 | {end} |',
  ]
  assert lines[10] == (
    '3 of these in 10 minutes of one run, at random moments, each of whatever was there but the command: leaves were '
    'made anew 0 times, and the run began again one time. There never were more than 12 s without new steps, and it '
    f'ended by itself with {end}.'
  )
  assert lines[12] == '## On a Ray cluster of three hosts (`ray`)'
  late = ', its last process gone 41 s later'
  assert lines[16] == f"| another host's link | 3 leaves were made anew, and all others went on | 31 |  | {end}{late} |"
  twice = ' (in which counter, actor-1 were killed; never more than 7 s after a kill)'
  assert f'never were more than 12 s without new steps{twice}, and it ended' in lines[18]


def test_a_stand_is_told_with_what_was_killed_in_it():
  stands = faults._Stands()
  stands.kill('actor-0', 5.0)
  stands.end(4.0, 12.0)
  for name, when in (('counter', 20.0), ('learner', 40.0)):
    stands.kill(name, when)
  stands.end(19.0, 65.0)
  stands.end(70.0, 97.0)
  assert stands.result() == {
    'longest_stand_seconds': 46.0,
    'killed_in_it': ['counter', 'learner'],
    'longest_after_a_kill_seconds': 27.0,
  }
