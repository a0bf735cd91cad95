"""What an exported policy is told of episodes."""

import numpy as np
import tensorflow as tf
from dm_env import specs as dm_specs

from tfacme import specs
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
