"""Leaves that fail are made anew, and the core as a whole if it is lost; how often, when, and who is blamed."""

import dataclasses
import logging
import os
import signal
import time
import types

import dm_env
import launchpad as lp
import pytest

import tfacme
from tests.contract import environment, on_policy
from tfacme import launching, loggers, testing
from tfacme.graph import nodes
from tfacme.launching import outcomes, supervising
from tfacme.launching import restarts as restarts_lib
from tfacme.workers import failures

_BROKEN = supervising.Failure('Traceback ...\nOSError: the simulator is gone')
_KILLED = supervising.Failure('It was killed by SIGKILL.', lost=True)
_MISSED = supervising.Failure('Traceback ...\ntfacme.graph.remote.RemoteError: get of the node learner failed: NaN')


class _Task:
  """Stands for a task."""

  def __init__(self, node):
    self.name, self.failure, self.killed = node.name, None, False

  def kill(self):
    self.killed = True


class _Started:
  """A crew of a learner and two actors, a clock that is told the time, and what was started."""

  def __init__(self, monkeypatch, restarts=2):
    program, self.now, self.tasks = lp.Program('restarts'), 0.0, []
    for name, times in (('learner', 0), ('actor-0', restarts), ('actor-1', restarts)):
      program.add_node(nodes.TaskNode(name, name, object, {}, upkeep=nodes.Upkeep(times)), label=name)
    clock = types.SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep)
    for module in (supervising, failures):
      monkeypatch.setattr(module, 'time', clock)
    self.crew = supervising.Crew(program, self._start)

  def sleep(self, seconds):
    self.now += seconds

  def _start(self, node):
    self.tasks.append(_Task(node))
    return self.tasks[-1]

  def look(self, now):
    self.now = now
    self.crew.look()
    return [task.name for task in self.tasks]


def test_a_leaf_is_made_anew_after_a_pause_that_grows(monkeypatch, caplog):
  started = _Started(monkeypatch)
  assert started.look(0.0) == ['learner', 'actor-0', 'actor-1']
  started.tasks[1].failure = _BROKEN
  assert len(started.look(10.0)) == len(started.look(10.9)) == 3
  assert started.look(11.1)[3:] == ['actor-0']
  assert started.tasks[1].killed and not started.tasks[0].killed
  started.tasks[3].failure = _BROKEN
  assert len(started.look(20.0)) == len(started.look(21.9)) == 4
  assert started.look(22.1)[4:] == ['actor-0']
  assert caplog.messages == [
    f'The node actor-0 has failed, and is made anew ({i} of 2 times in an hour): {_BROKEN.account}' for i in (1, 2)
  ]


def test_one_that_fails_too_often_within_an_hour_ends_the_run(monkeypatch, caplog):
  started = _Started(monkeypatch)
  for now in (0.0, 1000.0, 3700.0):  # The first one is an hour ago by then.
    started.tasks[-1].failure = _BROKEN
    started.look(now)
    started.look(now + 100.0)
  assert [task.name for task in started.tasks[3:]] == ['actor-1'] * 3
  started.tasks[-1].failure = _BROKEN
  with pytest.raises(launching.NodeFailed, match='the simulator is gone') as caught:
    started.look(3900.0)
  assert caught.value.node == 'actor-1'
  limit = 'it was 2 times within an hour (--restarts)'
  assert caplog.messages[-1] == f'The node actor-1 has failed, and is made anew no more: {limit}'


@pytest.mark.parametrize('which, times', [(0, 2), (1, 0)])
def test_the_core_ends_the_run_and_so_does_any_without_restarts(which, times, monkeypatch):
  started = _Started(monkeypatch, times)
  started.tasks[which].failure = _BROKEN
  with pytest.raises(launching.NodeFailed) as caught:
    started.look(1.0)
  assert not isinstance(caught.value, launching.CoreLost)  # It would raise the same again.


def test_the_core_is_lost_where_it_is_killed_and_a_leaf_is_not(monkeypatch):
  started = _Started(monkeypatch, 1)
  for now in (0.0, 100.0):
    started.tasks[-1].failure = _KILLED
    if now:
      with pytest.raises(launching.NodeFailed) as caught:
        started.look(now)
    else:
      started.look(now), started.look(now + 50.0)
  assert not isinstance(caught.value, launching.CoreLost)
  started.tasks[-1].failure = None
  started.tasks[0].failure = _KILLED
  with pytest.raises(launching.CoreLost, match='killed by SIGKILL') as caught:
    started.look(200.0)
  assert caught.value.node == 'learner'


def _set(monkeypatch, clock):
  for module in (restarts_lib, failures):
    monkeypatch.setattr(module, 'time', clock)


class _Attempts:
  """A run that is lost the first `lost` times, and how often it was begun."""

  def __init__(self, lost):
    self._lost, self.begun = lost, 0

  def __call__(self):
    self.begun += 1
    if self.begun <= self._lost:
      raise outcomes.CoreLost('replay', 'It was killed by SIGKILL.')


@pytest.mark.parametrize('most, lost', [(None, 3), (1, 1), (0, 0)])
def test_a_run_whose_core_is_lost_begins_again_as_often_as_it_may(most, lost, monkeypatch):
  now = [0.0]
  clock = types.SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.append(now.pop() + seconds))
  _set(monkeypatch, clock)
  attempts = _Attempts(lost)
  restarts_lib.until_it_ends(attempts, most, lambda: attempts.begun)
  assert attempts.begun == lost + 1
  assert now[0] == pytest.approx(lost, abs=0.2)  # A second before each, since there was a newer checkpoint.
  attempts = _Attempts(lost + 1)
  with pytest.raises(outcomes.CoreLost):
    restarts_lib.until_it_ends(attempts, most, lambda: attempts.begun)
  assert attempts.begun == lost + 1


def test_a_run_that_is_lost_time_after_time_without_a_newer_checkpoint_ends(monkeypatch):
  now = [0.0]
  clock = types.SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.append(now.pop() + 1800.0))
  _set(monkeypatch, clock)  # Each attempt takes half an hour.
  reached = [0, 10, 20, 20, 20, 20, 20]  # at the beginning, and after each loss
  attempts = _Attempts(100)
  with pytest.raises(outcomes.CoreLost):
    restarts_lib.until_it_ends(attempts, 3, lambda: reached[attempts.begun])
  assert attempts.begun == 6  # Two with a newer checkpoint, and three of the four without have been begun again.


def test_one_that_comes_to_no_newer_checkpoint_waits_longer_each_time(monkeypatch):
  now = [0.0]
  clock = types.SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.append(now.pop() + seconds))
  _set(monkeypatch, clock)
  reached = [0, 10, 10, 10, 20]
  attempts = _Attempts(4)
  restarts_lib.until_it_ends(attempts, 10, lambda: reached[attempts.begun])
  assert now[0] == pytest.approx(1 + 2 + 4 + 1, abs=0.3)


def test_a_run_that_waits_to_begin_again_can_be_stopped(monkeypatch):
  sleep = lambda seconds: os.kill(os.getpid(), signal.SIGTERM)  # It waits, and so hears of the signal.
  _set(monkeypatch, types.SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
  with pytest.raises(outcomes.Interrupted) as caught:
    restarts_lib.until_it_ends(_Attempts(1), 1, lambda: 0)
  assert caught.value.signum == signal.SIGTERM and not caught.value.saved


def test_a_mistake_of_the_user_is_not_made_again(monkeypatch):
  started = _Started(monkeypatch)
  started.tasks[1].failure = supervising.Failure('The reward is None.', mistake=True)
  with pytest.raises(tfacme.UserError, match='^The reward is None[.]$'):
    started.look(1.0)


def test_the_core_is_blamed_for_leaves_that_have_lost_it(monkeypatch):
  started = _Started(monkeypatch)
  started.tasks[1].failure = started.tasks[2].failure = _MISSED
  started.look(1.0)
  started.tasks[0].failure = _BROKEN
  with pytest.raises(launching.NodeFailed) as caught:
    started.look(1.5)
  assert caught.value.node == 'learner'


class _Breaking(environment.TwoStates):
  """Breaks once, in one environment of all: at its step `at`."""

  def __init__(self, seed, broken, how, at):
    super().__init__(seed)
    self._broken, self._how, self._at, self._made = broken, how, at, 0

  def step(self, action) -> dm_env.TimeStep:
    self._made += 1
    if self._made == self._at:
      try:
        os.close(os.open(self._broken, os.O_CREAT | os.O_EXCL))
      except FileExistsError:
        pass
      else:
        self._how()
    return super().step(action)


def _raise():
  raise OSError('the simulator is gone')


def _kill():
  os.kill(os.getpid(), signal.SIGKILL)


def _hang():
  time.sleep(60)


_SAID = {
  _raise: 'OSError: the simulator is gone',
  _kill: 'It was killed by SIGKILL.',
  _hang: 'TimeoutError: step of the environment did not return within 1.5 s (environment_timeout)',
}


@pytest.mark.parametrize(
  'engine, how, who',
  [
    ('inline', _raise, 'actor'),
    ('inline', _raise, 'evaluator'),
    ('local_mt', _raise, 'actor'),
    ('local_mp', _raise, 'evaluator'),
    ('local_mp', _hang, 'actor'),
    pytest.param('local_mt', _hang, 'evaluator', marks=pytest.mark.slow),
    pytest.param('local_mp', _kill, 'actor', marks=pytest.mark.slow),
  ],
)
def test_a_run_goes_on_to_its_end_without_a_leaf_for_a_while(engine, how, who, tmp_path, caplog):
  broken = str(tmp_path / 'broken')
  sound, breaks = environment.TwoStates, lambda seed: _Breaking(seed, broken, how, 100 if who == 'actor' else 4)
  experiment = dataclasses.replace(
    on_policy.experiment(),
    environment=breaks if who == 'actor' else sound,
    evaluation=tfacme.Evaluation(environment=sound if who == 'actor' else breaks, every=100, episodes=20),
    layout=tfacme.Layout(actors=2, restarts=1, environment_timeout=1.5 if how is _hang else None),
  )
  with caplog.at_level(logging.WARNING):
    tfacme.train(experiment, str(tmp_path / 'run'), engine, progress=False)
  (said,) = [message for message in caplog.messages if 'made anew' in message]
  assert said.startswith(f'The node {who}')
  assert _SAID[how] in said
  final = testing.logs(tmp_path / 'run')['evaluator'][-1]
  assert int(final['actor_steps']) == experiment.budget.steps  # what was counted before it broke is counted once
  assert float(final['episode_return']) >= environment.BEST - 0.5
  for node in ('actor-0', 'actor-1', 'evaluator'):
    rows = loggers.read(str(tmp_path / 'run' / 'logs' / f'{node}.csv'))
    steps = [int(row['actor_steps']) for row in rows]
    assert steps and steps == sorted(steps) and (who == 'actor' or node != 'evaluator' or len(set(steps)) == len(steps))
