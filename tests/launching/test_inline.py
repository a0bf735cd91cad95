"""What a run in one thread does where it can't begin."""

import contextlib
import signal
import types

import launchpad as lp
import pytest

from tfacme import core
from tfacme.graph import nodes
from tfacme.launching import inline, outcomes
from tfacme.workers import counting, tallies

_LEAVES = types.SimpleNamespace(devices={'learner': contextlib.nullcontext})  # None of which fails.


class _Worker:
  """Has something open."""

  def __init__(self, closed):
    self._closed = closed

  def step(self, wait):
    raise AssertionError('No node is stepped.')

  def close(self):
    self._closed.append(self)


def test_what_was_made_is_closed_if_another_node_can_not_be_made():
  closed = []
  program = lp.Program('failing')
  for name, make in (('counter', _Counter), ('actor', lambda: _Worker(closed)), ('learner', lambda: 1 / 0)):
    program.add_node(nodes.TaskNode(name, None, make, {}), label=name)
  with pytest.raises(outcomes.NodeFailed, match='The node learner failed'):
    inline.run(program, lambda status: None, types.SimpleNamespace(signum=None))
  assert len(closed) == 1


class _Counter:
  def status(self):
    return {'phase': 1}

  def note(self, node, notes):
    pass


class _Reading:
  """Waits for what comes by itself, and is done once it is there."""

  def __init__(self, waits):
    self.waits, self.steps, self.noted = list(waits), 0, [None]
    counter = types.SimpleNamespace(note=lambda node, notes: self.noted.append(notes['blocked']))
    self.tally = types.SimpleNamespace(node='learner', counter=counter)

  def step(self, wait):
    self.steps += 1
    assert bool(wait) == (self.steps > 1)  # The first look takes no time.
    assert bool(self.noted[-1]) == (self.steps > 2)  # And of a moment nobody hears.
    return core.Blocked('a disk', passes=True) if self.waits and self.waits.pop() else core.Progress.DONE


def test_others_wait_for_what_comes_by_itself_and_it_is_shown():
  worker, shown = _Reading([True] * 4), []
  show = lambda: shown.append(worker.noted[-1])
  left, blocked, did = inline._round([('learner', worker)], _LEAVES, show, types.SimpleNamespace(signum=None))
  assert (left, blocked, did) == ([], [], True)
  assert shown == ['a disk'] * 3 and worker.noted == [None, *shown, None]


def test_who_waited_knows_no_more_of_others_than_who_did_not():
  """Or a schedule, and the rows of a log, would depend on how long a disk took."""
  counter = counting.Counter(10, 'actor_steps', [['actor'], ['learner']])
  worker = _Reading([True] * 4)
  worker.tally = tallies.Tally('learner', counter)
  worker.tally.join(['learner_steps'])
  worker.step = lambda wait: core.Blocked('a disk', passes=True) if worker.waits.pop() else core.Progress.DONE
  worker.waits.insert(0, False)
  counter.join('actor')
  counter.report('actor', {'actor_steps': 7})
  inline._round([('learner', worker)], _LEAVES, lambda: None, types.SimpleNamespace(signum=None))
  assert worker.tally.total('actor_steps') == 0
  worker.tally.report()
  assert worker.tally.total('actor_steps') == 7


def test_a_run_that_waits_for_what_comes_by_itself_can_be_stopped():
  worker, stop = _Reading([True] * 1000), types.SimpleNamespace(signum=None)
  shows = iter(range(1000))

  def show():
    stop.signum = signal.SIGINT if next(shows) == 2 else None

  left, (blocked,), did = inline._round([('learner', worker)], _LEAVES, show, stop)
  assert not did and len(left) == 1 and blocked[1].reason == 'a disk'
  assert len(worker.waits) > 900
