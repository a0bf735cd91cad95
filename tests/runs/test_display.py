"""The display, with a clock of its own."""

import io

import pytest
import rich.console

from tfacme.runs import display


class Clock:
  """Tells the time that it is told."""

  def __init__(self):
    self.now = 100.0

  def __call__(self):
    return self.now


def status_at(steps, budget=1000, unit='actor_steps', notes=None, learner_steps=None):
  return {
    'unit': unit,
    'steps': steps,
    'budget': budget,
    'totals': {
      'actor_steps': steps if unit == 'actor_steps' else 0,
      'actor_episodes': steps // 10,
      'learner_steps': steps // 4 if learner_steps is None else learner_steps,
      'evaluator_episodes': 0,
    },
    'notes': notes or {},
  }


@pytest.fixture
def screen():
  """A clock, what was written, and a display in lines."""
  output, clock = io.StringIO(), Clock()
  console = rich.console.Console(file=output, width=200, highlight=False)
  return clock, output, display.Display(clock=clock, console=console)


def _run(screen, statuses, seconds):
  clock, output, shown = screen
  with shown:
    for status in statuses:
      shown.update(status)
      clock.now += seconds
  return output.getvalue().splitlines()


def test_lines_are_few(screen):
  # 1,000 statuses in 10 s: a line at the start, one at each tenth, and the summary.
  lines = _run(screen, [status_at(steps) for steps in range(1, 1001)], 0.01)
  assert len(lines) == 12
  # Nothing moves for 100 s: a line each 10 s at the most.
  lines = _run((screen[0], screen[1], display.Display(screen[0], screen[2]._console)), [status_at(5)] * 1000, 0.1)
  assert 10 <= len(lines) - 12 <= 13


def test_a_line_says_it_all(screen):
  notes = {
    'actor-0': {'recent_return': 1.0, 'blocked': None, 'blocked_seconds': 0.0},
    'actor-1': {'recent_return': 0.0},
    'learner': {'loss': 0.1234, 'replay_size': 250, 'replay_max': 100_000, 'blocked': 'the limiter to allow a sample'},
    'evaluator': {'evaluation_return': 0.75},
  }
  lines = _run(screen, [status_at(0, notes=notes), status_at(200, notes=notes)], 2.0)
  assert lines[1] == (
    '200 of 1,000 environment steps | time left 8 s | return 0.50 | evaluation 0.75 | acting 100 steps/s | '
    'learning 50 steps, 25/s | loss 0.123 | replay 250 of 100,000 items | '
    'waiting learner for the limiter to allow a sample'
  )
  assert lines[2] == (
    '200 of 1,000 environment steps in 4 s, acting at 100 steps/s, 50 learner steps, evaluation return 0.75.'
  )


def test_from_recorded_data(screen):
  lines = _run(screen, [status_at(step, unit='learner_steps', learner_steps=step) for step in (0, 500)], 5.0)
  assert lines[1] == '500 of 1,000 learner steps | time left 5 s | learning 500 steps, 100/s'
  assert lines[2] == '500 of 1,000 learner steps in 10 s, learning at 100 steps/s.'


def test_a_run_that_goes_on_counts_its_own_steps_for_its_speed(screen):
  lines = _run(screen, [status_at(500), status_at(600)], 1.0)
  assert 'acting 100 steps/s' in lines[1] and 'time left 4 s' in lines[1]
  assert lines[-1].startswith('600 of 1,000 environment steps in 2 s, acting at 100 steps/s, ')


def test_neither_starting_nor_the_end_counts_for_the_pace(screen):
  """However the engine: nodes start, steps are made in 10 s, then the last evaluation is played and all is saved."""
  statuses = [status_at(steps) for steps in (0, 0, 0, 500, 1000, 1000, 1000, 1000)]
  lines = _run(screen, statuses, 5.0)
  assert lines[-1] == 'Took 40 s, acting at 100 steps/s, 250 learner steps.'
  assert 'acting' not in lines[-2] and 'now learning what is left, then evaluating and saving' in lines[-2]


def test_what_nodes_do_is_shown_at_once(screen):
  notes = {
    'actor-0': {'doing': 'starting and compiling'},
    'learner': {'doing': 'starting and compiling'},
    'saver': {'doing': 'saving a checkpoint'},
    'evaluator': {'doing': None},
  }
  lines = _run(screen, [status_at(5, notes=notes)], 1.0)
  assert 'now starting and compiling (actor-0, learner); saving a checkpoint (saver)' in lines[0]
  output = io.StringIO()
  console = rich.console.Console(file=output, width=100, force_terminal=True, highlight=False)
  with display.Display(clock=Clock(), console=console) as shown:
    for doing in (None, 'saving a checkpoint', None):  # No time passes.
      shown.update(status_at(5, notes={'saver': {'doing': doing}}))
  assert output.getvalue().count('saving a checkpoint (saver)') == 1


def test_what_came_of_a_run_that_is_complete_is_told_by_the_line_after_it(screen):
  notes = {'evaluator': {'evaluation_return': 0.75}}
  lines = _run(screen, [status_at(0), status_at(1000, notes=notes)], 10.0)
  assert lines[-1] == 'Took 20 s, acting at 100 steps/s, 250 learner steps.'
  clock, output, _ = screen
  output.truncate(0)
  ended = {**status_at(600, notes=notes), 'ended': 'it is good'}
  shown = display.Display(clock, screen[2]._console)
  assert _run((clock, output, shown), [status_at(0), ended], 10.0)[-1].startswith('Took 20 s, acting at 60 steps/s')


def test_a_stall_is_told_once(screen):
  def stalled(seconds):
    blocked = {'blocked': 'the rate limiter to allow an insert', 'blocked_seconds': seconds}
    return status_at(5, notes={'actor-0': blocked, 'actor-1': {**blocked, 'blocked_seconds': seconds + 1}})

  statuses = [stalled(5.0), stalled(9.2), stalled(11.0), stalled(12.0), status_at(6), stalled(10.0)]
  lines = [line for line in _run(screen, statuses, 0.1) if 'been waiting' in line]
  assert lines == [
    'The actor has been waiting for 10 s for the rate limiter to allow an insert.',
    '2 actors have been waiting for 11 s for the rate limiter to allow an insert.',
  ]


def test_time_of_evaluations_is_no_time_of_acting(screen):
  statuses = [{**status_at(steps), 'held_seconds': held} for steps, held in ((0, 0.0), (400, 6.0))]
  lines = _run(screen, statuses, 10.0)
  # 400 steps in 10 s, of which 6 were those of evaluations; what is left takes as long as what was done, with them.
  assert 'acting 100 steps/s' in lines[1] and 'learning 100 steps, 25/s' in lines[1] and 'time left 15 s' in lines[1]
  said = '400 of 1,000 environment steps in 20 s, acting at 100 steps/s without 6 s of evaluations, 100 learner steps.'
  assert lines[-1] == said


def test_several_evaluations_have_their_names(screen):
  first = {'evaluation_return': 0.75, 'evaluation_columns': {'normalized_score': 62.54321, 'fitted_q': 0.9}}
  notes = {'evaluator': first, 'hard': {'evaluation_return': -2.0, 'evaluation_columns': {}}}
  lines = _run(screen, [status_at(5, notes=notes)], 1.0)
  assert 'evaluation 0.75 (normalized_score 62.54, fitted_q 0.9) | hard -2.00' in lines[0]
  assert lines[-1].endswith('evaluation return 0.75 (normalized_score 62.54, fitted_q 0.9), hard return -2.00.')


def test_an_evaluation_is_shown_and_a_long_episode_told_once(screen):
  def evaluating(seconds, episodes=1, cut=None):
    news = {'episodes': episodes, 'steps': round(100 * seconds), 'seconds': seconds, 'of': 20, 'max_steps': 27_000}
    return status_at(5, notes={'evaluator': {'evaluating': news if seconds else None, 'evaluation_cut': cut}})

  cut = 'evaluator after 5 steps: 2 of 20 episodes were cut off'
  statuses = [evaluating(9.0), evaluating(10.2), evaluating(11.0), evaluating(0, cut=cut), evaluating(0, cut=cut)]
  lines = _run(screen, [*statuses, evaluating(12.0, episodes=3)], 10.0)
  assert [line for line in lines if 'gone on' in line] == [
    'evaluator: An episode has gone on for 10 s: 1,020 steps by now; it is cut off at 27,000.',
    'evaluator: An episode has gone on for 12 s: 1,200 steps by now; it is cut off at 27,000.',
  ]
  assert lines.count(cut) == 1
  shown = [line.rpartition('evaluating ')[2] for line in lines if 'evaluating ' in line]
  assert shown[0] == '1 of 20 episodes, the longest has 900 steps' and len(shown) == 4


def test_a_node_that_hangs_is_named_once(screen):
  call = 'reset() of its environment in slot 3, at simulator.py:31'
  notes = [{'actor-1': {'hangs_in': call, 'hangs_seconds': 10.0 + i}} for i in range(5)]
  lines = _run(screen, [status_at(5, notes=note) for note in [*notes, {'actor-1': {'hangs_in': None}}, notes[0]]], 1.0)
  assert lines.count(f'actor-1 has been in {call} for 10 s.') == 2


def test_on_a_terminal_it_redraws_in_place():
  output, clock = io.StringIO(), Clock()
  console = rich.console.Console(file=output, width=100, force_terminal=True, highlight=False)
  blocked = {'learner': {'blocked': 'a sample', 'blocked_seconds': 11.0}}
  with display.Display(clock=clock, console=console) as shown:
    for steps in range(0, 1001, 10):
      shown.update(status_at(steps, notes=blocked))
      clock.now += 0.1
  text = output.getvalue()
  assert 20 <= text.count('progress') <= 60  # four a second over ten seconds
  assert text.count('waiting for 11 s for a sample') == 1
  assert '━' in text and 'Took 10 s, acting at 100 steps/s' in text.splitlines()[-1]


def test_it_never_raises(screen, capsys):
  clock, output, shown = screen
  with shown:
    shown.update({'steps': 1})
    shown.update(status_at(1))
  assert capsys.readouterr().err.count('the run continues') == 1
  assert output.getvalue() == ''


def test_durations():
  assert [display.duration(seconds) for seconds in (3.4, 200, 7500)] == ['3 s', '3 min 20 s', '2 h 5 min']
