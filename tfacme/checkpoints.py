"""What a killed run goes on from: learner, counter and replay, saved and restored together."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import Any, Callable, Mapping, Optional

import numpy as np

from tfacme import errors

SCHEMA = 1  # Of the folder; a checkpoint of another schema is refused.
_MANIFEST = 'manifest.json'
_OLD = '.old'
_PARTIAL = 'next.partial'


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
  """
  partial = os.path.join(folder, _PARTIAL)
  shutil.rmtree(partial, ignore_errors=True)
  digests = {}
  for name, save in parts.items():
    os.makedirs(os.path.join(partial, name))
    digests[name] = save(os.path.join(partial, name))
  count = steps(partial)
  final = os.path.join(folder, f'{count:012d}')
  _write_manifest(partial, {'schema': SCHEMA, 'steps': count, 'complete': False, 'digests': digests})
  if os.path.exists(final):  # Of the same number of steps: a run that was stopped there and went on.
    shutil.rmtree(final + _OLD, ignore_errors=True)
    os.replace(final, final + _OLD)
  os.replace(partial, final)
  _prune(folder, keep)
  return final


def complete(path: str) -> None:
  """Marks a checkpoint as the end of its run, after which nothing is left to do."""
  _write_manifest(path, {**manifest(path), 'complete': True})


def _write_manifest(path: str, content: Mapping[str, Any]) -> None:
  final = os.path.join(path, _MANIFEST)
  with open(final + '.partial', 'w', encoding='utf-8') as file:
    json.dump(content, file, indent=2)
  os.replace(final + '.partial', final)


def _prune(folder: str, keep: int) -> None:
  whole = _whole(folder)
  for name in os.listdir(folder):
    if name not in whole[-keep:] and name.split('.')[0].isdigit():
      shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def _whole(folder: str) -> list[str]:
  names = os.listdir(folder) if os.path.isdir(folder) else []
  # The old one of two with the same number of steps counts while the new one is not in its place.
  found = [n for n in names if n.isdigit() or (n.endswith(_OLD) and n.removesuffix(_OLD) not in names)]
  return sorted(n for n in found if os.path.exists(os.path.join(folder, n, _MANIFEST)))


def latest(folder: str) -> Optional[str]:
  """The newest whole checkpoint, or None."""
  for name in _whole(folder)[-1:]:
    path = os.path.join(folder, name)
    if manifest(path)['schema'] != SCHEMA:
      raise errors.UserError(
        f'The checkpoint {path} was written by another version of tfacme; use a new work directory.'
      )
    return path
  return None


def manifest(path: str) -> Mapping[str, Any]:
  """What a checkpoint says of itself: its schema, its steps and the digests of its parts."""
  with open(os.path.join(path, _MANIFEST), encoding='utf-8') as file:
    return json.load(file)


def restore(path: Optional[str], name: str, load: Callable[[str], Optional[str]]) -> None:
  """Has one part load itself from a checkpoint, and checks that it is what was saved; None is no checkpoint."""
  if path is None or name not in manifest(path)['digests']:
    return
  part, saved = os.path.join(path, name), manifest(path)['digests'][name]
  if not os.path.isdir(part):
    raise errors.CorruptCheckpointError(f'The {name} is missing from the checkpoint {path}.')
  found = load(part)
  if saved is not None and found != saved:
    raise errors.CorruptCheckpointError(f'The {name} restored from {path} is not what was saved there.')
