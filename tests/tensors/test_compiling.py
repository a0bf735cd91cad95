"""Compiled functions: called with flat leaves, seeded apart from all else, with variables that can be copied."""

import collections
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import mistakes
from tfacme.tensors import compiling

Pair = collections.namedtuple('Pair', ['left', 'right'])
VECTOR = tf.TensorSpec([None], tf.float32)


def test_nests_go_in_and_come_out():
  def function(pair, scale):
    return {'sum': pair.left + pair.right['x'], 'scaled': (pair.left * scale, [scale])}

  scalar = tf.TensorSpec([], tf.float32)
  compiled = compiling.Compiled(function, [Pair(VECTOR, {'x': VECTOR}), scalar])
  got = compiled(Pair(np.float32([1, 2]), {'x': np.float32([10, 20])}), np.float32(3))
  assert got['sum'].numpy().tolist() == [11, 22]
  assert got['scaled'][0].numpy().tolist() == [3, 6]
  assert got['scaled'][1][0].numpy() == 3
  assert compiled.outputs == {'sum': VECTOR, 'scaled': (VECTOR, [scalar])}


def test_flat_leaves_are_in_the_order_of_the_nests():
  compiled = compiling.Compiled(lambda a, b: {'y': a['q'] - b, 'x': a['p']}, [{'q': VECTOR, 'p': VECTOR}, VECTOR])
  flat = compiled.flat([np.float32([1]), np.float32([5]), np.float32([2])])  # p, q and b
  assert [leaf.numpy().tolist() for leaf in flat] == [[1], [3]]  # x and y
  packed = compiled.pack(flat)
  assert packed['x'].numpy() == 1 and packed['y'].numpy() == 3


def test_no_result_is_an_empty_one():
  variable = tf.Variable(0.0)

  def add(x):
    variable.assign_add(tf.reduce_sum(x))

  compiled = compiling.Compiled(add, [VECTOR])
  assert compiled(np.float32([1, 2])) == ()
  assert variable.numpy() == 3


def test_variables_are_used_as_they_are_at_the_call():
  variable = tf.Variable([1.0, 2.0])
  compiled = compiling.Compiled(lambda x: x * variable, [VECTOR])
  assert compiled(np.float32([1, 1])).numpy().tolist() == [1, 2]
  variable.assign([5.0, 6.0])
  assert compiled(np.float32([1, 1])).numpy().tolist() == [5, 6]


def test_it_is_traced_once():
  traces = []
  compiled = compiling.Compiled(lambda x: traces.append(x) or x, [VECTOR])
  for size in (1, 2, 3):
    assert compiled(np.ones(size, np.float32)).shape == (size,)
  assert len(traces) == 1


def _draws(seed, count=3):
  compiled = compiling.Compiled(lambda: tf.random.uniform([4]), [], seed=seed)
  return [compiled().numpy().tolist() for _ in range(count)]


def test_random_operations_follow_the_seed():
  first = _draws(1)
  assert first == _draws(1)
  assert first != _draws(2)
  assert first[0] != first[1]


def test_the_global_seed_is_left_alone():
  tf.random.set_seed(5)
  before = tf.random.uniform([4]).numpy().tolist()
  tf.random.set_seed(5)
  _draws(3)
  assert tf.random.uniform([4]).numpy().tolist() == before


def test_the_global_seed_has_no_say():
  tf.random.set_seed(1)
  first = _draws(7)
  tf.random.set_seed(2)
  assert _draws(7) == first


def test_specs_of_tensors_have_more_dimensions_in_front():
  specs = {'x': dm_specs.Array((3, 2), np.uint8), 'y': dm_specs.DiscreteArray(4)}
  assert compiling.tensor_specs(specs, None, 5) == {
    'x': tf.TensorSpec([None, 5, 3, 2], tf.uint8),
    'y': tf.TensorSpec([None, 5], tf.int32),
  }
  assert compiling.tensor_specs(specs)['x'] == tf.TensorSpec([3, 2], tf.uint8)


# --- Values of variables ---


def _variables():
  return [tf.Variable([1.0, 2.0]), tf.Variable(3, dtype=tf.int64), tf.Variable([[True]])]


def test_values_are_read_and_written_in_order():
  variables = _variables()
  values = compiling.Values(variables)
  assert [value.numpy().tolist() for value in values.read()] == [[1, 2], 3, [[True]]]
  values.write([np.float32([5, 6]), np.int64(7), np.array([[False]])])
  assert [variable.numpy().tolist() for variable in variables] == [[5, 6], 7, [[False]]]


@pytest.mark.parametrize('change', ['assign', 'assign_add', 'write', 'scatter'])
def test_what_was_read_stays_as_it_was(change):
  variable = tf.Variable(np.zeros(1000, np.float32))
  values = compiling.Values([variable])
  (before,) = values.read()
  if change == 'write':
    values.write([np.ones(1000, np.float32)])
  elif change == 'scatter':
    variable.scatter_nd_update([[0]], [1.0])
  else:
    getattr(variable, change)(tf.ones(1000))
  assert not before.numpy().any()
  assert values.read()[0].numpy().any()


def _aligned():
  """An array that TensorFlow would take over without a copy."""
  memory = np.zeros(1064, np.float32)
  start = (-memory.ctypes.data % 64) // 4
  return memory[start : start + 1000]


def test_what_was_written_and_its_source_change_apart():
  variables = [tf.Variable(np.zeros(1000, np.float32)) for _ in range(2)]
  new = _aligned()
  for variable in variables:
    compiling.Values([variable]).write([new])
  new[:] = 7
  variables[0].assign_add(tf.ones(1000))
  assert set(new.tolist()) == {7}
  assert [set(variable.numpy().tolist()) for variable in variables] == [{1}, {0}]


@pytest.mark.parametrize('change', ['assign_add', 'scatter'])
def test_what_was_passed_on_and_its_source_change_apart(change):
  source, target = (tf.Variable(np.zeros(1000, np.float32)) for _ in range(2))
  read = compiling.Values([source]).read()
  compiling.Values([target]).write(read)
  for variable in (source, target):
    if change == 'scatter':
      variable.scatter_nd_update([[0]], [1.0])
    else:
      variable.assign_add(tf.ones(1000))
    assert not read[0].numpy().any()
  assert source.numpy()[0] == target.numpy()[0] == 1


def test_there_may_be_no_variables():
  values = compiling.Values([])
  assert values.read() == []
  values.write([])


_UNDER_SIGNALS = """
import ctypes
import signal
import tensorflow as tf
from tfacme import mistakes
from tfacme.tensors import compiling

product = compiling.Compiled(lambda a, b: tf.matmul(a, b, transpose_a=True), [tf.TensorSpec([256, 64])] * 2)
ones = tf.ones([256, 64])
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
for _ in range(10_000):
  product.flat([ones, ones])
signal.setitimer(signal.ITIMER_REAL, 0)


class Stack(ctypes.Structure):
  _fields_ = [('pointer', ctypes.c_void_p), ('flags', ctypes.c_int), ('size', ctypes.c_size_t)]


stack = Stack()
assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
assert stack.pointer and stack.size, 'signals have no stack of their own'
"""


def test_signals_do_not_write_over_the_heap():
  # In a process of its own, since pytest brings a stack for signals. Without one, this dies in its first second where
  # the processor has AVX-512, and fails at its end elsewhere.
  subprocess.run([sys.executable, '-c', _UNDER_SIGNALS], check=True, timeout=100)


# --- Eagerly ---


def test_eagerly_each_call_runs_the_python():
  seen = []

  def function(pair, scale):
    seen.append(pair.left)
    return {'scaled': pair.left * scale, 'none': ()}

  with compiling.eagerly(seed=1):
    compiled = compiling.Compiled(function, [Pair(VECTOR, {'x': VECTOR}), tf.TensorSpec([])])
    memory = np.float32([1, 2])
    for scale in (2, 3):
      got = compiled(Pair(memory, {'x': memory}), np.float32(scale))
      assert got['scaled'].numpy().tolist() == [scale, 2 * scale] and got['none'] == ()
  memory[:] = 7
  assert [x.numpy().tolist() for x in seen] == [[1, 2]] * 2  # Nobody writes over what it was given.
  assert compiling.Compiled(lambda: tf.constant(1), []).flat([])[0].numpy() == 1


def test_eagerly_variables_are_made_by_the_first_call_or_by_a_trace():
  made = []

  def function():
    if not made:
      made.append(tf.Variable(3.0))
    return made[0].assign_add(1.0)

  with compiling.eagerly(seed=1):
    compiled = compiling.Compiled(function, [])
    assert not made
    compiled.trace()
    assert made[0].numpy() == 3.0
    assert compiled().numpy() == 4.0


def test_what_fails_in_a_graph_says_which_lines_made_it():
  def function(x):
    inner = lambda i, y: (i + 1, tf.linalg.inv(y))  # inside
    tf.debugging.assert_greater(x[0, 0], -1.0)  # outside
    return tf.while_loop(lambda i, y: i < 2, inner, [0, x])[1]

  compiled = compiling.Compiled(function, [tf.TensorSpec([2, 2])])
  with open(__file__, encoding='utf-8') as file:
    lines = file.read().splitlines()
  for value, mark in ((-3.0, '# outside'), (0.0, '# inside')):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
      compiled.flat([value * np.eye(2, dtype=np.float32)])
    line = next(i for i, line in enumerate(lines, 1) if line.endswith(mark))
    assert f'{__file__}, line {line}, in ' in mistakes.place(caught.value)


def test_a_call_that_a_profiler_sees_is_the_same():
  variable = tf.Variable(2.0)

  def function(pair, x):
    return {'b': variable.assign_add(1.0) * x, 'a': (pair.left + pair.right['x'], ())}

  compiled = compiling.Compiled(function, [Pair(VECTOR, {'x': VECTOR}), tf.TensorSpec([])])
  inputs = [np.float32([1]), np.float32([2]), np.float32(3)]
  assert [x.numpy().tolist() for x in compiled.flat(inputs)] == [[3], 9]
  assert [x.numpy().tolist() for x in compiled.visibly(inputs)] == [[3], 12]


def _two_networks(size, batch):
  """A step of two networks, which nothing keeps from being computed side by side."""
  seeds = [tf.constant([0, i]) for i in range(4)]
  weights = [tf.Variable(tf.random.stateless_normal([size, size], seed) / size**0.5) for seed in seeds]

  def step(inputs):
    with tf.GradientTape() as tape:
      first = tf.nn.relu(inputs @ weights[0]) @ weights[1]
      second = tf.nn.relu(inputs @ weights[2]) @ weights[3]
      loss = tf.reduce_mean((first - 1) ** 2) + tf.reduce_mean((second + 1) ** 2)
    for weight, gradient in zip(weights, tape.gradient(loss, weights)):
      weight.assign_sub(0.1 * gradient)
    return loss

  return compiling.Compiled(step, [tf.TensorSpec([batch, size])]), weights


def test_large_operations_are_run_in_several_threads_and_small_ones_are_not(monkeypatch):
  monkeypatch.setattr(tf.config.threading, 'get_inter_op_parallelism_threads', lambda: 2)
  assert [_two_networks(size, 64)[0]._executor for size in (8, 256)] == ['', 'DEFAULT']
  monkeypatch.setattr(tf.config.threading, 'get_inter_op_parallelism_threads', lambda: 1)
  assert _two_networks(256, 64)[0]._executor == ''


def test_whoever_runs_a_graph_it_computes_the_same(monkeypatch):
  inputs = np.random.default_rng(0).normal(size=(64, 256)).astype(np.float32)
  learned = []
  for threads in (1, 2):
    monkeypatch.setattr(tf.config.threading, 'get_inter_op_parallelism_threads', lambda n=threads: n)
    step, weights = _two_networks(256, 64)
    losses = [float(step(inputs)) for _ in range(20)]
    learned.append([losses, *(weight.numpy().tobytes() for weight in weights)])
  assert learned[0] == learned[1] and learned[0][0][-1] < learned[0][0][0]


def test_products_are_counted():
  def products(function, *shapes):
    graph = tf.function(function).get_concrete_function(*[tf.TensorSpec(shape) for shape in shapes]).graph
    return [count for count in map(compiling._products, graph.get_operations()) if count]

  assert products(lambda a, b: tf.matmul(a, b), [2, 3], [3, 5]) == [30]
  assert products(lambda a, b: tf.matmul(a, b, transpose_a=True), [3, 2], [3, 5]) == [30]
  assert products(lambda a, b: tf.matmul(a, b), [7, 2, 3], [7, 3, 5]) == [210]
  assert products(lambda a, b: tf.matmul(a, b, transpose_a=True), [7, 3, 2], [7, 3, 5]) == [210]
  assert products(lambda a, b: a @ b, [None, 3], [3, 5]) == []

  def convolve(image, kernel):
    with tf.GradientTape() as tape:
      tape.watch([image, kernel])
      loss = tf.reduce_sum(tf.nn.conv2d(image, kernel, 2, 'VALID') ** 2)
    return tape.gradient(loss, [image, kernel])

  # 2 images of 3 x 3 outputs in 5 channels, each of a window of 3 x 3 in 4 channels; forward, and twice backward.
  assert products(convolve, [2, 7, 7, 4], [3, 3, 4, 5]) == [2 * 9 * 5 * 36] * 3
