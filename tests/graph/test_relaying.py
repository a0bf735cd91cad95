"""Variables that come through a relay."""

import numpy as np
import pytest

from tfacme.graph import relaying, remote
from tfacme.workers import counting


class _Answer:
  def __init__(self, call):
    self._call = call
    self.is_done = True

  def done(self):
    return self.is_done

  def result(self):
    return self._call()


class _Learner:
  """Serves its version as the value of the one variable that there is, as a client of another process does."""

  def __init__(self):
    self.version = 0
    self.asked = 0
    self.fails = self.pends = False
    self.begun = []

  def get(self, names, newer_than):
    self.asked += 1
    if self.fails:
      raise remote.RemoteError('get of the node relay-0 did not answer within 20 seconds.')
    if self.version <= newer_than:
      return None
    return self.version, [{'value': np.full(2, self.version)} for _ in names]

  def begin(self, method, *arguments):
    answer = _Answer(lambda: getattr(self, method)(*arguments))
    answer.is_done = not self.pends
    self.begun.append(answer)
    return answer


def _value(answer):
  version, (values,) = answer
  return version, values['value'].tolist()


def test_a_relay_asks_for_newer_ones_once_for_all_who_ask_it():
  learner = _Learner()
  counter = counting.Counter(100, 'actor_steps', [[]])
  relay = relaying.Relay.of('relay-0', counter, learner)
  assert counter.lives('relay-0') == 1
  assert _value(relay.get(['policy'], -1)) == (0, [0, 0])
  learner.begun[0].is_done = False
  for _ in range(100):
    assert relay.get(['policy'], 0) is None
  assert learner.asked == 1 and len(learner.begun) == 1  # One request is on its way, and no other one begins.
  learner.version = 3
  learner.begun[0].is_done = True
  answers = [relay.get(['policy'], 0) for _ in range(2)]
  assert _value(answers[0]) == (3, [3, 3])
  assert answers[0] is answers[1]  # packed once for all


def test_what_actors_pull_by_other_names_is_apart():
  learner = _Learner()
  relay = relaying.Relay(learner)
  learner.version = 1
  assert _value(relay.get(['policy'], -1)) == (1, [1, 1])
  learner.version = 2
  assert _value(relay.get(['average'], -1)) == (2, [2, 2])
  assert _value(relay.get(['policy'], -1))[0] in (1, 2)


def test_what_a_relay_holds_is_packed_once():
  relay = relaying.Relay(_Learner())
  packed = []
  answer = relay.get(['policy'], -1)
  for _ in range(2):
    answer.packed(lambda value: packed.append(value) or b'packed')
  assert len(packed) == 1 and packed[0][1][0]['value'].tolist() == [0, 0]


def test_an_actor_asks_the_learner_while_its_relay_does_not_answer():
  now = [0.0]
  relay, learner = _Learner(), _Learner()
  source = relaying.Relayed(relay, learner, clock=lambda: now[0])
  relay.version, learner.version = 1, 2
  assert _value(source.get(['policy'], -1)) == (1, [1, 1])
  relay.fails = True
  pending = source.begin('get', ['policy'], 1)
  assert pending.done() and _value(pending.result()) == (2, [2, 2])
  relay.fails, asked = False, relay.asked
  now[0] += 10
  assert _value(source.get(['policy'], -1)) == (2, [2, 2]) and relay.asked == asked
  now[0] += 30
  relay.version, relay.fails = 5, True
  assert _value(source.get(['policy'], -1)) == (2, [2, 2])  # The relay was asked beside the learner, in vain.
  assert relay.asked == asked + 1
  relay.fails = False
  now[0] += 40
  relay.pends = True
  assert _value(source.get(['policy'], -1)) == (2, [2, 2])  # Nobody waits for it.
  relay.begun[-1].is_done = True
  assert _value(source.get(['policy'], -1)) == (5, [5, 5])


def test_a_learner_that_does_not_answer_is_an_error():
  relay, learner = _Learner(), _Learner()
  relay.fails = learner.fails = True
  with pytest.raises(remote.RemoteError):
    relaying.Relayed(relay, learner).get(['policy'], -1)


def test_in_one_thread_the_learner_itself_is_asked():
  class Here:
    def get(self, names, newer_than):
      return None

  learner = Here()
  assert relaying.Relayed.of(relaying.Relay(learner), learner) is learner
