"""What a run makes of a source: which data and which rows, with or without actors."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tree
from dm_env import specs as dm_specs

from tests.replay import replay_testing as testing
from tests.replay.test_readers import (
  LENGTHS,
  PAIRS,
  Recorded,
  _fill,
  _firsts,
  _given,
  _graph,
  _open,
  _read,
  _room,
  _tensors,
)
from tfacme import datasets, errors
from tfacme.replay import items, recorded, resolving, sources, tables

SEQUENCES = items.Items(3, once=['state'])
RAW = testing.SPEC._replace(extras=())


def _without_extras(dataset):
  """The data set as somebody has recorded it who knows nothing of this agent."""
  dataset._episodes = [episode._replace(extras=()) for episode in dataset._episodes]
  dataset._spec = dataset._spec._replace(extras=())
  return dataset


def _same(batch):
  return batch


def _batch(source, room):
  opened = _open(source, room)
  return _graph(opened)(_tensors(_read(opened)))


# --- Which data ---


def test_checking_reaches_every_data_set_once_each():
  own, experiments = Recorded([1]), Recorded([1])
  source = sources.Together(
    {
      'a': sources.Map(_same, sources.Data(PAIRS, 2, own)),
      'b': sources.Mix({sources.Data(PAIRS, 1): 0.5, sources.Sample('replay', 1): 0.5}, 2),
    }
  )
  resolved = resolving.resolve(source, _given(experiments, [tables.Table(PAIRS, tables.min_size(2), 9)]))
  assert own.checked and experiments.checked
  assert [leaf.dataset for leaf in sources.leaves(resolved) if isinstance(leaf, recorded.Recorded)] == [
    own,
    experiments,
  ]


@pytest.mark.parametrize(
  'source, message',
  [
    (sources.Data(PAIRS, 2), 'learns from recorded data; give the experiment a dataset'),
    (sources.Sample('other', 2), "no replay table 'other'"),
    (sources.Sample('queue', 9), 'at most 8 items, less than a batch of 9'),
  ],
)
@pytest.mark.parametrize('wrap', ['plain', 'map', 'mix', 'together'])
def test_what_cannot_be_read_is_refused_wherever_it_stands(source, message, wrap):
  if wrap == 'mix':
    other = sources.Sample('queue', 1)
    source = sources.Mix([(source, 0.9), (other, 0.1)], 10)
  wrapped = {
    'plain': source,
    'mix': source,
    'map': sources.Map(_same, source),
    'together': sources.Together({'a': sources.Sample('queue', 1), 'b': source}),
  }[wrap]
  with pytest.raises(errors.UserError, match=message) as caught:
    resolving.resolve(wrapped, _given(None, [tables.queue(PAIRS, 8)]))
  assert str(caught.value).count('\n') == 0


def test_whole_episodes_of_data_are_refused():
  with pytest.raises(errors.UserError, match='from a replay table, but not from recorded data'):
    resolving.resolve(sources.Data(items.Items(None), 4), _given(Recorded([3])))


# --- Without actors ---


@pytest.mark.parametrize('adapt', [_without_extras, lambda dataset: dataset])
def test_a_table_without_actors_is_read_from_the_data(adapt):
  """The same items, in batches of the same structure, of one probability; priorities are for nobody."""
  table = tables.Table(SEQUENCES, tables.min_size(2), 9, sampler=tables.Prioritized(0.6))
  room = _room(adapt(Recorded([3, 5])), [table], offline=True, step_spec=_state_alone())
  opened = _open(sources.Sample(None, 4), room)
  read = _read(opened)
  batch = _graph(opened)(_tensors(read))
  assert batch.steps.reward.shape == (4, 3)
  (vector, number) = batch.steps.extras['state']
  assert vector.shape == (4, 1, 2) and not vector.numpy().any() and not number.numpy().any()
  np.testing.assert_allclose(batch.info.probability, 1 / 8)
  opened.write_priorities(read.token, np.ones(4))
  data = _batch(sources.Data(SEQUENCES, 4, zeros=['state']), room)
  data = data._replace(steps=data.steps._replace(extras={'state': data.steps.extras['state']}))
  tf.nest.map_structure(np.testing.assert_array_equal, data, batch)


def test_a_recorded_state_is_of_the_network_that_acted():
  """One of another size is no reason to refuse the data, and of the same size it means something else."""
  table = tables.Table(SEQUENCES, tables.min_size(2), 9)
  spec = testing.SPEC._replace(extras={'state': dm_specs.Array((7,), np.float32)})
  state = _batch(sources.Sample(None, 4), _room(Recorded([3]), [table], offline=True, step_spec=spec)).steps.extras
  np.testing.assert_array_equal(state['state'], np.zeros((4, 1, 7)))


def _state_alone():
  return testing.SPEC._replace(extras={'state': testing.SPEC.extras['state']})


def test_what_the_agent_adds_and_nobody_can_make_up_is_refused():
  room = _given(_without_extras(Recorded([3])), [tables.queue(SEQUENCES, 8)], offline=True)
  with pytest.raises(errors.UserError, match=r"no extras \['logits', 'number'\], which the rows of this agent have"):
    resolving.resolve(sources.Sample('queue', 4), room)


# --- Extras ---


def test_what_several_data_sets_have_in_other_forms_is_named():
  other = Recorded([2], spec=testing.SPEC._replace(extras={**testing.SPEC.extras, 'number': dm_specs.Array((9,), 'f')}))
  both = datasets.several([Recorded([2]), other])
  room = _given(both, [tables.queue(PAIRS, 8)], offline=True)
  with pytest.raises(errors.UserError, match=r"no extras \['number'\] .not read of it: extras/number .*float32 \[9\]"):
    resolving.resolve(sources.Sample(None, 4), room)


def test_recorded_extras_are_those_of_the_data_whatever_the_agent_adds():
  batch = _batch(sources.Data(PAIRS, 4), _room(Recorded([3]), step_spec=RAW))
  assert set(batch.steps.extras) == {'state', 'logits', 'number'}


def test_zeros_stand_for_what_was_not_recorded():
  table = tables.Table(SEQUENCES, tables.min_size(2), 9)
  demonstrations = sources.Data(SEQUENCES, 4, _without_extras(Recorded([4])), zeros=['state'])
  source = sources.Together({'agent': sources.Sample(None, 4), 'expert': demonstrations})
  resolved = resolving.resolve(source, _given(None, [table], step_spec=_state_alone()))
  assert set(resolved.sources['expert'].step_spec.extras) == {'state'}
  plain = sources.Data(SEQUENCES, 4, _without_extras(Recorded([4])))
  with pytest.raises(errors.UserError, match=r"has no extras \['state'\], .* name them in `zeros`"):
    mix = sources.Mix({sources.Sample(None, 1): 0.5, plain: 0.5}, 8)
    resolving.resolve(mix, _given(None, [table], step_spec=_state_alone()))


def test_a_mix_drops_what_only_its_data_has_in_whatever_order():
  spec = testing.SPEC
  reversed_keys = {name: spec.extras[name] for name in ('number', 'state')}
  room = _room(
    Recorded(LENGTHS), [tables.Table(PAIRS, tables.min_size(1), 99)], step_spec=spec._replace(extras=reversed_keys)
  )
  mix = sources.Mix({sources.Sample(None, 1): 0.5, sources.Data(PAIRS, 1): 0.5}, 8)
  resolved = resolving.resolve(mix, room.given)
  assert sources.leaves(resolved)[1].step_spec.extras == reversed_keys
  # Values are found by their names.
  opened = _open(sources.Data(PAIRS, 4), _room(Recorded([3]), step_spec=spec))
  batch = _graph(opened)(_tensors(_read(opened)))
  np.testing.assert_allclose(batch.steps.extras['logits'][..., 0], batch.steps.extras['number'] / 2)


def test_a_mix_of_data_sets_has_what_all_have():
  less = Recorded([4])
  less._spec = less._spec._replace(extras={'number': less._spec.extras['number']})
  less._episodes = [e._replace(extras={'number': e.extras['number']}) for e in less._episodes]
  mix = sources.Mix([(sources.Data(PAIRS, 1), 0.5), (sources.Data(PAIRS, 1, less), 0.5)], 8)
  assert set(_batch(mix, _room(Recorded(LENGTHS), step_spec=RAW)).steps.extras) == {'number'}


def test_extras_of_another_shape_are_refused():
  spec = testing.SPEC._replace(extras={'logits': dm_specs.Array((7,), np.float32)})
  given = _given(Recorded([3]), [tables.Table(PAIRS, tables.min_size(1), 9)], step_spec=spec)
  mix = sources.Mix({sources.Sample(None, 1): 0.5, sources.Data(PAIRS, 1): 0.5}, 8)
  with pytest.raises(errors.UserError, match=r"'logits' of the data set are float32 \[5\], .* float32 \[7\]"):
    resolving.resolve(mix, given)


# --- A share of what is sampled ---


def test_a_share_of_what_is_sampled_is_recorded_and_each_item_counts_as_if_each_part_were_uniform():
  """Items of the replay are weighed against their priorities; those of the data have none, and weigh 1 before that."""
  table = tables.Table(PAIRS, tables.min_size(1), 9, sampler=tables.Prioritized(1.0))
  room = _room(Recorded(LENGTHS), [table])
  room = room._replace(given=dataclasses.replace(room.given, share=0.5))
  _fill(room, 2)
  opened = _open(sources.Map(_same, sources.Sample(None, 16)), room)
  first = _read(opened)
  numbers = np.array(_firsts(_graph(opened)(_tensors(first))))
  assert min(numbers[:8]) >= 1000 > max(numbers[8:])
  opened.write_priorities(first.token, np.where(numbers == 1000, 3.0, 1.0))
  info = _graph(opened)(_tensors(_read(opened))).info
  assert info.source.numpy().tolist() == [0] * 8 + [1] * 8
  found = info.probability.numpy() * info.table_size.numpy()
  np.testing.assert_allclose(found[8:], 1.0, rtol=1e-6)
  assert set(np.round(found[:8], 4).tolist()) <= {1.5, 0.5}


def test_tables_that_actors_do_not_write_stay_whole():
  table = tables.Table(PAIRS, tables.min_size(1), 9, written_by='prefill')
  given = dataclasses.replace(_given(Recorded(LENGTHS), [table]), share=0.5)
  assert resolving.resolve(sources.Sample(None, 4), given) == sources.Sample(None, 4)


# --- Mixes of mixes ---


def test_a_mix_takes_any_source_and_numbers_all_that_it_reads():
  def sevens(batch):
    return batch._replace(steps=batch.steps._replace(reward=tf.fill(tf.shape(batch.steps.reward), 7.0)))

  inner = sources.Mix(
    {sources.Data(PAIRS, 1): 0.5, sources.Map(sevens, sources.Data(PAIRS, 1, Recorded([9]))): 0.5}, 99
  )
  mix = sources.Mix({inner: 0.5, sources.Map(_same, inner): 0.25, sources.Data(PAIRS, 1): 0.25}, 16)
  opened = _open(mix, _room(Recorded(LENGTHS)))
  read = _read(opened)
  batch = _graph(opened)(_tensors(read))
  assert batch.info.source.numpy().tolist() == [0] * 4 + [1] * 4 + [2] * 2 + [3] * 2 + [4] * 4
  sevens = (batch.steps.reward.numpy() == 7.0).all(axis=1)
  assert sevens[batch.info.source.numpy() % 2 == 1].all() and not sevens[:4].any()
  opened.write_priorities(read.token, np.ones(16))


def test_priorities_find_their_table_through_nested_mixes():
  described = [tables.Table(PAIRS, tables.min_size(1), 9, name, tables.Prioritized(1.0)) for name in 'ab']
  room = _room(Recorded(LENGTHS), described)
  feed = testing.Feed(room.replay.writer(), room.replay.codec)
  feed(testing.stream([1]))
  inner = sources.Mix({sources.Data(PAIRS, 1): 0.5, sources.Sample('b', 1): 0.5}, 2)
  opened = _open(sources.Mix([(inner, 0.5), (sources.Sample('a', 1), 0.5)], 8), room)
  opened.write_priorities(_read(opened).token, np.arange(8.0))
  state = testing.state(room.replay)
  assert (state['b/priorities'].tolist(), state['a/priorities'].tolist()) == ([3.0], [7.0])


def test_a_mix_of_items_with_different_rows_is_refused():
  pairs, triples = sources.Data(items.Items(2), 1), sources.Data(items.Items(3, once=['state']), 1)
  with pytest.raises(errors.UserError, match=r'parts of a Mix have items with different length, \[2, 3\]; give'):
    resolving.resolve(sources.Mix({pairs: 0.5, triples: 0.5}, 8), _given(Recorded(LENGTHS)))


def test_batches_side_by_side_are_no_part_of_a_mix():
  both = sources.Together({'a': sources.Data(PAIRS, 1)})
  with pytest.raises(errors.UserError, match='put the Mix into the Together instead'):
    resolving.resolve(sources.Mix([(both, 1.0)], 8), _given(Recorded(LENGTHS)))


def test_the_data_say_over_how_much_is_shuffled_unless_the_source_does():
  data = Recorded(LENGTHS)
  resolved = lambda **said: resolving.resolve(sources.Data(PAIRS, 2, **said), _given(data)).shuffle_bytes
  assert resolved() == 1 << 28
  data.block_bytes = 3 << 20
  assert resolved() == 3 << 20 and resolved(shuffle_bytes=500) == 500


def test_whole_numbers_that_the_environment_can_not_hold_end_the_reading():
  wide = testing.SPEC._replace(observation=dm_specs.Array((2,), np.int64))
  narrow = testing.SPEC._replace(observation=dm_specs.Array((2,), np.int32))
  for number, held in ((2**31 - 1, True), (2**31, False), (-(2**31) - 1, False)):
    episode = tree.map_structure(lambda leaf: np.zeros((3, *leaf.shape), leaf.dtype), wide)
    episode.last[-1] = True
    episode.observation[1, 0] = number
    data = Recorded([], spec=wide)
    data.episodes = lambda seed, episode=episode: iter([episode])
    read = lambda data=data: list(recorded.Recorded(PAIRS, 2, data, 1000, narrow).episodes())
    if held:
      assert read()[0].observation[1, 0] == number
    else:
      with pytest.raises(errors.UserError, match=f'observation has numbers from .*{number}.*int32'):
        read()
