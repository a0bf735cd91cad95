"""The counter: a budget that is spent exactly, counts that count once, and phases."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfacme import loggers
from tfacme.workers import counting, tallies

STEPS = 'actor_steps'


class Repeating:
  """A counter whose every call arrives twice."""

  prompt = False

  def __init__(self, counter):
    self._counter = counter

  def join(self, *arguments):
    self._counter.join(*arguments)
    return self._counter.join(*arguments)

  def report(self, *arguments, **options):
    self._counter.report(*arguments, **options)
    return self._counter.report(*arguments, **options)


def _counter(budget=100, unit=STEPS, phases=()):
  return counting.Counter(budget, unit, [[], *phases])  # without prefills


class Clock:
  """Stands still until it is told."""

  def __init__(self):
    self.now = 0.0

  def __call__(self):
    return self.now


class Remote:
  """A counter that has to be called for everything, as one in another process."""

  prompt = False

  def __init__(self, counter):
    self._counter = counter
    self.join = counter.join
    self.reports = []

  def report(self, node, counts, claim=None, notes=None, finished=False, token=None):
    self.reports.append((dict(counts), claim, dict(notes or {}), finished))
    return self._counter.report(node, counts, claim, notes, finished, token)


def _tally(counter, node, clock=None):
  tally = tallies.Tally(node, counter, period=1.0, clock=clock or Clock())
  tally.join([STEPS, 'actor_episodes'])
  return tally


def _claim(counter, node, steps, claim):
  return counter.report(node, {STEPS: steps}, claim=counting.Claim(claim, claim)).granted


_moves = st.lists(
  st.tuples(st.integers(0, 3), st.sampled_from(['step', 'step', 'step', 'report', 'die']), st.integers(1, 6)),
  max_size=60,
)


@given(st.integers(0, 40), st.sampled_from([counting.Counter, Remote, Repeating]), _moves)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_budget_is_spent_exactly_in_any_order(budget, kind, moves):
  counter, clock = _counter(budget), Clock()
  client = counter if kind is counting.Counter else kind(counter)
  tallies = [_tally(client, f'actor-{i}', clock) for i in range(4)]

  def spent():
    return sum(tally.counts[STEPS] for tally in tallies)

  for i, move, count in moves:
    tally = tallies[i]
    if move == 'step':
      clock.now += 0.3
      allowed = tally.allowance(STEPS, count)
      assert 0 <= allowed <= count
      tally.add(STEPS, allowed)
    elif move == 'report':
      tally.report()
    else:  # It dies and is started anew: what it didn't report is lost, what it had claimed is free again.
      tallies[i] = _tally(client, f'actor-{i}', clock)
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

  def spend(node):
    tally = tallies.Tally(node, Remote(counter), period=0.001)
    tally.join([STEPS])
    while count := tally.allowance(STEPS, 3):
      tally.add(STEPS, count)
    tally.report()

  threads = [threading.Thread(target=spend, args=(f'actor-{i}',)) for i in range(4)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert counter.status()['steps'] == 5000


def test_a_claim_is_absolute():
  counter = _counter(10)
  assert [_claim(counter, 'a', 0, 4) for _ in range(3)] == [4, 4, 4]
  assert _claim(counter, 'b', 0, 9) == 6
  assert _claim(counter, 'a', 4, 8) == 4  # Nothing is left.
  assert _claim(counter, 'a', 4, 1) == 4  # And nothing is taken back.


def test_what_is_wanted_shrinks_with_what_is_left_and_what_is_needed_does_not():
  counter = _counter(100)

  def wants(node, needed, wanted):
    return counter.report(node, {}, claim=counting.Claim(needed, wanted)).granted

  assert wants('a', 1, 20) == 20
  assert wants('b', 1, 1000) == 20  # Of the 80 that are left, both may take 20 now.
  assert wants('b', 50, 1000) == 50
  assert wants('c', 1, 1000) == 5  # A sixth of 30.
  assert wants('c', 1000, 1000) == 30


def test_joining_gives_back_what_was_not_used():
  counter = _counter(10)
  _claim(counter, 'a', 3, 10)
  assert _claim(counter, 'b', 0, 5) == 0
  assert counter.join('a') == {STEPS: 3}
  assert _claim(counter, 'b', 0, 9) == 7
  assert _claim(counter, 'a', 3, 9) == 3


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
  tally = tallies.Tally('learner', counter)
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

  assert counter.report('learner', {}).phase == 1
  assert finish('actor-0') == 1
  assert finish('evaluator') == 1  # Too early, but remembered.
  assert finish('actor-1') == 2
  assert finish('learner') == 4
  assert finish('learner') == 4
  assert finish('saver') == 5
  assert counter.status()['phase'] == 5


def test_phases_without_nodes_are_passed_over():
  counter = _counter(phases=[[], ['learner'], [], ['saver']])
  assert counter.report('learner', {}).phase == 2
  assert counter.report('learner', {}, finished=True).phase == 4
  assert len(counting.PHASES) == 5


def test_a_node_that_begins_again_has_not_finished():
  counter = _counter(phases=[['actor-0'], ['learner']])
  assert counter.report('actor-0', {}, finished=True).phase == 2
  counter.join('actor-0')
  assert counter.report('learner', {}).phase == 1


def test_nobody_is_given_steps_before_the_prefills_have_finished():
  counter = counting.Counter(100, STEPS, [['prefill', 'random'], ['actor-0']])
  claim = counting.Claim(10, 10)
  assert counter.report('actor-0', {}, claim).granted == 0
  counter.report('prefill', {}, finished=True)
  assert counter.report('actor-0', {}, claim).granted == 0
  counter.report('random', {}, finished=True)
  assert counter.report('actor-0', {}, claim).granted == 10


# --- A node's side ---


def _spend(speed, seconds, budget=10**9, period=1.0):
  """(calls, steps) of a node that makes `speed` steps a second."""
  clock, remote = Clock(), Remote(_counter(budget))
  tally = tallies.Tally('actor-0', remote, period=period, clock=clock)
  tally.join([STEPS])
  while clock.now < seconds and tally.allowance(STEPS, 1):
    tally.add(STEPS)
    clock.now += 1 / speed
  return len(remote.reports), tally.counts[STEPS]


@pytest.mark.parametrize('speed', [1, 10, 100, 10_000])
def test_calls_are_in_time_whatever_the_speed(speed):
  calls, steps = _spend(speed, 30)
  assert calls <= 30 + 16  # While it learns its speed, they come faster.
  assert steps == pytest.approx(30 * speed, abs=1)


def test_a_node_tells_how_far_it_has_come_at_least_once_in_a_period():
  clock, counter = Clock(), _counter(10**6)
  tally = _tally(Remote(counter), 'actor-0', clock)
  for speed in (1000, 10):  # It becomes slow, with a lease for its old speed.
    for _ in range(3 * speed):
      assert tally.allowance(STEPS, 1) == 1
      tally.add(STEPS)
      clock.now += 1 / speed
      assert clock.now < 1 or tally.counts[STEPS] - counter.status()['steps'] <= 2.1 * 1000
  assert tally.counts[STEPS] - counter.status()['steps'] <= 11


def test_near_the_end_calls_do_not_come_ever_faster():
  calls, steps = _spend(1000, 100, budget=20_000)
  assert steps == 20_000
  assert calls <= 20 + 12 + 4 * 3


def test_where_calls_cost_nothing_every_step_is_claimed_and_no_clock_looked_at():
  tally = tallies.Tally('actor-0', _counter(10), clock=lambda: 1 / 0)
  tally.join([STEPS])
  assert tally.allowance(STEPS, 8) == 8
  tally.add(STEPS, 8)
  assert tally.allowance(STEPS, 8) == 2


def test_a_claim_is_for_as_many_steps_as_are_made_at_once():
  tally = _tally(Remote(_counter(10)), 'actor-0')
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
  tally.refresh()
  assert counter.status()['steps'] == 3 and counter.status()['notes'] == {'a': {'loss': 1}}
  other.add(STEPS, 2)
  other.report(finished=True)
  tally.refresh()
  assert (tally.total(STEPS), tally.phase) == (5, 2)


def test_notes_go_out_once_and_stay_in_the_status():
  counter = _counter()
  watched = Remote(counter)
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
  again = tallies.Tally('actor-0', counter)
  again.join([STEPS])
  assert again.counts == {STEPS: 4}
  with pytest.raises(KeyError):
    again.add('no such count')


def test_what_fails_is_not_being_done_any_more():
  counter = _counter()
  tally = _tally(counter, 'saver')
  doing = lambda: counter.status()['notes']['saver']['doing']
  with pytest.raises(OSError), tally.doing('saving'):
    assert doing() == 'saving'
    raise OSError('the disk is full')
  assert doing() is None


# --- Save and restore ---


def test_counts_come_back_and_leases_do_not(tmp_path):
  counter = _counter(10, phases=[['a']])
  counter.report('a', {STEPS: 3, 'actor_episodes': 1}, claim=counting.Claim(8, 8), finished=True)
  counter.report('b', {STEPS: 1}, claim=counting.Claim(2, 2))
  digest = counter.save(str(tmp_path))
  other = _counter(10, phases=[['a']])
  assert other.restore(str(tmp_path)) == digest
  assert other.join('a') == {STEPS: 3, 'actor_episodes': 1}
  report = other.report('b', {STEPS: 1}, claim=counting.Claim(100, 100))
  assert report.granted == 1 + 6  # All that nobody has used.
  assert report.totals == {STEPS: 4, 'actor_episodes': 1}
  assert report.phase == 1  # A run that goes on has not finished.


def test_a_budget_smaller_than_what_was_spent_takes_nothing_back(tmp_path):
  counter = _counter(10)
  counter.report('a', {STEPS: 9}, claim=counting.Claim(9, 9))
  counter.save(str(tmp_path))
  smaller = _counter(6)
  smaller.restore(str(tmp_path))
  tally = tallies.Tally('a', smaller)
  tally.join([STEPS])
  assert [tally.allowance(STEPS, most) for most in (1, 4)] == [0, 0]
  tally.claim_next(STEPS, 4)
  assert tally.counts[STEPS] == 9 and smaller.status()['steps'] == 9


def test_of_two_of_one_name_the_older_one_is_not_counted_any_more():
  """One on a host whose link was down, which was made anew elsewhere meanwhile, may still act when the link is up."""
  counter = _counter(20)
  old, new = (tallies.Tally('actor-0', Remote(counter)) for _ in range(2))
  old.join([STEPS])
  assert old.allowance(STEPS, 5) == 5
  old.add(STEPS, 5)
  old.report()
  counter.leave('actor-0')
  old.report()  # Nobody is in its place yet.
  new.join([STEPS])
  assert new.counts == {STEPS: 5}
  old.add(STEPS, 3)
  with pytest.raises(counting.Outdated, match='actor-0 was made anew'):
    old.report()
  assert new.allowance(STEPS, 15) == 15
  assert counter.status()['steps'] == 5


def test_of_two_logs_of_one_name_the_older_one_is_not_written_any_more():
  log = loggers.MemoryLogger()
  counter = counting.Counter(9, STEPS, [[]], open_log=lambda node: log)
  for token, first, values in (('a', 0, [1, 2]), ('b', 0, [3]), ('a', 1, [2, 9]), ('b', 0, [3, 4])):
    counter.write('actor-0', token, first, [{'value': value} for value in values])
  assert [row['value'] for row in log.rows] == [1, 2, 3, 4]


def test_what_is_claimed_before_joining_again_is_what_was_saved(tmp_path):
  counter = _counter(10)
  counter.report('a', {STEPS: 9}, claim=counting.Claim(9, 9))
  counter.save(str(tmp_path))
  counter.report('a', {STEPS: 10}, claim=counting.Claim(10, 10))
  other = _counter(10)
  other.restore(str(tmp_path))
  assert other.report('b', {}, claim=counting.Claim(10, 10)).granted == 1
  assert other.status()['steps'] == 9


@pytest.mark.parametrize('budget, granted, ended', [(10, 3, 'enough'), (9, 3, 'enough'), (12, 11, None)])
def test_a_run_that_was_ended_stays_so_unless_it_is_given_more(budget, granted, ended, tmp_path):
  counter = _counter(10, phases=[['a']])
  counter.report('a', {STEPS: 3}, claim=counting.Claim(8, 8))
  counter.end('enough')
  digest = counter.save(str(tmp_path))
  other = _counter(budget, phases=[['a']])
  assert other.restore(str(tmp_path)) == digest
  other.join('a')
  assert other.report('a', {STEPS: 3}, claim=counting.Claim(11, 11)).granted == granted
  assert other.ended() == other.status()['ended'] == counting.ended_within(str(tmp_path), budget) == ended
  other.save(str(tmp_path))
  assert counting.ended_within(str(tmp_path), budget) == ended


def test_the_digest_shows_a_difference(tmp_path):
  counter = _counter()
  digests = set()
  for counts in ({STEPS: 21}, {STEPS: 22}, {STEPS: 22, 'actor_episodes': 0}):
    counter.report('a', counts)
    digests.add(counter.save(str(tmp_path)))
  counter.end('enough')
  digests.add(counter.save(str(tmp_path)))
  assert len(digests) == 4


def test_what_a_lost_actor_had_claimed_is_for_others_and_nobody_waits_for_it_when_all_is_spent():
  counter = counting.Counter(100, 'actor_steps', [[], ['a', 'b'], ['learner']])
  for node in 'ab':
    counter.join(node)
    counter.report(node, {'actor_steps': 0}, counting.Claim(1, 40))
  counter.note('b', {'blocked': 'the rate limiter', 'hangs_in': 'reset()'})
  counter.report('b', {'actor_steps': 10})
  counter.leave('b')
  notes = counter.status()['notes']['b']
  assert (
    notes['blocked'] is None and notes['hangs_in'] is None
  )  # It was shown as waiting for as long as the run went on.
  assert counter.report('a', {'actor_steps': 40}, counting.Claim(90, 90)).granted == 90  # all that b has not made
  assert (
    counter.report('a', {'actor_steps': 90}, finished=True).phase == 2
  )  # The learner's: b has nothing left to make.
  counter.join('b')
  assert counter.report('b', {'actor_steps': 10}, counting.Claim(20, 20)) == (10, {'actor_steps': 100}, 1)
  assert counter.report('b', {'actor_steps': 10}, finished=True).phase == 2


def test_a_lost_actor_is_waited_for_while_there_is_something_left():
  counter = counting.Counter(100, 'actor_steps', [[], ['a'], ['learner']])
  counter.join('a')
  counter.report('a', {'actor_steps': 30}, counting.Claim(31, 40))
  counter.leave('a')
  assert counter.status()['phase'] == 1 and counter.join('a') == {'actor_steps': 30}
  assert counter.report('a', {'actor_steps': 30}, counting.Claim(100, 100)).granted == 100
