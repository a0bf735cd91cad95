"""Steps that are taken now and then."""

import tensorflow as tf

from tfacme import networks, updates


class _Delayed(tf.Module):
  def __init__(self):
    super().__init__()
    self.taken, self.traced = tf.Variable(0), 0
    self.every = updates.Every(3)

  def __call__(self):
    return self.every(self._step)

  def _step(self):
    self.traced += 1
    self.taken.assign_add(1)
    drawn = tf.random.stateless_uniform([], networks.draw())
    return {'taken': self.taken.read_value(), 'drawn': drawn}


def _calls(delayed, count):
  random = networks.Randomness(1)

  @tf.function(autograph=False)
  def call():
    with random.step():
      return delayed()

  return [{name: float(value) for name, value in call().items()} for _ in range(count)]


def test_it_is_taken_in_the_first_call_of_each_period_and_traced_once():
  delayed = _Delayed()
  assert [metrics['taken'] for metrics in _calls(delayed, 7)] == [1, 1, 1, 2, 2, 2, 3]
  assert delayed.taken.numpy() == 3
  assert delayed.traced <= 2  # the second for the variables that the first trace made


def test_it_goes_on_from_a_checkpoint(tmp_path):
  first = _Delayed()
  before = _calls(first, 4)
  tf.train.Checkpoint(delayed=first).write(str(tmp_path / 'saved'))
  later = _Delayed()
  _calls(later, 1)
  tf.train.Checkpoint(delayed=later).read(str(tmp_path / 'saved')).assert_consumed()
  assert [metrics['taken'] for metrics in _calls(later, 3)] == [2, 2, 3]
  assert before[-1]['taken'] == 2
