"""Rows as bytes: what is packed is what comes out, in numpy and in a TensorFlow graph."""

import collections
import functools

import numpy as np
import pytest
import tensorflow as tf
import tree
from dm_env import specs as dm_specs
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.replay import replay_testing as testing
from tfacme import core, errors
from tfacme.replay import items, packing

DTYPES = [
  'bool',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'float16',
  'int32',
  'uint32',
  'float32',
  'int64',
  'uint64',
  'float64',
]


def _random(spec, lead, seed=0):
  """Random bits of each type, but for booleans."""
  random = np.random.default_rng(seed)

  def leaf(s):
    shape, dtype = (*lead, *s.shape), np.dtype(s.dtype)
    if dtype.kind == 'b':
      return random.random(shape) < 0.5
    if dtype.kind == 'f':
      return random.normal(size=shape).astype(dtype)
    return random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)

  return tree.map_structure(leaf, spec)


def _check(spec, lead=(2, 3)):
  layout = packing.Layout(spec)
  rows = np.zeros((*lead, layout.bytes), np.uint8)
  wanted = _random(spec, lead)
  for view, leaf in zip(layout.flat_views(rows), tree.flatten(wanted)):
    view[...] = leaf
  unpack = tf.function(layout.unpack, input_signature=[tf.TensorSpec([None, None, layout.bytes], tf.uint8)])
  for got in (layout.views(rows), tree.map_structure(lambda x: x.numpy(), unpack(tf.constant(rows)))):
    tree.assert_same_structure(got, wanted)
    for a, b in zip(tree.flatten(got), tree.flatten(wanted)):
      assert (a.dtype, a.shape) == (b.dtype, b.shape)
      np.testing.assert_array_equal(a, b)


Pair = collections.namedtuple('Pair', ['left', 'right'])


def test_a_nest_of_all_types_comes_out_as_it_went_in():
  spec = {name: (dm_specs.Array((), name), [dm_specs.Array((3,), name)]) for name in DTYPES}
  _check({**spec, 'image': Pair(dm_specs.Array((7, 5, 3), np.uint8), dm_specs.Array((2, 2), np.float32))})


@pytest.mark.parametrize('dtype', DTYPES)
def test_a_single_leaf_of_each_type(dtype):
  _check(dm_specs.Array((3,), dtype))
  _check(dm_specs.Array((), dtype))


@given(
  st.lists(
    st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=3).map(tuple)), min_size=1, max_size=6
  )
)
@settings(max_examples=12, deadline=None, derandomize=True)
def test_any_shapes_beside_each_other(leaves):
  _check([dm_specs.Array(shape, dtype) for dtype, shape in leaves])


def test_an_empty_nest_takes_no_leaf():
  layout = packing.Layout(())
  assert layout.views(np.zeros((2, layout.bytes), np.uint8)) == ()


def test_views_write_into_the_rows():
  layout = packing.Layout({'x': np.zeros((), np.int32), 'y': np.zeros(2, np.float64)})
  rows = np.zeros((4, layout.bytes), np.uint8)
  layout.views(rows)['y'][2] = [1.5, -2.5]
  assert layout.views(rows)['y'].tolist() == [[0, 0], [0, 0], [1.5, -2.5], [0, 0]]
  assert not layout.views(rows)['x'].any()


def test_numbers_of_the_other_byte_order_are_converted():
  layout = packing.Layout(np.zeros((), '>f4'))
  rows = np.zeros((1, 1, layout.bytes), np.uint8)
  layout.views(rows)[...] = np.array(1.5, '>f4')
  assert layout.unpack(tf.constant(rows)).numpy() == 1.5


@pytest.mark.parametrize('dtype', ['U5', 'S3', 'O', 'c8', 'M8[s]', 'longdouble'])
def test_what_is_no_number_is_refused_in_one_sentence(dtype):
  spec = {'observation': {'name': np.zeros(2, dtype)}}
  with pytest.raises(errors.UserError, match='Replay holds numbers only, and the observation/name is of type'):
    packing.Layout(spec)


def test_what_is_no_number_is_named_also_where_it_is_all_of_an_observation():
  dtype = tf.bfloat16.as_numpy_dtype
  spec = testing.SPEC._replace(observation=dm_specs.Array((2,), dtype, 'pixels'))
  with pytest.raises(errors.UserError, match='^Replay holds numbers only, and the observation is of type bfloat16.$'):
    packing.Codec.of(spec, [items.Items(2)])
  spec = testing.SPEC._replace(extras={'state': (np.zeros(2, dtype),)})
  for rule in (items.Items(2), items.Items(2, once=('state',))):
    with pytest.raises(errors.UserError, match='the extras/state/0 is of type bfloat16.$'):
      packing.Codec.of(spec, [rule])


# --- Whole rows ---


@pytest.mark.parametrize(
  'rule',
  [items.Items(4), items.Items(4, observations='ends'), items.Items(4, once=('state',)), items.Items(None)],
)
def test_a_batch_in_the_graph_is_what_the_views_show(rule):
  codec = packing.Codec.of(testing.SPEC, [rule])
  columns = codec.rows(12)
  steps, version = codec.views(columns)
  for view, leaf in zip(tree.flatten(steps), tree.flatten(_random(testing.SPEC, (12,)))):
    view[...] = leaf
  version[:] = np.arange(12)
  rows = np.arange(12).reshape(3, 4)
  batch = {n: packing.take(column, rows, codec.which(rule)[n]) for n, column in columns.items()}
  info = packing.pack_info(3, now=20, key=np.array([1, 2**64 - 1, 3], np.uint64), probability=0.25, table_size=7)
  unpack = tf.function(functools.partial(codec.batch, rule), input_signature=codec.specs(rule, 3))
  got = unpack({n: tf.constant(column) for n, column in batch.items()}, tf.constant(info))
  wanted, _ = codec.views(batch)
  testing.same(tree.map_structure(lambda x: x.numpy(), got.steps), wanted)
  assert list(got.steps.extras) == list(testing.SPEC.extras)
  assert got.mask.dtype == tf.float32
  np.testing.assert_array_equal(got.mask, 1 - wanted.last)
  assert got.info.key.numpy().tolist() == [1, 2**64 - 1, 3]
  assert got.info.age.numpy().tolist() == [20, 16, 12]  # By the first row.
  assert got.info.probability.numpy().tolist() == [0.25] * 3
  assert got.info.table_size.numpy().tolist() == [7] * 3
  assert got.info.source.numpy().tolist() == [0] * 3


def test_what_was_recorded_has_no_age():
  codec = packing.Codec.of(testing.SPEC, [items.Items(2)])
  columns = codec.rows(3)
  codec.views(columns)[1][:] = [packing.RECORDED, 0, -1]
  rows = {name: column[:, np.newaxis].repeat(2, axis=1) for name, column in columns.items()}
  batch = codec.batch(items.Items(2), rows, packing.pack_info(3, now=20))
  assert batch.info.age.numpy().tolist() == [-1, 20, 21]


def test_extras_may_be_any_nest_if_nothing_is_kept_once():
  for extras in ((), np.zeros(2, np.float32), (np.zeros(2), [np.zeros(())])):
    codec = packing.Codec.of(testing.SPEC._replace(extras=extras), [items.Items(2)])
    steps, _ = codec.views(codec.rows(3))
    tree.assert_same_structure(steps.extras, extras)


@pytest.mark.parametrize('extras', [(), {'logits': np.zeros(2)}])
def test_an_extra_that_does_not_exist_cannot_be_kept_once(extras):
  spec = core.Step(*testing.SPEC)._replace(extras=extras)
  with pytest.raises(errors.UserError, match=r"keep \['state'\] once, but the policy gives no such extras"):
    packing.Codec.of(spec, [items.Items(2, once=('state',))])
