"""Random numbers inside networks: one seed for each draw, wherever a step is traced."""

import numpy as np
import pytest
import tensorflow as tf

from tfacme import errors, networks


def _uniform():
  return tf.random.stateless_uniform([], networks.draw())


def _steps(random, count, draws=2):
  """The numbers [count, draws] of so many steps, compiled."""

  @tf.function(autograph=False)
  def step():
    with random.step():
      return tf.stack([_uniform() for _ in range(draws)])

  return np.stack([step().numpy() for _ in range(count)])


def test_no_draw_gives_the_numbers_of_another():
  assert len(np.unique(_steps(networks.Randomness(3), 10))) == 20
  assert not np.array_equal(_steps(networks.Randomness(3), 1), _steps(networks.Randomness(4), 1))


def test_it_goes_on_from_a_checkpoint(tmp_path):
  whole = _steps(networks.Randomness(3), 5)
  random = networks.Randomness(3)
  _steps(random, 2)
  tf.train.Checkpoint(random=random).write(str(tmp_path / 'saved'))
  later = networks.Randomness(3)
  tf.train.Checkpoint(random=later).read(str(tmp_path / 'saved')).assert_consumed()
  np.testing.assert_array_equal(_steps(later, 3), whole[2:])


def test_several_steps_in_one_graph_draw_what_single_ones_do():
  random = networks.Randomness(3)

  @tf.function(autograph=False)
  def twice():
    drawn = []
    for _ in range(2):
      with random.step():
        drawn.append(tf.stack([_uniform(), _uniform()]))
    return tf.stack(drawn)

  np.testing.assert_array_equal(np.concatenate([twice(), twice()]), _steps(networks.Randomness(3), 4))


def test_elsewhere_it_is_a_mistake():
  with pytest.raises(errors.UserError, match='no seed to give here'):
    networks.draw()


def test_a_branch_may_draw_and_a_loop_may_not():
  @tf.function(autograph=False)
  def branch(on):
    with networks.drawing(tf.constant([1, 2])):
      return tf.cond(on, _uniform, lambda: 0.0), _uniform()

  first, second = branch(tf.constant(True))
  assert first != second and branch(tf.constant(False))[1] == second

  @tf.function(autograph=False)
  def loop():
    with networks.drawing(tf.constant([1, 2])):
      return tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x + _uniform()), (0, 0.0))

  with pytest.raises(errors.UserError, match='each turn of which would draw the same numbers'):
    loop()

  @tf.function(autograph=False)
  def named(on):
    with networks.drawing(tf.constant([1, 2])):
      chosen = tf.switch_case(tf.cast(on, tf.int32), [_uniform, lambda: 0.0])
      return tf.cond(on, _uniform, lambda: 0.0, name='mine') + chosen

  assert named(tf.constant(True)) > 0

  inner = tf.function(_uniform, autograph=False)

  @tf.function(autograph=False)
  def nested():
    with networks.drawing(tf.constant([1, 2])):
      return inner() + inner()

  with pytest.raises(errors.UserError, match='tf.function within the step'):
    nested()


def test_a_loop_draws_by_its_index():
  @tf.function(autograph=False)
  def loop():
    with networks.drawing(tf.constant([1, 2])):
      seed = networks.draw()

      def body(i, drawn):
        with networks.drawing(networks.fold(seed, i)):
          return i + 1, drawn.write(i, _uniform())

      return tf.while_loop(lambda i, drawn: i < 3, body, (0, tf.TensorArray(tf.float32, 3)))[1].stack()

  assert len(np.unique(loop())) == 3


def test_draws_are_not_what_a_policy_draws_by_the_same_seed():
  seed = tf.constant([5, 6])
  with networks.drawing(seed):
    drawn = {tuple(networks.draw().numpy()) for _ in range(20)}
  folded = {tuple(networks.fold(seed, i).numpy()) for i in range(20)} | {(5, 6)}
  assert len(drawn) == 20 and not drawn & folded
