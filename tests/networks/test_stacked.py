"""A policy around single frames sees what the wrapper gives."""

import collections

import numpy as np
import pytest
import tensorflow as tf
import tree
from dm_env import specs as dm_specs

from tfacme import core, networks, specs
from tfacme.environments.wrappers import frame_stacking
from tfacme.tensors import states

Both = collections.namedtuple('Both', ['picture', 'rest'])

SPECS = {
  'board': dm_specs.Array((3, 2), np.float32),
  'scalar': dm_specs.Array((), np.int32),
  'nest': Both(
    dm_specs.Array((2, 2, 3), np.uint8),
    {
      'vector': dm_specs.Array((4,), np.float32),
      'channels_first': dm_specs.Array((2, 17, 16), np.uint8),
      'deep': dm_specs.Array((2, 2, 2, 2), np.float32),
      specs.ACTION_MASK: dm_specs.Array((3,), np.bool_),
    },
  ),
}
CONTEXT = core.Context(*[None] * len(core.Context._fields))


class _Sees(tf.Module):
  """Gives back what it sees, and counts its calls in its state."""

  def initial_state(self, batch_size):
    """No calls yet."""
    return tf.zeros([batch_size], tf.int32)

  def __call__(self, observation, state, context):
    return observation, state + 1, {'calls': state}


def _frame(spec, random):
  return np.asarray(random.integers(0, 2 if spec.dtype == np.bool_ else 200, spec.shape)).astype(spec.dtype)


@pytest.mark.parametrize('stack', [2, 4])
@pytest.mark.parametrize('spec', SPECS.values(), ids=SPECS)
def test_it_sees_what_the_wrapper_gives_also_where_episodes_begin(spec, stack):
  random = np.random.default_rng(0)
  policy = networks.StackedPolicy(_Sees(), spec, stack)
  call = tf.function(policy.__call__, autograph=False)
  state = initial = policy.initial_state(2)
  kept, calls = [collections.deque(maxlen=stack) for _ in range(2)], np.zeros(2, int)
  firsts = [(1, 1), (0, 0), (0, 1), (0, 0), (1, 0), (0, 0), (0, 0), (0, 0), (0, 1), (1, 1)]
  for first in np.array(firsts, np.bool_):
    frames = [tree.map_structure(lambda s: _frame(s, random), spec) for _ in range(2)]
    for slot in range(2):
      kept[slot].extend([frames[slot]] * (stack if first[slot] else 1))
    calls = np.where(first, 0, calls)
    state = states.restart(tf.constant(first), initial, state)
    batch = tree.map_structure(lambda *leaves: tf.constant(np.stack(leaves)), *frames)
    seen, state, extras = call(batch, state, CONTEXT)
    assert extras['calls'].numpy().tolist() == calls.tolist()
    calls = calls + 1
    wanted = tree.map_structure(lambda *x: np.stack(x), *[frame_stacking.stack(list(own)) for own in kept])
    for a, b in zip(tree.flatten(seen), tree.flatten(wanted), strict=True):
      assert a.dtype == b.dtype
      np.testing.assert_array_equal(a, b)
    shapes = [leaf.shape for leaf in tree.flatten(frame_stacking.stacked_spec(spec, stack))]
    assert [tuple(leaf.shape[1:]) for leaf in tree.flatten(seen)] == shapes


def test_its_variables_are_those_of_the_policy():
  inner = _Sees()
  inner.weights = [tf.Variable(1.0), tf.Variable(2.0)]
  policy = networks.StackedPolicy(inner, SPECS['board'], 3)
  assert [id(variable) for variable in policy.variables] == [id(variable) for variable in inner.variables]
