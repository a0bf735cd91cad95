"""Which call of an environment does not return, where, and for how long; quick ones are no news."""

import threading
import time

import dm_env
import pytest
from dm_env import specs as dm_specs

from tfacme.launching import inline
from tfacme.workers import hanging


class _Waits(dm_env.Environment):
  """Returns from a reset when it may."""

  def __init__(self):
    self.may = threading.Event()

  def reset(self):
    self.may.wait(20)

  def step(self, action):
    time.sleep(action)

  def observation_spec(self):
    return dm_specs.Array((), float)

  def action_spec(self):
    return dm_specs.Array((), float)


class _Around(_Waits):
  """A wrapper."""

  def __init__(self, environment):
    self._environment = environment

  def reset(self):
    return self._environment.reset()


def _within(work, seconds):
  """What is told of a thread while it works, and when it began to."""
  told, begun = [], time.monotonic()
  with hanging.looked_after(told.append, seconds, period=0.02):
    work()
    time.sleep(0.2)
  return told, begun


@pytest.mark.parametrize('wrapped', [False, True])
def test_a_call_that_does_not_return_is_told_until_it_does(wrapped):
  inner = _Waits()
  environment = _Around(inner) if wrapped else inner

  def work(slot=3):
    threading.Timer(0.6, inner.may.set).start()
    environment.reset()

  told, _ = _within(work, 0.3)
  *calls, end = told
  assert end is None and len(calls) > 1 and None not in calls
  assert [call.seconds for call in calls] == sorted(call.seconds for call in calls)
  assert 0.3 <= calls[0].seconds < 0.6
  assert calls[0].slot == 3 and calls[0].method == 'reset'
  assert str(calls[0]).startswith('reset() of its environment in slot 3, at test_hanging.py:')
  assert 'self.may.wait(20)' in calls[0].stack


def test_many_quick_calls_are_none_that_is_long():
  environment = _Waits()
  told, begun = _within(lambda: [environment.step(0.03) for _ in range(20)], 0.3)
  assert time.monotonic() - begun > 0.6
  assert told == []


def test_a_long_wait_for_something_else_is_no_call():
  told, _ = _within(lambda: time.sleep(0.5), 0.1)
  assert told == []


def test_a_run_in_one_thread_tells_of_it_once(caplog):
  told = inline._Hanging()
  call = hanging.Call('step', None, 'simulator.py:31', '', 10.2)
  for heard in (call, call._replace(seconds=11.2), None, call):
    told(heard)
  line = (
    'The run has been in step() of its environment, at simulator.py:31 for 10 s; a second Ctrl-C does not wait for it.'
  )
  assert caplog.messages == [line, line]
