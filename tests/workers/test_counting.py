"""The counter: a budget that is spent exactly, counts that count once, and phases."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfacme.workers import counting

STEPS = 'actor_steps'


class Repeating:
  """A counter whose every call arrives twice."""

  def __init__(self, counter):
    self._counter = counter

  def join(self, node):
    self._counter.join(node)
    return self._counter.join(node)

  def report(self, *arguments, **options):
    self._counter.report(*arguments, **options)
    return self._counter.report(*arguments, **options)


def _counter(budget=100, unit=STEPS, phases=()):
  return counting.Counter(budget, unit, phases)


def _tally(counter, node, lease=1):
  tally = counting.Tally(node, counter, lease)
  tally.join([STEPS, 'actor_episodes'])
  return tally


_moves = st.lists(
  st.tuples(st.integers(0, 3), st.sampled_from(['step', 'step', 'step', 'report', 'die']), st.integers(1, 6)),
  max_size=60,
)


@given(st.integers(0, 40), st.lists(st.integers(1, 9), min_size=4, max_size=4), st.booleans(), _moves)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_budget_is_spent_exactly_in_any_order(budget, leases, repeats, moves):
  counter = _counter(budget)
  client = Repeating(counter) if repeats else counter
  tallies = [_tally(client, f'actor-{i}', lease) for i, lease in enumerate(leases)]

  def spent():
    return sum(tally.counts[STEPS] for tally in tallies)

  for i, move, count in moves:
    tally = tallies[i]
    if move == 'step':
      allowed = tally.allowance(STEPS, count)
      assert 0 <= allowed <= count
      tally.add(STEPS, allowed)
    elif move == 'report':
      tally.report()
    else:  # It dies and is started anew: what it didn't report is lost, what it had claimed is free again.
      tallies[i] = _tally(client, f'actor-{i}', leases[i])
      assert tallies[i].counts[STEPS] <= tally.counts[STEPS]
    assert spent() <= budget
    assert counter.status()['steps'] <= budget
  while any(tally.allowance(STEPS, 3) for tally in tallies):
    for tally in tallies:
      tally.add(STEPS, tally.allowance(STEPS, 3))
      assert spent() <= budget
  assert spent() == budget
  for tally in tallies:
    tally.report()
  assert counter.status()['steps'] == budget


def test_the_budget_is_spent_exactly_by_threads():
  counter = _counter(5000)

  def spend(node, lease):
    tally = _tally(counter, node, lease)
    while count := tally.allowance(STEPS, 3):
      tally.add(STEPS, count)
    tally.report()

  threads = [threading.Thread(target=spend, args=(f'actor-{i}', 1 + 5 * i)) for i in range(4)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert counter.status()['steps'] == 5000


def test_a_claim_is_absolute():
  counter = _counter(10)
  assert [counter.report('a', {STEPS: 0}, claim=4).granted for _ in range(3)] == [4, 4, 4]
  assert counter.report('b', {STEPS: 0}, claim=9).granted == 6
  assert counter.report('a', {STEPS: 4}, claim=8).granted == 4  # Nothing is left.
  assert counter.report('a', {STEPS: 4}, claim=1).granted == 4  # And nothing is taken back.


def test_joining_gives_back_what_was_not_used():
  counter = _counter(10)
  counter.report('a', {STEPS: 3}, claim=10)
  assert counter.report('b', {STEPS: 0}, claim=5).granted == 0
  assert counter.join('a') == {STEPS: 3}
  assert counter.report('b', {STEPS: 0}, claim=9).granted == 7
  assert counter.report('a', {STEPS: 3}, claim=9).granted == 3


def test_counts_are_absolute_and_add_up_over_nodes():
  counter = _counter()
  for _ in range(2):
    counter.report('a', {STEPS: 3, 'actor_episodes': 1})
  report = counter.report('b', {STEPS: 4})
  assert report.totals == {STEPS: 7, 'actor_episodes': 1}
  assert counter.report('a', {STEPS: 5}).totals == {STEPS: 9, 'actor_episodes': 1}
  assert counter.report('b', {STEPS: 4}).totals == {STEPS: 9, 'actor_episodes': 1}


def test_the_budget_may_be_of_learner_steps():
  counter = _counter(6, 'learner_steps')
  tally = counting.Tally('learner', counter, lease=4)
  tally.join(['learner_steps'])
  made = 0
  while count := tally.allowance('learner_steps', 1):
    tally.add('learner_steps', count)
    made += count
  assert made == 6


# --- Phases ---


def test_a_phase_waits_for_all_of_its_nodes():
  counter = _counter(phases=[['actor-0', 'actor-1'], ['learner'], ['evaluator'], ['saver']])

  def finish(node):
    return counter.report(node, {}, finished=True).phase

  assert counter.report('learner', {}).phase == 0
  assert finish('actor-0') == 0
  assert finish('evaluator') == 0  # Too early, but remembered.
  assert finish('actor-1') == 1
  assert finish('learner') == 3
  assert finish('learner') == 3
  assert finish('saver') == 4
  assert counter.status()['phase'] == 4


def test_phases_without_nodes_are_passed_over():
  counter = _counter(phases=[[], ['learner'], [], ['saver']])
  assert counter.report('learner', {}).phase == 1
  assert counter.report('learner', {}, finished=True).phase == 3
  assert len(counting.PHASES) == 4


def test_a_node_that_begins_again_has_not_finished():
  counter = _counter(phases=[['actor-0'], ['learner']])
  assert counter.report('actor-0', {}, finished=True).phase == 1
  counter.join('actor-0')
  assert counter.report('learner', {}).phase == 0


# --- A node's side ---


class Watched:
  """A counter that keeps what it was told."""

  def __init__(self, counter):
    self._counter = counter
    self.join = counter.join
    self.reports = []

  def report(self, node, counts, claim=None, notes=None, finished=False):
    self.reports.append((dict(counts), claim, dict(notes or {}), finished))
    return self._counter.report(node, counts, claim, notes, finished)


def test_a_lease_saves_calls():
  calls = {}
  for lease in (1, 10):
    watched = Watched(_counter(50))
    tally = _tally(watched, 'actor-0', lease)
    while tally.allowance(STEPS, 1):
      tally.add(STEPS)
    calls[lease] = len(watched.reports)
    assert tally.counts[STEPS] == 50
  assert calls[1] >= 50 and calls[10] <= 8


def test_a_claim_is_for_as_many_steps_as_are_made_at_once():
  tally = _tally(_counter(10), 'actor-0', lease=2)
  assert tally.allowance(STEPS, 8) == 8
  tally.add(STEPS, 8)
  assert tally.allowance(STEPS, 8) == 2


def test_totals_hold_what_was_counted_since_the_last_report():
  counter = _counter()
  a, b = _tally(counter, 'a'), _tally(counter, 'b')
  a.add(STEPS, 3)
  assert (a.total(STEPS), b.total(STEPS)) == (3, 0)
  a.report()
  b.add(STEPS, 2)
  assert (a.total(STEPS), b.total(STEPS)) == (3, 2)
  b.report()
  assert (a.total(STEPS), b.total(STEPS)) == (3, 5)
  a.add(STEPS)
  assert a.total(STEPS) == 4
  assert a.total('never counted') == 0


@pytest.mark.parametrize('prompt', [True, False])
def test_hearing_tells_what_is_new_and_else_only_listens(prompt):
  counter = _counter(phases=[['b']])
  counter.prompt = prompt
  tally, other = _tally(counter, 'a'), _tally(counter, 'b')
  tally.add(STEPS, 3)
  tally.notes['loss'] = 1
  tally.hear()
  assert counter.status()['steps'] == 3 and counter.status()['notes'] == {'a': {'loss': 1}}
  other.add(STEPS, 2)
  other.report(finished=True)
  tally.hear()
  assert (tally.total(STEPS), tally.phase) == (5, 1)


def test_notes_go_out_once_and_stay_in_the_status():
  counter = _counter()
  watched = Watched(counter)
  tally = _tally(watched, 'learner')
  tally.notes['loss'] = 0.5
  tally.report()
  tally.report(finished=True)
  assert [notes for _, _, notes, _ in watched.reports] == [{}, {'loss': 0.5}, {}]
  assert [finished for *_, finished in watched.reports] == [False, False, True]
  assert counter.status()['notes']['learner']['loss'] == 0.5


def test_going_on_takes_the_counts_from_the_counter():
  counter = _counter()
  first = _tally(counter, 'actor-0')
  first.add(STEPS, 4)
  first.report()
  again = counting.Tally('actor-0', counter)
  again.join([STEPS])
  assert again.counts == {STEPS: 4}
  with pytest.raises(KeyError):
    again.add('no such count')


# --- Save and restore ---


def test_counts_come_back_and_leases_do_not(tmp_path):
  counter = _counter(10, phases=[['a']])
  counter.report('a', {STEPS: 3, 'actor_episodes': 1}, claim=8, finished=True)
  counter.report('b', {STEPS: 1}, claim=2)
  digest = counter.save(str(tmp_path))
  other = _counter(10, phases=[['a']])
  assert other.restore(str(tmp_path)) == digest
  assert other.join('a') == {STEPS: 3, 'actor_episodes': 1}
  report = other.report('b', {STEPS: 1}, claim=100)
  assert report.granted == 1 + 6  # All that nobody has used.
  assert report.totals == {STEPS: 4, 'actor_episodes': 1}
  assert report.phase == 0  # A run that goes on has not finished.


def test_what_is_claimed_before_joining_again_is_what_was_saved(tmp_path):
  counter = _counter(10)
  counter.report('a', {STEPS: 9}, claim=9)
  counter.save(str(tmp_path))
  counter.report('a', {STEPS: 10}, claim=10)
  other = _counter(10)
  other.restore(str(tmp_path))
  assert other.report('b', {}, claim=10).granted == 1
  assert other.status()['steps'] == 9


def test_the_digest_shows_a_difference(tmp_path):
  counter = _counter()
  digests = set()
  for counts in ({STEPS: 21}, {STEPS: 22}, {STEPS: 22, 'actor_episodes': 0}):
    counter.report('a', counts)
    digests.add(counter.save(str(tmp_path)))
  assert len(digests) == 3
