"""Numbers that change as a run goes on."""

import pytest
import tensorflow as tf

from tfacme import errors, schedules


def _value(schedule, steps):
  got = schedules.value(schedule, tf.constant(steps, tf.int64))
  assert got.dtype == tf.float32 and got.shape == ()
  return got.numpy()


@pytest.mark.parametrize('steps', [0, 5, 10**9])
def test_a_constant_stays(steps):
  assert _value(0.25, steps) == 0.25
  assert _value(1, steps) == 1.0


@pytest.mark.parametrize(
  'schedule, wanted',
  [
    ((1.0, 0.1, 100), {0: 1.0, 50: 0.55, 100: 0.1, 101: 0.1, 10**12: 0.1}),
    ((0.4, 1.0, 3), {0: 0.4, 1: 0.6, 2: 0.8, 3: 1.0, 4: 1.0}),
    ((2, 4, 1), {0: 2.0, 1: 4.0, 2: 4.0}),
  ],
)
def test_a_line_goes_from_start_to_end_and_stays_there(schedule, wanted):
  assert {steps: _value(schedule, steps) for steps in wanted} == pytest.approx(wanted, rel=1e-6)


def test_a_schedule_works_inside_a_graph():
  @tf.function(input_signature=[tf.TensorSpec([], tf.int64)])
  def value(steps):
    return schedules.value((1.0, 0.0, 10), steps)

  assert [round(float(value(tf.constant(steps, tf.int64))), 5) for steps in (0, 3, 20)] == [1, 0.7, 0]


@pytest.mark.parametrize(
  'schedule, message',
  [
    (1.5, 'epsilon is 1.5, and has to be at most 1'),
    (-0.1, 'epsilon is -0.1, and has to be at least 0'),
    ((2.0, 0.1, 10), 'epsilon is 2.0'),
    ((1.0, -0.1, 10), 'epsilon is -0.1'),
    ((1.0, 0.1, 0), 'number of steps of epsilon is 0'),
    (float('nan'), 'epsilon is nan'),
    ((0.1, float('nan'), 10), 'epsilon is nan'),
    ((1.0, 0.1), r'has to be a number, \(start, end, steps\), or'),
    ((1.0, 0.1, 'half'), "ends at 'half', and has to end after a number of steps, or at a share of the run"),
    ((1.0, 0.1, '0%'), "ends at '0%'"),
    ((1.0, 0.1, '101%'), "ends at '101%'"),
    ((1.0, 0.1, '-5%'), "ends at '-5%'"),
    ((1.0, 0.1, 0.5), 'number of steps of epsilon is 0.5, and has to be a whole number'),
  ],
)
def test_values_out_of_bounds_are_refused_in_one_sentence(schedule, message):
  with pytest.raises(errors.UserError, match=message) as caught:
    schedules.check('epsilon', schedule, low=0, high=1)
  assert str(caught.value).count('\n') == 0


@pytest.mark.parametrize(
  'schedule', [0, 1.0, 0.5, (1.0, 0.0, 1), (0.0, 1.0, 10**9), (1.0, 0.0, '100%'), (0, 1, '0.5%')]
)
def test_values_within_bounds_pass(schedule):
  schedules.check('epsilon', schedule, low=0, high=1)


@pytest.mark.parametrize(
  'share, budget, steps', [('10%', 2_500_000, 250_000), ('100%', 777, 777), ('0.7%', 10**6, 7_000), ('33%', 100, 33)]
)
def test_a_share_of_the_run_is_as_exact_as_a_number_of_steps(share, budget, steps):
  for done in (0, 1, 3, steps // 3, steps - 1, steps, budget):
    with schedules.in_run(tf.constant(done, tf.int64), budget):
      assert _value((2.5e-3, 1e-5, share), 5) == _value((2.5e-3, 1e-5, steps), done)


def test_a_share_of_no_run_is_refused():
  with pytest.raises(errors.UserError, match='ends at a share of a run, and there is none here'):
    _value((1.0, 0.0, '50%'), 3)
  with schedules.in_run(tf.constant(3), 10), schedules.in_run(tf.constant(3), None):
    with pytest.raises(errors.UserError):
      _value((1.0, 0.0, '50%'), 3)
