"""What an exported policy is told of episodes."""

import os

import numpy as np
import tensorflow as tf
from dm_env import specs as dm_specs

from tests.contract import keras_networks, noisy
from tfacme import specs
from tfacme.graph import plan
from tfacme.tensors import naming
from tfacme.workers import export

_OBSERVATION = dm_specs.Array((1,), np.float32)
_ACTION = dm_specs.Array((4,), np.float32)


class Telling(tf.Module):
  """Its action is what it is told: whether an episode begins, a draw of the episode, one of the call, which episode."""

  def initial_state(self, batch_size):
    return ()

  def __call__(self, observation, state, context):
    draw = lambda seed: tf.random.stateless_uniform([], seed)
    lasting = tf.map_fn(draw, context.episode_seed, fn_output_signature=tf.float32)
    called = tf.fill(tf.shape(lasting), draw(context.seed))
    told = [tf.cast(context.first, tf.float32), lasting, called, tf.cast(context.episode, tf.float32)]
    return tf.stack(told, axis=1), state, ()


def _exported(tmp_path):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0.0, 1.0)
  spec = specs.EnvironmentSpec(_OBSERVATION, _ACTION, reward, discount)
  export.check(Telling(), spec)
  export.Exporter(Telling(), spec, 10).write(str(tmp_path / 'policy'), 10)
  return export.LoadedPolicy(str(tmp_path / 'policy'), seed=3)


def test_a_seed_lasts_an_episode_of_a_slot(tmp_path):
  policy = _exported(tmp_path)
  firsts = [[True, True], [False, False], [False, True], [False, False]]
  told = np.stack([policy.act(np.zeros((2, 1), np.float32), np.array(first)) for first in firsts])
  first, lasting, called, episode = np.moveaxis(told, 2, 0)
  assert first.astype(bool).tolist() == firsts
  assert lasting[:, 0].tolist() == [lasting[0, 0]] * 4
  assert lasting[:, 1].tolist() == [lasting[0, 1]] * 2 + [lasting[2, 1]] * 2
  assert len(set(lasting.ravel())) == 3
  assert len(set(called[:, 0])) == 4 and not set(called.ravel()) & set(lasting.ravel())
  assert not episode.any()


def test_a_policy_that_was_killed_while_it_was_replaced_is_found_beside_its_place(tmp_path):
  _exported(tmp_path)
  (tmp_path / 'policy').rename(tmp_path / 'policy.old')
  (tmp_path / 'policy.partial').mkdir()
  policy = export.LoadedPolicy(str(tmp_path / 'policy'))
  assert policy(np.zeros(1, np.float32))[0] == 1
  _exported(tmp_path)
  assert [path.name for path in tmp_path.iterdir()] == ['policy']


def test_an_episode_begins_with_a_reset(tmp_path):
  policy = _exported(tmp_path)
  told = []
  for _ in range(2):
    told += [policy(np.zeros(1, np.float32)) for _ in range(2)]
    policy.reset()
  first, lasting, *_ = np.stack(told, axis=1)
  assert first.tolist() == [1, 0, 1, 0]
  assert lasting[0] == lasting[1] != lasting[2] == lasting[3]


def test_without_tfacme_the_initial_state_begins_an_episode(tmp_path):
  _exported(tmp_path)
  model = tf.saved_model.load(str(tmp_path / 'policy'))
  observation, state = tf.zeros([1, 1]), model.initial_state(1)
  one, state = model.act(observation, state, tf.constant([0, 1]))
  two, _ = model.act(observation, state, tf.constant([0, 2]))
  three, _ = model.act(observation, model.initial_state(1), tf.constant([0, 3]))
  assert one[0, 1] == two[0, 1] != three[0, 1]


def _saved(path):
  """The values of a SavedModel's variables by name, but for what says how they hang together."""
  reader = tf.train.load_checkpoint(os.path.join(path, 'variables', 'variables'))
  names = sorted(name for name in reader.get_variable_to_shape_map() if name != '_CHECKPOINTABLE_OBJECT_GRAPH')
  return {name: reader.get_tensor(name).tolist() for name in names}


def test_what_is_written_again_is_what_would_be_written_anew(tmp_path):
  """For Python and for servers, which read the graph of a session: the graph is the first one's, the values of now."""
  experiment = noisy.experiment()
  spec = specs.read_spec(experiment.environment, 0)
  nets = plan.seeded_networks(experiment, spec)
  policy = plan.make_policy(experiment, nets, spec, True)
  exporter = export.Exporter(policy, spec, 100)
  exporter.save(str(tmp_path / 'first'), 1)
  for variable in naming.named(policy, nets).values():
    variable.assign(variable + 1.0)
  exporter.save(str(tmp_path / 'again'), 2)
  export.Exporter(policy, spec, 100).save(str(tmp_path / 'anew'), 2)
  assert _saved(tmp_path / 'again') == _saved(tmp_path / 'anew') != _saved(tmp_path / 'first')
  assert not (tmp_path / 'again' / 'fingerprint.pb').exists()  # of other values
  loaded = [export.LoadedPolicy(str(tmp_path / name)) for name in ('again', 'anew')]
  assert [one._model.steps.numpy() for one in loaded] == [2, 2]
  observations = [np.zeros((4, *spec.observations.shape), np.float32) + i for i in range(5)]
  first = np.ones(4, bool)
  for observation in observations:
    actions = [one.act(observation, first).tolist() for one in loaded]
    assert actions[0] == actions[1]
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.saved_model.loader.load(session, ['serve'], str(tmp_path / 'again'))


def test_where_variables_are_written_by_other_names_all_is_written_anew(tmp_path):
  """As with Keras, whose layers a SavedModel names in its own way."""
  experiment = keras_networks.experiment()
  spec = specs.read_spec(experiment.environment, 0)
  policy = plan.make_policy(experiment, plan.seeded_networks(experiment, spec), spec, True)
  exporter = export.Exporter(policy, spec, 100)
  for steps in (1, 2):
    exporter.save(str(tmp_path / str(steps)), steps)
    assert export.LoadedPolicy(str(tmp_path / str(steps)))._model.steps.numpy() == steps
  assert (tmp_path / '2' / 'fingerprint.pb').exists()


class Looking(tf.Module):
  """Its action is found in a table that was read from a file."""

  def __init__(self, path):
    super().__init__()
    initializer = tf.lookup.TextFileInitializer(
      path, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER, tf.int64, tf.lookup.TextFileIndex.WHOLE_LINE
    )
    self.table = tf.lookup.StaticHashTable(initializer, 0)

  def initial_state(self, batch_size):
    return ()

  def __call__(self, observation, state, context):
    number = tf.cast(self.table.lookup(tf.cast(observation[:, 0], tf.int64)), tf.float32)
    return tf.tile(number[:, None], [1, 4]), state, ()


def test_files_that_a_policy_reads_are_written_each_time(tmp_path):
  words = tmp_path / 'words.txt'
  words.write_text('5\n7\n')
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0.0, 1.0)
  spec = specs.EnvironmentSpec(_OBSERVATION, _ACTION, reward, discount)
  exporter = export.Exporter(Looking(str(words)), spec, 10)
  for steps in (1, 2):
    exporter.save(str(tmp_path / str(steps)), steps)
  words.unlink()
  for steps in (1, 2):
    loaded = export.LoadedPolicy(str(tmp_path / str(steps)))
    assert loaded(np.float32([1.0])).tolist() == [7.0] * 4
