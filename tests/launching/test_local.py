"""Which node a run that failed names, and how long one that is stopped may save."""

import signal
import threading
import time
import types

import launchpad as lp
import pytest

from tfacme import core, errors
from tfacme.graph import nodes
from tfacme.launching import local, outcomes, supervising

_MISSED = supervising.Failure('Traceback ...\ntfacme.graph.remote.RemoteError: get of the node learner failed: NaN')
_CAUSE = supervising.Failure('Traceback ...\nFloatingPointError: NaN')


class _Task:
  def __init__(self, name, failure=None):
    self.name = name
    self.failure = failure


@pytest.mark.parametrize('order', [1, -1])
def test_a_node_that_failed_is_named_and_not_one_that_missed_it(order):
  tasks = [_Task('actor-0', _MISSED), _Task('learner', _CAUSE), _Task('counter')]
  with pytest.raises(outcomes.NodeFailed, match='FloatingPointError') as caught:
    supervising.raise_failure(tasks[::order])
  assert caught.value.node == 'learner'


def test_it_is_named_even_if_it_is_seen_to_fail_later():
  tasks = [_Task('actor-0', _MISSED), _Task('learner')]
  later = threading.Timer(0.2, setattr, (tasks[1], 'failure', _CAUSE))
  later.start()
  with pytest.raises(outcomes.NodeFailed) as caught:
    supervising.raise_failure(tasks)
  later.join()
  assert caught.value.node == 'learner'


def test_a_node_that_missed_another_is_named_if_that_one_does_not_fail():
  with pytest.raises(outcomes.NodeFailed) as caught:
    supervising.raise_failure([_Task('actor-0', _MISSED), _Task('learner')])
  assert caught.value.node == 'actor-0'


def test_a_core_that_is_lost_is_named_and_not_who_failed_for_it_in_words_of_its_own():
  tasks = [_Task('learner', supervising.Failure('Traceback ...\nReverbError: Socket closed')), _Task('replay')]
  later = threading.Timer(0.2, setattr, (tasks[1], 'failure', supervising.Failure('It is gone.', lost=True)))
  later.start()
  with pytest.raises(outcomes.CoreLost) as caught:
    supervising.raise_failure(tasks, core=('learner', 'replay'))
  later.join()
  assert caught.value.node == 'replay'


def test_a_mistake_stays_one_and_no_failure_is_none():
  supervising.raise_failure([_Task('learner')])
  with pytest.raises(errors.UserError, match='^Wrong[.]$'):
    supervising.raise_failure([_Task('learner', supervising.Failure('Wrong.', mistake=True))])


class _Counter:
  def __init__(self):
    self._notes = {}

  def status(self):
    return {'phase': 1, 'notes': {'saver': dict(self._notes)}}

  def note(self, node, notes):
    self._notes.update(notes)


class _Saver:
  """A worker that needs half a second to save, and some more for what comes after the checkpoint."""

  def __init__(self, counter, saved, more):
    self._counter, self._saved, self._more = counter, saved, more
    self.tally = types.SimpleNamespace(notes={})

  def step(self, wait):
    time.sleep(0.05)
    return core.Blocked('the next checkpoint', idle=True)

  def interrupt(self):
    time.sleep(0.5)
    self._saved.append(True)
    self._counter.note('saver', {'saved': True})
    time.sleep(self._more)

  def close(self):
    pass


@pytest.mark.parametrize(
  'seconds, more, in_time, all_in_time',
  [(0.1, 0.0, False, False), (5.0, 0.0, True, True), (1.0, 0.8, True, True), (0.8, 9.0, True, False)],
)
def test_a_run_that_is_stopped_has_so_long_to_save_and_as_long_for_its_policy(seconds, more, in_time, all_in_time):
  saved = []
  program = lp.Program('stopped')
  counter = nodes.TaskNode('counter', None, _Counter, {})
  program.add_node(counter, label='counter')
  links = {'counter': nodes.Link(counter, 'counts')}
  make = lambda counter: _Saver(counter, saved, more)
  program.add_node(nodes.TaskNode('saver', None, make, links, upkeep=nodes.Upkeep(save_seconds=seconds)), label='saver')
  with pytest.raises(outcomes.Interrupted) as caught:
    local.run_threads(program, lambda status: None, types.SimpleNamespace(signum=signal.SIGTERM))
  assert (caught.value.saved, caught.value.exported) == (in_time, all_in_time)
  assert caught.value.exit_code == 143
  assert saved or not in_time


class _Ending(_Task):
  """Stands for a node: for how long it works and for how long it runs, once it is to stop."""

  def __init__(self, name, works, runs):
    super().__init__(name)
    self._works, self._runs = works, runs
    self.killed, self._stopped = False, None

  def stop(self, save=False):
    self._stopped = time.monotonic()

  def kill(self):
    self.killed = True

  def running(self):
    return not self.killed and self._since() < self._runs

  def working(self):
    return not self.killed and self._since() < self._works

  def _since(self):
    return 0.0 if self._stopped is None else time.monotonic() - self._stopped


def test_what_logs_have_left_is_waited_for_when_the_work_has_ended(monkeypatch, caplog):
  monkeypatch.setattr(supervising, '_STOP_SECONDS', 0.2)
  tasks = [
    _Ending('replay', 9.0, 9.0),
    _Ending('learner', 0.1, 0.4),
    _Ending('actor-0', 0.0, 9.0),
    _Ending('saver', 0, 0),
  ]
  supervising.stop_all(tasks, log_seconds=0.6)
  assert [task.killed for task in tasks] == [True, False, True, False]
  assert caplog.messages == [
    'The trackers did not take the last rows of actor-0 in time; the CSV files have all of them.'
  ]
