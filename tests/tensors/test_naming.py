"""Names of variables: the same in every process, of every kind of module, and of a copy as of what was copied."""

import copy
import dataclasses
from typing import Any

import pytest
import sonnet as snt
import tensorflow as tf

from tfacme import errors
from tfacme.tensors import naming


@dataclasses.dataclass(frozen=True)
class Networks:
  q: Any
  other: Any = None


class Holder(tf.Module):
  """Holds anything under any name."""

  def __init__(self, **parts):
    super().__init__()
    for name, part in parts.items():
      setattr(self, name, part)


def _sonnet():
  module = snt.Sequential([snt.nets.MLP([4, 4]), snt.Linear(2)])
  module(tf.zeros([1, 3]))
  return module


def _sequential():
  model = tf.keras.Sequential([tf.keras.layers.Dense(4, activation='relu'), tf.keras.layers.Dense(2)])
  model(tf.zeros([1, 3]))
  return model


def _functional():
  inputs = tf.keras.Input([3])
  hidden = tf.keras.layers.BatchNormalization()(tf.keras.layers.Dense(4)(inputs))
  return tf.keras.Model(inputs, tf.keras.layers.Dense(2)(hidden))


class Model(tf.keras.Model):
  """Has layers of one shape, set in any order."""

  def __init__(self, order=('one', 'two')):
    super().__init__()
    for name in order:
      setattr(self, name, tf.keras.layers.Dense(3))
    self.more = [tf.keras.layers.Dense(3)]

  def call(self, x):
    return self.more[0](self.one(x) - self.two(x))


def _model(order=('one', 'two')):
  model = Model(order)
  model(tf.zeros([1, 3]))
  return model


MAKERS = [_sonnet, _sequential, _functional, _model]


@pytest.mark.parametrize('make', MAKERS)
def test_every_copy_has_the_same_names(make):
  first, second = make(), make()
  names = list(naming.named(first))
  assert list(naming.named(second)) == names
  assert len(set(names)) == len(first.variables) > 3
  copied = naming.named(copy.deepcopy(first))
  for name, variable in naming.named(first).items():
    assert copied[name] is not variable
    assert copied[name].shape == variable.shape and (copied[name].numpy() == variable.numpy()).all()


@pytest.mark.parametrize('make', MAKERS)
def test_names_are_those_of_the_networks_however_they_are_held(make):
  networks = Networks(make(), make())
  names = list(naming.named(networks.q, networks))
  assert all(name.startswith('q/') for name in names)
  policy = Holder(_before=None, _deep=[{'inside': networks.q}], again=networks.q)
  assert sorted(naming.named(policy, networks)) == sorted(names)
  assert all(name.startswith('other/') for name in naming.named(networks.other, networks))


@pytest.mark.parametrize('make', MAKERS)
def test_a_copy_is_matched_with_what_it_is_a_copy_of(make):
  networks = Networks(make())
  policy = naming.named(Holder(_q=networks.q), networks)
  average = naming.named(copy.deepcopy(networks.q), networks)
  matched = naming.match(list(policy), list(average))
  assert {(policy[name].shape, policy[name].numpy().tobytes()) for name in policy} == {
    (average[other].shape, average[other].numpy().tobytes()) for other in matched.values()
  }
  for name, other in matched.items():
    assert (policy[name].numpy() == average[other].numpy()).all()


def test_what_is_held_in_another_order_is_told_apart_by_name():
  first, second = _model(), _model(order=('two', 'one'))
  assert [v.shape for v in first.variables] == [v.shape for v in second.variables]
  ours, theirs = naming.named(first), naming.named(second)
  matched = naming.match(list(ours), list(theirs))
  assert theirs[matched['one/kernel']] is second.one.kernel and ours['one/kernel'] is first.one.kernel


def test_checkpoints_go_by_the_same_places(tmp_path):
  root = Holder(q=_model(), _t=(_sonnet(), {'a': [tf.Variable(1.0)]}), keras=_functional())
  tf.train.Checkpoint(update=root).write(str(tmp_path / 'saved'))
  saved = {name for name, _ in tf.train.list_variables(str(tmp_path / 'saved')) if name.startswith('update/')}
  assert {f'update/{place}/.ATTRIBUTES/VARIABLE_VALUE' for place in naming.places(root)} == saved


def test_what_tensorflow_does_not_see_is_refused():
  class Hiding(tf.Module):
    @property
    def variables(self):
      return (tf.Variable(1.0, name='hidden'),)

  with pytest.raises(errors.UserError, match='Hiding holds variables where TensorFlow .* saves them: hidden'):
    naming.named(Hiding())


@pytest.mark.parametrize(
  'names, expected',
  [
    (['a/b/c', 'a/b/d'], ['c', 'd']),
    (['a/b/c', 'a/d'], ['b/c', 'd']),
    (['a', 'b'], ['a', 'b']),
    (['a/b'], ['b']),
    (['a/a/w', 'a/a'], ['a/w', 'a']),
    ([], []),
  ],
)
def test_what_names_have_in_common_is_left_out(names, expected):
  assert naming.relative(names) == expected


def test_names_match_as_they_are_or_from_where_they_differ():
  assert naming.match(['q/b', 'q/a'], ['q/a', 'q/b', 'q/c']) == {'q/b': 'q/b', 'q/a': 'q/a'}
  assert naming.match(['q/x/b', 'q/x/a'], ['a', 'b']) == {'q/x/b': 'b', 'q/x/a': 'a'}
  assert naming.match(['q/b', 'q/a'], ['q/a', 'q/c']) is None
