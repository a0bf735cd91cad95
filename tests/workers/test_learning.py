"""The learner by itself: in a notebook, and what it saves of batches that it has read and not learned from yet."""

import threading
import time
import types

import numpy as np
import pytest
import tensorflow as tf

import tfacme
from tfacme import core, environments, errors, networks
from tfacme.agents import dqn
from tfacme.replay import readers
from tfacme.workers import counting, learning, tallies


def test_it_learns_from_a_batch_of_your_own():
  experiment = tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig(n_step=1)),
    networks=dqn.mlp_networks(hidden_sizes=(8,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=1),
  )
  learner = tfacme.make_learner(experiment)
  rows = (4, 2)
  steps = core.Step(
    observation=np.ones((4, 2, 10, 5), np.float32),
    action=np.zeros(rows, np.int32),
    reward=np.ones(rows, np.float32),
    discount=np.zeros(rows, np.float32),
    first=np.zeros(rows, bool),
    last=np.tile([False, True], (4, 1)),
  )
  info = core.Info(
    key=np.zeros(4, np.uint64),
    probability=np.full(4, 0.25, np.float32),
    table_size=np.full(4, 4, np.int64),
    age=np.zeros(4, np.int64),
    source=np.zeros(4, np.int32),
  )
  batch = core.Batch(steps, 1.0 - steps.last.astype(np.float32), info)
  losses = [float(learner.update(batch).metrics['loss']) for _ in range(200)]
  assert learner.steps == 200
  assert losses[-1] < 0.01 < losses[0]


class Numbers:
  """A source of 0, 1, 2, ...; before each number it waits once."""

  def __init__(self):
    self.next, self.waits = 0, False

  def read(self, wait, now):
    self.waits = not self.waits
    if self.waits:
      return core.Blocked('the next number')
    self.next += 1
    return readers.Opened(np.array([self.next - 1], np.int64), None)

  def specs(self):
    return tf.TensorSpec([1], tf.int64)

  def unpack(self, packed):
    return types.SimpleNamespace(number=packed, info=types.SimpleNamespace(age=packed))

  def exhausted(self):
    return False

  def write_priorities(self, token, priorities):
    raise AssertionError

  def state(self):
    return self.next

  def set_state(self, state):
    self.next = state


class Sum(tf.Module):
  """Learns the sum of the numbers."""

  def __init__(self):
    super().__init__()
    self.sum = tf.Variable(0, dtype=tf.int64)
    self.published = {}

  def __call__(self, batch):
    self.sum.assign_add(batch.number[0])
    return core.UpdateOutput({'loss': tf.cast(self.sum, tf.float32)}, None)


class Breaking(Sum):
  """Has no loss any more once the sum is 3."""

  def __call__(self, batch):
    output = super().__call__(batch)
    return output._replace(metrics={'loss': tf.math.log(3.0 - output.metrics['loss'])})


def make_learner(kind=Sum, **parts):
  update = kind()
  counter = counting.Counter(100, 'actor_steps', [[], ['actor-0'], ['learner']])
  parts = {
    'logger': types.SimpleNamespace(write=lambda row: None, close=lambda: None),
    'updates_per_call': 3,
    'source': Numbers(),
    **parts,
  }
  tally = tallies.Tally('learner', counter)
  learner = learning.Learner(
    learning.LearnerParts(name='learner', update=update, random=networks.Randomness(3), tally=tally, **parts)
  )
  return update, learner, counter


def test_the_first_steps_have_a_row_each():
  rows = []
  logger = types.SimpleNamespace(write=rows.append, close=lambda: None)
  _, learner, _ = make_learner(logger=logger, log_every=5, updates_per_call=1)
  while learner.steps < 21:
    learner.step(0.0)
  assert [row['learner_steps'] for row in rows] == [1, 2, 3, 4, 5, 10, 15, 20]


@pytest.mark.parametrize('agent, expert, mean', [([4, 2], [-1, -1], 3.0), ([-1], [-1, -1], 0.0)])
def test_the_age_of_samples_is_that_of_those_that_are_not_recorded(agent, expert, mean):
  class Aged(Numbers):
    def unpack(self, packed):
      ages = {'agent': agent, 'expert': expert}
      return {k: types.SimpleNamespace(info=types.SimpleNamespace(age=tf.constant(v))) for k, v in ages.items()}

  class Idle(Sum):
    def __call__(self, batch):
      return core.UpdateOutput({'loss': tf.zeros([])})

  rows = []
  logger = types.SimpleNamespace(write=rows.append, close=lambda: None)
  _, learner, _ = make_learner(Idle, source=Aged(), logger=logger, updates_per_call=1)
  while learner.steps < 1:
    learner.step(0.0)
  assert rows[0]['sample_age'] == mean


def test_a_learner_that_has_met_a_nan_is_neither_saved_nor_given_out(tmp_path):
  _, learner, _ = make_learner(Breaking, updates_per_call=1)
  with pytest.raises(errors.NonFiniteError, match='learner at learner step 3: loss is -inf'):
    while learner.steps < 5:
      learner.step(0.0)
  with pytest.raises(errors.NonFiniteError):
    learner.save(str(tmp_path))
  with pytest.raises(errors.NonFiniteError):
    learner.get([], -1)
  assert not list(tmp_path.iterdir())


def test_a_save_comes_between_two_waits_for_data(monkeypatch, tmp_path):
  _, learner, _ = make_learner()
  monkeypatch.setattr(learner._source, 'read', lambda wait, now: time.sleep(wait) or core.Blocked('data'))
  stop = threading.Event()

  def wait_for_data():
    while not stop.is_set():
      learner.step(0.05)

  waiting = threading.Thread(target=wait_for_data, daemon=True)
  waiting.start()
  begun = time.monotonic()
  for i in range(10):
    (tmp_path / str(i)).mkdir()
    learner.save(str(tmp_path / str(i)))
  took = time.monotonic() - begun
  stop.set()
  waiting.join()
  assert took < 10  # Each waits for one read at most, and writes a small file.


def test_batches_that_were_read_for_a_call_that_never_came_are_read_again(tmp_path):
  update, learner, counter = make_learner()
  while learner.steps < 6:
    learner.step(0.0)
  for _ in range(3):
    learner.step(0.0)
  assert learner.steps == 6 and update.sum.numpy() == sum(range(6))
  assert len(learner._batches) > 0
  digest = learner.save(str(tmp_path))
  other_update, other, counter = make_learner()
  assert other.restore(str(tmp_path)) == digest
  assert counter.status()['totals']['learner_steps'] == 6
  while other.steps < 9:
    other.step(0.0)
  assert other_update.sum.numpy() == sum(range(9))


def test_an_update_that_does_not_keep_the_contract_is_named():
  class Silent(Sum):
    def __init__(self):
      super().__init__()
      del self.published

  class Metrics(Sum):
    def __call__(self, batch):
      return super().__call__(batch).metrics

  with pytest.raises(errors.UserError, match='^Silent has no `published`'):
    make_learner(Silent)
  with pytest.raises(errors.UserError, match=r'^Metrics \(.*\) returned a dict, and has to return a core.UpdateOutput'):
    make_learner(Metrics)[1].step(0.0)


class Nested(Numbers):
  """Batches of an agent around another one: some of its own beside those of the agent inside, which has two."""

  def __init__(self):
    super().__init__()
    self.written = []

  def unpack(self, packed):
    batch = super().unpack(packed)
    return {'own': batch, 'agent': {'replay': batch, 'demonstrations': batch}}

  def write_priorities(self, token, priorities):
    self.written.append(priorities)


class Prioritizing(Sum):
  def __call__(self, batch):
    number = tf.cast(batch['own'].number, tf.float32)
    return core.UpdateOutput(
      {'loss': number[0]}, {'own': number + 1.0, 'agent': {'replay': number + 2.0, 'demonstrations': None}}
    )


def test_priorities_go_back_into_sources_within_sources():
  source = Nested()
  _, learner, _ = make_learner(Prioritizing, source=source)
  while not source.written:
    learner.step(0.0)
  assert source.written == [
    {'own': [number + 1], 'agent': {'replay': [number + 2], 'demonstrations': None}} for number in range(3)
  ]


class Publishing(Sum):
  def __init__(self):
    super().__init__()
    self.published = {'policy': self, 'sum': [self.sum]}


def test_all_who_ask_for_one_version_are_given_the_same_answer():
  _, learner, _ = make_learner(Publishing)
  first = learner.get(['policy'], -1)
  assert learner.get(['policy'], -1) is first and learner.get(['policy'], 0) is None
  version, (values, listed) = learner.get(['policy', 'sum'], -1)
  assert version == 0 and {**values, **listed} == {'sum': 0, '0': 0}
  while learner.steps < 3:
    learner.step(0.0)
  assert learner.get(['policy'], 0) == (3, [{'sum': 3}]) and first == (0, [{'sum': 0}])
