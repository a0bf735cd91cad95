"""Checkpoints: written whole or not at all, kept as long as they are wanted, and not trusted blindly."""

import json
import os
import shutil

import numpy as np
import pytest

from tfacme import checkpoints, errors


def _saves(text, digest='d'):
  def save(path):
    with open(os.path.join(path, 'file'), 'w') as file:
      file.write(text)
    return digest

  return save


def _loads(path):
  with open(os.path.join(path, 'file')) as file:
    return file.read()


def _write(folder, steps, text=None, keep=3):
  text = str(steps) if text is None else text
  return checkpoints.write(str(folder), lambda path: steps, {'part': _saves(text, text)}, keep)


def _text(path):
  return _loads(os.path.join(path, 'part'))


# --- Written whole or not at all ---


def test_a_checkpoint_holds_its_parts_and_says_what_it_is(tmp_path):
  parts = {'learner': _saves('l', 'digest of l'), 'counter': _saves('c', None)}
  path = checkpoints.write(str(tmp_path), lambda path: 1234, parts, keep=1)
  assert sorted(os.listdir(path)) == ['counter', 'learner', 'manifest.json']
  assert checkpoints.latest(str(tmp_path)) == path
  digests = {'learner': 'digest of l', 'counter': None}
  assert checkpoints.manifest(path) == {
    'schema': checkpoints.SCHEMA,
    'steps': 1234,
    'complete': False,
    'digests': digests,
  }


def test_the_last_checkpoint_of_a_run_says_so(tmp_path):
  path = checkpoints.write(str(tmp_path), lambda path: 7, {'part': _saves('7')}, keep=1)
  checkpoints.complete(path)
  assert checkpoints.manifest(path)['complete'] is True


def test_parts_are_saved_in_their_order(tmp_path):
  order = []
  parts = {name: lambda path, name=name: order.append(name) for name in 'cab'}
  checkpoints.write(str(tmp_path), lambda path: 1, parts, keep=1)
  assert order == ['c', 'a', 'b']


def test_a_part_that_fails_leaves_the_checkpoint_before(tmp_path):
  before = _write(tmp_path, 10)

  def fail(path):
    raise OSError('disk full')

  with pytest.raises(OSError):
    checkpoints.write(str(tmp_path), lambda path: 20, {'part': _saves('20'), 'other': fail}, keep=1)
  assert checkpoints.latest(str(tmp_path)) == before
  assert _text(before) == '10'
  path = _write(tmp_path, 20, keep=1)  # What is left of the one that failed is in nobody's way.
  assert os.listdir(tmp_path) == [os.path.basename(path)]
  assert os.listdir(path) and sorted(os.listdir(path)) == ['manifest.json', 'part']


@pytest.mark.parametrize('name', ['next.partial', '000000000099'])
def test_what_was_not_finished_is_ignored(tmp_path, name):
  assert checkpoints.latest(str(tmp_path)) is None
  before = _write(tmp_path, 10)
  os.makedirs(tmp_path / name / 'part')
  if 'partial' in name:
    shutil.copy(os.path.join(before, 'manifest.json'), tmp_path / name)
  assert checkpoints.latest(str(tmp_path)) == before


def test_there_may_be_no_checkpoint_and_no_folder(tmp_path):
  assert checkpoints.latest(str(tmp_path / 'none')) is None
  assert checkpoints.latest(str(tmp_path)) is None


def test_a_checkpoint_of_the_same_step_is_replaced(tmp_path):
  for text in ('one', 'two', 'three'):
    _write(tmp_path, 5, text)
    assert _text(checkpoints.latest(str(tmp_path))) == text
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize('killed_at', [1, 2, 3])
def test_being_killed_while_replacing_one_of_the_same_step_loses_nothing(tmp_path, monkeypatch, killed_at):
  """At each call that moves or removes something."""
  _write(tmp_path, 5, 'old')
  calls = []

  def dies(function):
    def call(*arguments, **options):
      calls.append(function)
      if len(calls) == killed_at + 1:  # The first call clears what an earlier attempt has left.
        raise KeyboardInterrupt
      return function(*arguments, **options)

    return call

  with monkeypatch.context() as patch:
    patch.setattr(os, 'replace', dies(os.replace))
    patch.setattr(shutil, 'rmtree', dies(shutil.rmtree))
    with pytest.raises(KeyboardInterrupt):
      _write(tmp_path, 5, 'new', keep=1)
  assert _text(checkpoints.latest(str(tmp_path))) in ('old', 'new')
  _write(tmp_path, 5, 'newer', keep=1)
  assert _text(checkpoints.latest(str(tmp_path))) == 'newer'
  _write(tmp_path, 5, 'newest', keep=1)
  assert _text(checkpoints.latest(str(tmp_path))) == 'newest'
  assert os.listdir(tmp_path) == ['000000000005']


# --- Kept as long as they are wanted ---


@pytest.mark.parametrize('keep', [1, 2, 5])
def test_the_newest_are_kept(tmp_path, keep):
  (tmp_path / 'replay').mkdir()  # The replay server's own folder.
  (tmp_path / 'notes.txt').write_text('mine')
  (tmp_path / '000000000001.partial').mkdir()
  for steps in (90, 100, 1000, 20_000):
    _write(tmp_path, steps, keep=keep)
  left = sorted(name for name in os.listdir(tmp_path) if name[0].isdigit())
  assert [int(name) for name in left] == [90, 100, 1000, 20_000][-keep:]
  assert {'replay', 'notes.txt'} <= set(os.listdir(tmp_path))
  assert _text(checkpoints.latest(str(tmp_path))) == '20000'


# --- Not trusted blindly ---


def test_a_part_is_checked_against_its_digest(tmp_path):
  path = _write(tmp_path, 10)
  checkpoints.restore(path, 'part', _loads)
  with open(os.path.join(path, 'part', 'file'), 'w') as file:
    file.write('11')
  with pytest.raises(errors.CorruptCheckpointError, match='part restored from .*000000000010 is not what was saved'):
    checkpoints.restore(path, 'part', _loads)


def test_a_part_without_a_digest_is_loaded_unchecked(tmp_path):
  path = checkpoints.write(str(tmp_path), lambda path: 10, {'part': _saves('text', None)}, keep=1)
  loaded = []
  checkpoints.restore(path, 'part', lambda folder: loaded.append(_loads(folder)))
  assert loaded == ['text']


def test_a_part_that_is_missing_is_an_error(tmp_path):
  path = _write(tmp_path, 10)
  shutil.rmtree(os.path.join(path, 'part'))
  with pytest.raises(errors.CorruptCheckpointError, match='part is missing'):
    checkpoints.restore(path, 'part', _loads)


def test_what_was_never_saved_is_not_restored(tmp_path):
  def fail(path):
    raise AssertionError('nothing to load')

  checkpoints.restore(None, 'part', fail)
  checkpoints.restore(_write(tmp_path, 10), 'replay', fail)


def test_a_checkpoint_of_another_schema_is_refused_in_one_sentence(tmp_path):
  path = _write(tmp_path, 10)
  manifest = {**checkpoints.manifest(path), 'schema': checkpoints.SCHEMA + 1}
  with open(os.path.join(path, 'manifest.json'), 'w') as file:
    json.dump(manifest, file)
  with pytest.raises(errors.UserError, match='another version of tfacme; use a new work directory') as caught:
    checkpoints.latest(str(tmp_path))
  assert str(caught.value).count('\n') == 0


# --- Digests ---


def test_equal_states_have_equal_digests():
  state = {'b': [1, 2.5, 'x', None], 'a': np.arange(6).reshape(2, 3)}
  same = {'a': np.arange(12).reshape(2, 6)[:, ::2] // 2 + np.array([[0], [0]]), 'b': (1, 2.5, 'x', None)}
  np.testing.assert_array_equal(same['a'], state['a'])
  assert checkpoints.digest(state) == checkpoints.digest(same)
  assert checkpoints.digest(json.loads(json.dumps(state['b']))) == checkpoints.digest(state['b'])


def test_different_states_have_different_digests():
  states = [
    [2, 12],
    [21, 2],
    [2, 1, 2],
    [[2], 12],
    {'a': 1, 'b': 2},
    {'a': 2, 'b': 1},
    {'ab': 12},
    {'a': 'b2'},
    1,
    1.0,
    '1',
    True,
    None,
    [],
    [[]],
    np.zeros(2),
    np.zeros(2, np.float32),
    np.zeros((2, 1)),
    np.zeros((1, 2)),
    np.array([0.0, -0.0]),
    np.array([0, 1]),
    np.array([1, 0]),
  ]
  digests = [checkpoints.digest(state) for state in states]
  assert len(set(digests)) == len(digests)
  assert all(isinstance(digest, str) for digest in digests)


def test_the_digest_of_an_array_is_that_of_its_values():
  array = np.arange(10)
  assert checkpoints.digest(array[::2]) == checkpoints.digest(array[::2].copy())
  assert checkpoints.digest(np.asfortranarray(np.eye(3))) == checkpoints.digest(np.eye(3))
