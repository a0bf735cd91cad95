"""Who waits for a rate limiter is told where it is the server that does not answer."""

import threading
import time

import reverb

from tfacme.replay import items, reverb_answers, tables


class _Client:
  """A client whose server answers or does not."""

  def __init__(self):
    self.asked = threading.Semaphore(0)
    self.silent = False

  def server_info(self, timeout):
    assert timeout == 5
    self.asked.release()
    if self.silent:
      raise reverb.errors.DeadlineExceededError('late')


def _settled(waiter, reason):
  """What it waits for in the end."""
  deadline = time.monotonic() + 10
  while waiter.blocked().reason != reason and time.monotonic() < deadline:
    time.sleep(0.01)
  return waiter.blocked().reason


def test_a_server_that_answers_is_not_blamed(reverb_backend):
  client = reverb_backend.replay([tables.Table(items.Items(2), tables.min_size(4), 100)])._client
  now = [0.0]
  asked = reverb_answers.Asked(client, lambda: now[0])
  asked._silent = True
  asked._ask()
  assert asked.answers()
  waiter = reverb_answers.Waiter(asked, 'the limiter')
  for now[0] in (0.0, 6.0, 30.0):
    assert waiter.blocked().reason == 'the limiter'


def test_a_server_is_asked_by_who_has_waited_for_some_seconds():
  now, client = [0.0], _Client()
  waiter = reverb_answers.Waiter(reverb_answers.Asked(client, lambda: now[0]), 'the limiter')
  assert waiter.blocked().reason == 'the limiter'
  now[0] = 4.9
  assert waiter.blocked().reason == 'the limiter' and not client.asked.acquire(blocking=False)
  now[0] = 5.0
  assert waiter.blocked().reason == 'the limiter' and client.asked.acquire(timeout=10)
  client.silent = True
  now[0] = 15.1
  assert _settled(waiter, silent := 'the replay server, which does not answer') == silent
  assert client.asked.acquire(timeout=10) and not client.asked.acquire(blocking=False)  # but once in ten seconds
  client.silent = False
  now[0] = 25.2
  assert _settled(waiter, 'the limiter') == 'the limiter'
  waiter.served()
  client.silent = True
  now[0] = 100.0
  assert waiter.blocked().reason == 'the limiter'  # It waits anew.
