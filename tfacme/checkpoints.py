"""What a killed run resumes from: learner, counter and replay, saved and restored together.

A checkpoint is a folder whose manifest lists every file in it. It is written beside the others and synced to the disk
before it gets its name; only then the older ones are deleted: at any moment the newest one with a name is whole, unless
something else has damaged it. Then the one before it is used, and no run starts over unasked.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np

from tfacme import errors

SCHEMA = 5  # Of the folder and of the logs that a run goes on with; a checkpoint of another schema is refused.
_LOG = logging.getLogger('tfacme')
_MANIFEST = 'manifest.json'
_KEYS = {'schema', 'steps', 'complete', 'digests', 'files'}  # of a manifest
_OLD, _DAMAGED = '.old', '.damaged'
_PARTIAL = 'next.partial'
_PIECE = 1 << 20  # bytes of a file that are read at a time
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)  # how a disk fails


def digest(state: Any) -> str:
  """A hash of plain values and arrays, the same for the same values in the same order."""
  blake = hashlib.blake2b(digest_size=16)
  _add(blake, state)
  return blake.hexdigest()


def _add(blake: Any, state: Any) -> None:
  if isinstance(state, Mapping):
    for key in sorted(state):
      blake.update(f'{key}:'.encode())
      _add(blake, state[key])
  elif isinstance(state, (list, tuple)):
    blake.update(f'{len(state)};'.encode())
    for part in state:
      _add(blake, part)
  elif isinstance(state, np.ndarray):
    blake.update(f'{state.dtype}{state.shape}'.encode())
    if state.size:
      blake.update(memoryview(np.ascontiguousarray(state).reshape(-1).view(np.uint8)))
  else:
    blake.update(f'{state!r};'.encode())


def write(
  folder: str, steps: Callable[[str], int], parts: Mapping[str, Callable[[str], Optional[str]]], keep: int
) -> str:
  """Writes a checkpoint whole or not at all, and removes older ones.

  Args:
    folder: of all checkpoints of the run.
    steps: says of what was saved into a folder how far the run had come, in the unit of its budget.
    parts: name -> saves that part into a folder and returns a digest of it.
    keep: how many checkpoints stay.

  Returns:
    Its folder.

  Raises:
    UserError: the disk is full, or can't be written for another reason; the earlier checkpoints stay as they are.
  """
  try:
    remove_partial(folder)
    final = _write(folder, steps, parts)
  except Exception as error:
    remove_partial(folder)
    why = _disk_failure(error)
    if why is None:
      raise
    before = (
      'the one before it is whole, and the same command resumes from it' if _found(folder) else 'it was the first'
    )
    raise errors.UserError(f'The checkpoint could not be written to {folder}: {why}; {before}.') from error
  _prune(folder, final, keep)
  return final


def _disk_failure(error: Exception) -> Optional[str]:
  """Why the disk refused it, if it was the disk; TensorFlow and Reverb pass on the system's message alone."""
  if isinstance(error, OSError) and error.errno in _DISK:
    return error.strerror
  return next((words for words in map(os.strerror, _DISK) if words in str(error)), None)


def _write(folder: str, steps: Callable[[str], int], parts: Mapping[str, Callable[[str], Optional[str]]]) -> str:
  partial = os.path.join(folder, _PARTIAL)
  digests = {}
  for name, save in parts.items():
    os.makedirs(os.path.join(partial, name))
    digests[name] = save(os.path.join(partial, name))
  count = steps(partial)
  final = _path(folder, count)
  content = {'schema': SCHEMA, 'steps': count, 'complete': False, 'digests': digests, 'files': _sync_all(partial)}
  _write_manifest(partial, content)
  if os.path.exists(final):  # Of the same number of steps: a run that was stopped there and resumed.
    shutil.rmtree(final + _OLD, ignore_errors=True)
    os.replace(final, final + _OLD)
  os.replace(partial, final)
  _sync(folder)
  return final


def complete(path: str, ended: Optional[str] = None) -> None:
  """Marks a checkpoint as the end of its run, after which nothing is left to do.

  Args:
    path: its folder.
    ended: why the run ended before its budget was spent; None if it did not.
  """
  _write_manifest(path, {**manifest(path), 'complete': True, 'ended': ended})


def _write_manifest(path: str, content: Mapping[str, Any]) -> None:
  final = os.path.join(path, _MANIFEST)
  with open(final + '.partial', 'w', encoding='utf-8') as file:
    json.dump(content, file, indent=2)
  _sync(final + '.partial')
  os.replace(final + '.partial', final)
  _sync(path)


def _sync_all(path: str) -> Dict[str, Tuple[int, str]]:
  """Has all files below a folder written to the disk; returns {name: (size in bytes, checksum)} of each."""
  files = {}
  for place, _, names in os.walk(path):
    for name in sorted(names):
      file = os.path.join(place, name)
      _sync(file)
      files[os.path.relpath(file, path)] = os.path.getsize(file), _checksum(file)
    _sync(place)
  return files


def _sync(path: str) -> None:
  """Waits until a file, or the list of names of a folder, is on the disk."""
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  except OSError as error:
    if error.errno != errno.EINVAL:  # Some file systems can't do it for folders.
      raise
  finally:
    os.close(handle)


def _checksum(path: str) -> str:
  blake = hashlib.blake2b(digest_size=16)
  with open(path, 'rb') as file:
    while piece := file.read(_PIECE):
      blake.update(piece)
  return blake.hexdigest()


def _prune(folder: str, newest: str, keep: int) -> None:
  names = [name for name in _found(folder) if name.isdigit() and name <= os.path.basename(newest)]
  for name in os.listdir(folder):
    if name not in names[-keep:] and name.split('.')[0].isdigit():
      shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def _found(folder: str) -> List[str]:
  """The names of all checkpoints, whole or not, in the order of their age."""
  names = os.listdir(folder) if os.path.isdir(folder) else []
  # Of two with the same number of steps the old one counts while the new one is not in its place, or is damaged.
  found = [name for name in names if name.removesuffix(_OLD).isdigit()]
  return sorted(found, key=lambda name: (int(name.removesuffix(_OLD)), not name.endswith(_OLD)))


def latest(folder: str, part: Optional[str] = None) -> Optional[str]:
  """The newest whole checkpoint, or None if none was ever written; says so if a newer one is damaged.

  Args:
    folder: of all checkpoints of the run.
    part: if only one part of it is wanted, the others, which may be many gigabytes, are not looked at.

  Raises:
    UserError: there is none that is whole although there were some, or it is of another version of tfacme.
  """
  damaged = []
  for name in reversed(_found(folder)):
    path = os.path.join(folder, name)
    why = damage(path, part)
    if why is None:
      if damaged:
        _LOG.warning('Going back to the checkpoint %s, since %s.', path, ' and '.join(damaged))
      return path
    damaged.append(f'{name} is damaged ({why})')
  if damaged:
    raise errors.UserError(
      f'No checkpoint in {folder} is whole: {", ".join(damaged)}; put a copy in its place, give another work '
      'directory, or remove that folder to start over.'
    )
  if os.path.isdir(folder) and os.listdir(folder) != [_PARTIAL]:  # That may have been the first.
    raise errors.UserError(
      f'The checkpoints that were in {folder} are gone; put a copy in their place, give another work directory, or '
      'remove that folder to start over.'
    )
  return None


def steps(folder: str) -> List[int]:
  """The steps of all checkpoints that have their name, the oldest first."""
  return [int(name) for name in _found(folder) if name.isdigit()]


def ended(folder: str) -> Optional[str]:
  """Why the run ended before its budget was spent, by its newest checkpoint; None if it did not, or is not complete.

  The checkpoint's files, which may be many gigabytes, are not looked at.
  """
  for count in reversed(steps(folder)):
    with contextlib.suppress(OSError, ValueError):  # It is damaged; then a run goes back to the one before it.
      return manifest(_path(folder, count)).get('ended')
  return None


def _path(folder: str, count: int) -> str:
  return os.path.join(folder, f'{count:012d}')


def at(folder: str, count: Optional[int], part: Optional[str] = None) -> str:
  """The checkpoint of so many steps, or the newest one.

  Args:
    folder: of all checkpoints of the run.
    count: the steps; None is the newest one.
    part: see `latest`.

  Raises:
    UserError: there is none, or it is damaged.
  """
  if count is None:
    path = latest(folder, part)
    if path is None:
      raise errors.UserError(f'There is no checkpoint in {folder} yet.')
    return path
  if count not in steps(folder):
    there = ', '.join(map(str, steps(folder))) or 'none'
    raise errors.UserError(
      f'There is no checkpoint of {count} steps in {folder}, but {there} (--checkpointing.keep says how many are kept).'
    )
  path = _path(folder, count)
  why = damage(path, part)
  if why is not None:
    raise errors.UserError(f'The checkpoint {path} is damaged: {why}.')
  return path


def damage(path: str, part: Optional[str] = None) -> Optional[str]:
  """What is wrong with a checkpoint, or with one part of it, as a phrase; None if it is whole.

  Raises:
    UserError: it was written by another version of tfacme, or can't be read.
  """
  try:
    content = manifest(path)
    if isinstance(content, dict) and content.get('schema', SCHEMA) != SCHEMA:
      raise errors.UserError(
        f'The checkpoint {path} was written by another version of tfacme; use a new work directory.'
      )
    if not isinstance(content, dict) or not _KEYS <= set(content):
      return f'{_MANIFEST} is not whole'
    wanted = [name for name in content['files'] if part is None or name.startswith(f'{part}{os.sep}')]
    found = (_damage(path, name, *content['files'][name]) for name in wanted)
    return next(filter(None, found), None)
  except FileNotFoundError:
    return f'{_MANIFEST} is missing'
  except (json.JSONDecodeError, UnicodeDecodeError):
    return f'{_MANIFEST} is not whole'
  except PermissionError as error:
    raise errors.UserError(f'The checkpoint {path} can not be read: {error.strerror}.') from error
  except OSError as error:
    return str(error.strerror)


def _damage(path: str, name: str, size: int, checksum: str) -> Optional[str]:
  file = os.path.join(path, name)
  if not os.path.isfile(file):
    return f'{name} is missing'
  if os.path.getsize(file) != size:
    return f'{name} has {os.path.getsize(file)} of {size} bytes'
  return None if _checksum(file) == checksum else f'{name} is not as it was written'


def manifest(path: str) -> Mapping[str, Any]:
  """What a checkpoint says of itself: its schema, its steps, the digests of its parts and all of its files."""
  with open(os.path.join(path, _MANIFEST), encoding='utf-8') as file:
    return json.load(file)


def remove_partial(folder: str) -> None:
  """Removes what was left of a checkpoint that was not finished."""
  shutil.rmtree(os.path.join(folder, _PARTIAL), ignore_errors=True)
  if os.path.isdir(folder) and not os.listdir(folder):  # An empty one would say that there had been checkpoints.
    os.rmdir(folder)


def set_aside(folder: str, checkpoint: str) -> None:
  """Renames damaged checkpoints newer than the one that a run resumes from; they are deleted when it writes one."""
  names = _found(folder)
  for name in names[names.index(os.path.basename(checkpoint)) + 1 :]:
    path = os.path.join(folder, name)
    shutil.rmtree(path + _DAMAGED, ignore_errors=True)
    os.replace(path, path + _DAMAGED)


def restore(path: Optional[str], name: str, load: Callable[[str], Optional[str]]) -> None:
  """Restores one part from a checkpoint, and checks that it is what was saved; None is no checkpoint.

  Args:
    path: of the checkpoint.
    name: of the part.
    load: restores it from a folder and returns a digest of it; None if that can't be told yet.
  """
  if path is None or name not in manifest(path)['digests']:
    return
  part, saved = os.path.join(path, name), manifest(path)['digests'][name]
  if not os.path.isdir(part):
    raise errors.CorruptCheckpointError(f'The {name} is missing from the checkpoint {path}.')
  found = load(part)
  if None not in (saved, found) and found != saved:
    raise errors.CorruptCheckpointError(f'The {name} restored from {path} is not what was saved there.')
