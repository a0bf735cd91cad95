"""The table of what happens when a part of a run is killed."""

import json
import pathlib

from benchmarks import faults
from tests import pages

_RESULTS = pages.ROOT / 'benchmarks' / 'results' / 'faults.json'


def test_the_page_has_what_was_measured():
  results = json.loads(_RESULTS.read_text())
  _, _, rest = faults.PAGE.read_text().partition('<!-- table -->\n')
  assert rest.partition('\n<!-- end -->')[0] == faults.table(results)
  assert set(results['one']) == {*faults.LEAVES, *faults.CORE, faults.LAUNCHER}
  options = faults.Options()
  for node, row in results['one'].items():
    made_anew, began_again = int(node in faults.LEAVES), int(node in faults.CORE)
    assert row['began_again'] == began_again and (row['made_anew'] == made_anew or began_again)
    assert (row['exit_code'], row['left'], row['steps']) == (0, 0, options.steps)
    assert row['seconds'] <= 60 and row['return'] >= 0.8 and row.get('left_after_seconds', 0) <= 10
  any_of = results['any']
  assert (any_of['exit_code'], any_of['left'], any_of['steps']) == (0, 0, options.random_steps)
  assert len(any_of['kills']) >= 15
  assert any_of['longest_stand_seconds'] <= 60 and any_of['return'] >= 0.8


def test_the_table_is_of_the_numbers(tmp_path):
  ended = {'exit_code': 0, 'steps': 4000, 'return': 1.0, 'made_anew': 1, 'began_again': 0, 'left': 0}
  again = {**ended, 'made_anew': 0, 'began_again': 1}
  command = {'node': faults.LAUNCHER, 'seconds': 9.0, 'steps_lost': 17, 'left_after_seconds': 0.4}
  results = {
    'one': {
      'actor-0': {'node': 'actor-0', 'seconds': 2.2, **ended},
      'replay': {'node': 'replay', 'seconds': 9.8, 'steps_lost': 1234, **again, 'left': 1},
      faults.LAUNCHER: {**command, **ended, 'made_anew': 0},
    },
    'any': {'kills': ['actor-1', 'saver', 'replay'], 'minutes': 9.6, 'longest_stand_seconds': 12.3, **again},
  }
  page = tmp_path / 'page.md'
  page.write_text('before\n<!-- table -->\nold\n<!-- end -->\nafter\n')
  faults.write(faults.Options(out=str(tmp_path / 'faults.json'), page=str(page)), results)
  assert json.loads(pathlib.Path(tmp_path, 'faults.json').read_text()) == results
  lines = page.read_text().splitlines()
  assert (lines[:2], lines[-2:]) == (['before', '<!-- table -->'], ['<!-- end -->', 'after'])
  end = 'exit code 0 after 4,000 steps, a return of 1.00'
  assert lines[4:7] == [
    f'| an actor | it was made anew, and all others went on | 2 |  | {end} |',
    f'| the replay | the run began again from its last checkpoint | 10 | 1,234 | {end}, 1 left running |',
    f'| the command | no process was left after 0.4 s; the same command went on | 9 | 17 | {end} |',
  ]
  assert lines[8] == (
    '3 kills in 10 minutes of one run, each of any node that was there: leaves were made anew 0 times, and the run '
    f'began again one time. It never stood still for more than 12 s, and ended by itself with {end}.'
  )
