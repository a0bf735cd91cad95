"""Checkpoints: written whole or not at all, kept as long as they are wanted, and not trusted blindly."""

import errno
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
  manifest = dict(checkpoints.manifest(path))
  files = manifest.pop('files')
  assert manifest == {'schema': checkpoints.SCHEMA, 'steps': 1234, 'complete': False, 'digests': digests}
  assert {name: size for name, (size, _) in files.items()} == {'counter/file': 1, 'learner/file': 1}
  assert files['counter/file'] != files['learner/file']


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
  assert os.listdir(tmp_path) == [os.path.basename(before)] and _text(before) == '10'
  path = _write(tmp_path, 20, keep=1)
  assert os.listdir(tmp_path) == [os.path.basename(path)]
  assert os.listdir(path) and sorted(os.listdir(path)) == ['manifest.json', 'part']


def test_what_was_not_finished_is_ignored_and_goes_first(tmp_path):
  before = _write(tmp_path, 10)
  os.makedirs(tmp_path / 'next.partial' / 'part')
  shutil.copy(os.path.join(before, 'manifest.json'), tmp_path / 'next.partial')
  assert checkpoints.latest(str(tmp_path)) == before
  checkpoints.write(str(tmp_path), lambda path: 20, {'part': lambda path: str(os.listdir(tmp_path))}, keep=3)
  checkpoints.remove_partial(str(tmp_path))
  assert sorted(os.listdir(tmp_path)) == ['000000000010', '000000000020']


def test_a_run_that_came_to_no_checkpoint_has_none(tmp_path):
  folder = tmp_path / 'checkpoints'
  assert checkpoints.latest(str(folder)) is None
  (folder / 'next.partial' / 'part').mkdir(parents=True)  # It was killed in its first one.
  assert checkpoints.latest(str(folder)) is None
  checkpoints.remove_partial(str(folder))
  assert checkpoints.latest(str(folder)) is None and not folder.exists()


def test_what_is_written_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
  """Files before the manifest, the manifest before the name, the name before the older checkpoint goes."""
  _write(tmp_path, 5, keep=1)
  events, replace, rmtree, sync = [], os.replace, shutil.rmtree, os.fsync

  def synced(handle):
    events.append(('sync', os.path.relpath(os.readlink(f'/proc/self/fd/{handle}'), tmp_path)))
    sync(handle)

  monkeypatch.setattr(os, 'fsync', synced)
  monkeypatch.setattr(os, 'replace', lambda a, b: (events.append(('name', os.path.basename(b))), replace(a, b)))
  monkeypatch.setattr(
    shutil, 'rmtree', lambda a, **options: (events.append(('remove', os.path.basename(a))), rmtree(a, **options))
  )
  _write(tmp_path, 6, keep=1)
  partial = 'next.partial'
  assert set(events[:4]) >= {('sync', f'{partial}/part/file'), ('sync', f'{partial}/part'), ('sync', partial)}
  assert events[4:] == [
    ('sync', f'{partial}/manifest.json.partial'),
    ('name', 'manifest.json'),
    ('sync', partial),
    ('name', '000000000006'),
    ('sync', '.'),
    ('remove', '000000000005'),
  ]


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


_FILES = ['a/x', 'a/deep/y', 'b/z', 'manifest.json']


def _several(folder, steps):
  def save(path):
    if os.path.basename(path) == 'a':
      os.mkdir(os.path.join(path, 'deep'))
    for name in {'a': ('x', 'deep/y'), 'b': ('z',)}[os.path.basename(path)]:
      with open(os.path.join(path, name), 'w') as file:
        file.write(f'{name} of step {steps}')

  return checkpoints.write(str(folder), lambda path: steps, {'a': save, 'b': save}, keep=2)


def _damage(path, how):
  if how == 'missing':
    shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    return
  with open(path, 'r+b') as file:
    if how == 'changed':
      file.seek(5)
      file.write(b'~')
    else:
      file.truncate(0 if how == 'empty' else os.path.getsize(path) - 3)


_DAMAGES = [(name, how) for how in ('missing', 'empty', 'cut', 'changed') for name in _FILES]
_DAMAGES.remove(('manifest.json', 'changed'))  # It is checked by its form alone.


@pytest.mark.parametrize('name, how', [*_DAMAGES, ('a', 'missing'), ('b', 'missing')])
def test_the_newest_whole_one_is_taken_and_that_is_said(tmp_path, caplog, name, how):
  older, newer = _several(tmp_path, 10), _several(tmp_path, 20)
  _damage(os.path.join(newer, name), how)
  assert checkpoints.latest(str(tmp_path)) == older
  (said,) = [record.getMessage() for record in caplog.records]
  assert said.startswith(f'Going back to the checkpoint {older}, since 000000000020 is damaged ({name}')
  assert said.count('\n') == 0
  with pytest.raises(errors.UserError, match='000000000020 is damaged') as caught:
    shutil.rmtree(older)
    checkpoints.latest(str(tmp_path))
  assert 'remove that folder to start over' in str(caught.value) and '\n' not in str(caught.value)


def test_damaged_ones_are_out_of_the_way_of_new_ones(tmp_path):
  older, newer = _several(tmp_path, 10), _several(tmp_path, 20)
  os.remove(os.path.join(newer, 'b/z'))
  assert checkpoints.latest(str(tmp_path)) == older
  checkpoints.set_aside(str(tmp_path), older)
  assert sorted(os.listdir(tmp_path)) == ['000000000010', '000000000020.damaged']
  between = _write(tmp_path, 15, keep=1)
  assert checkpoints.latest(str(tmp_path)) == between
  assert os.listdir(tmp_path) == ['000000000015']


def test_the_old_one_of_a_step_is_taken_if_the_new_one_is_damaged(tmp_path):
  new = _several(tmp_path, 10)
  shutil.copytree(new, new + '.old')
  os.remove(os.path.join(new, 'a/x'))
  assert checkpoints.latest(str(tmp_path)) == new + '.old'
  checkpoints.set_aside(str(tmp_path), new + '.old')
  assert sorted(os.listdir(tmp_path)) == ['000000000010.damaged', '000000000010.old']


def test_checkpoints_that_are_gone_are_not_begun_anew_without_a_word(tmp_path):
  shutil.rmtree(_write(tmp_path, 10))
  with pytest.raises(errors.UserError, match='The checkpoints that were in .* are gone; .* to start over'):
    checkpoints.latest(str(tmp_path))


# --- A disk that takes no more ---


def _too_large(path):
  """Fails as TensorFlow does, with the system's words in an error of its own."""
  raise RuntimeError(f'{path}/part.data; {os.strerror(errno.ENOSPC)}')


def _full(path):
  with open(os.path.join(path, 'file'), 'w') as file:
    file.write('begun')
  raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize('save', [_full, _too_large])
def test_a_full_disk_is_one_sentence_and_leaves_the_one_before(tmp_path, save):
  with pytest.raises(errors.UserError, match='could not be written to .*: No space left on device; it was the first'):
    checkpoints.write(str(tmp_path / 'new'), lambda path: 10, {'part': _saves('10'), 'other': save}, keep=1)
  assert not os.path.exists(tmp_path / 'new')
  before = _write(tmp_path, 10)
  with pytest.raises(errors.UserError, match='the one before it is whole, and the same command resumes from it'):
    checkpoints.write(str(tmp_path), lambda path: 20, {'part': _saves('20'), 'other': save}, keep=1)
  assert os.listdir(tmp_path) == [os.path.basename(before)]
  assert checkpoints.latest(str(tmp_path)) == before


@pytest.mark.parametrize('failing', [1, 2, 3, 4, 5, 6])
def test_a_disk_that_is_full_at_any_moment_leaves_one_whole_checkpoint(tmp_path, monkeypatch, failing):
  before, calls, sync = _write(tmp_path, 10), [], os.fsync

  def synced(handle):
    calls.append(handle)
    if len(calls) == failing:
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    sync(handle)

  with monkeypatch.context() as patch:
    patch.setattr(os, 'fsync', synced)
    with pytest.raises(errors.UserError, match='No space left'):
      _write(tmp_path, 20, keep=1)
  after = checkpoints.latest(str(tmp_path))
  assert after == before or failing == 6  # At the last one it has its name already.
  assert _text(after) == str(checkpoints.manifest(after)['steps'])


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
