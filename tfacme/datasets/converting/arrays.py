"""Files that hold transitions in arrays, one after the other: D4RL's HDF5, and NumPy's `.npz` with the same names.

    observations [N, ...]       o_t; a group of arrays (`observations/position`) is a nest
    actions [N, ...]            a_t
    rewards [N]                 r_{t+1}
    terminals [N]               whether the episode was terminated by this action: 0 or 1
    timeouts [N]                whether it was truncated there (may be missing)
    next_observations [N, ...]  o_{t+1} (may be missing)

What is [N] may be [N, 1] as well. Whatever else there is (`infos/...`, `metadata/...`) is left out, with a warning.
HDF5 is read an episode at a time, an `.npz` whole.
"""

from __future__ import annotations

import contextlib
import logging
import os
import zipfile
import zlib
from typing import Any, Dict, Iterator, Mapping, Optional, Sequence, Tuple

import numpy as np
import tree

from tfacme import errors, importing
from tfacme.datasets.converting import transitions

_NEEDED = ('observations', 'actions', 'rewards', 'terminals')
_OPTIONAL = ('timeouts', 'next_observations')
_NAMES = (*_NEEDED, *_OPTIONAL)
_FLAT = {'rewards', 'terminals', 'timeouts'}  # a number for each transition
_OBSERVED = ('observations', 'next_observations')
_HDF5 = ('.hdf5', '.h5')
_GIVE = 'give one of D4RL (.hdf5) or of NumPy arrays (.npz), the folder of a Minari data set, or minari:ID'
_BROKEN = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)  # what an `.npz` that is damaged raises
_LOG = logging.getLogger('tfacme')


@contextlib.contextmanager
def opened(path: str, max_episode_steps: Optional[int] = None) -> Iterator[Iterator[transitions.Episode]]:
  """The episodes of a file, which is open meanwhile.

  Args:
    path: ends in .hdf5, .h5 or .npz.
    max_episode_steps: at which episodes were truncated; for a file that does not say where.

  Raises:
    UserError: if there is no such file, or its arrays are not those above.
  """
  if not os.path.exists(path):
    raise errors.UserError(f'There is no file {path}: {_GIVE}.')
  if not path.endswith((*_HDF5, '.npz')):
    raise errors.UserError(f'The file {path} can not be converted: {_GIVE}.')
  with _npz(path) if path.endswith('.npz') else _hdf5(path) as nested:
    columns = _columns(nested, path)
    others = ['/'.join(at) for at, _ in tree.flatten_with_path(nested) if at[0] not in _NAMES]
    if others:
      _LOG.warning('Arrays of %s that are left out: %s.', path, errors.listed(others, most=6))
    yield _episodes(columns, path, max_episode_steps)


def _episodes(
  columns: transitions.Columns, path: str, max_episode_steps: Optional[int]
) -> Iterator[transitions.Episode]:
  try:
    yield from transitions.episodes(columns, path, max_episode_steps)
  except OSError as error:  # in the middle of an HDF5 file that is damaged
    raise _unreadable(path, error) from None


@contextlib.contextmanager
def _hdf5(path: str) -> Iterator[Mapping[str, Any]]:
  importing.require('h5py', f'{path}', 'data')
  import h5py

  try:
    file = h5py.File(path, 'r')
  except OSError as error:
    raise _unreadable(path, error) from None
  with file:
    if 'episode_0' in file:
      raise errors.UserError(f'{path} is a part of a Minari data set: give its folder, or minari:ID.')
    yield _nest(file)


def _nest(group: Any) -> Any:
  """The arrays of a file, which are read where they are sliced."""
  return {key: _nest(part) for key, part in group.items()} if hasattr(group, 'items') else group


@contextlib.contextmanager
def _npz(path: str) -> Iterator[Mapping[str, Any]]:
  """The arrays of a file; None stands for each that is not needed."""
  try:
    file = np.load(path, allow_pickle=False)
  except _BROKEN as error:
    raise _unreadable(path, error) from None
  if not hasattr(file, 'files'):
    raise errors.UserError(f'{path} holds a single array: write it by np.savez, with a name for each array.')
  nested: Dict[str, Any] = {}
  with file:
    for name in file.files:
      *groups, last = name.split('/')
      within: Any = nested
      for group in groups:
        within = within.setdefault(group, {}) if isinstance(within, dict) else None
      if not isinstance(within, dict) or last in within:
        raise errors.UserError(f'The array {name} of {path} lies within another array, or holds one: rename it.')
      within[last] = _loaded(file, name, path) if name.split('/')[0] in _NAMES else None
  yield nested


def _loaded(file: Any, name: str, path: str) -> np.ndarray:
  try:
    return file[name]
  except _BROKEN as error:  # of objects too
    raise errors.UserError(f'The array {name} of {path} can not be read: {error}.') from None


def _unreadable(path: str, error: Exception) -> errors.UserError:
  reason = getattr(error, 'strerror', None) or ' '.join(str(error).split())
  return errors.UserError(f'{path} can not be read: {reason}.')


def _columns(nested: Mapping[str, Any], path: str) -> transitions.Columns:
  """The arrays by what they are.

  Raises:
    UserError: if one is missing, or is not of as many rows as the others, or has not the shape of what it is.
  """
  if not tree.flatten(nested):
    raise errors.UserError(f'{path} holds no array, and has to hold {", ".join(_NEEDED)}.')
  missing = [name for name in _NEEDED if not tree.flatten(nested.get(name, ()))]
  if missing:
    raise errors.UserError(
      f'{path} has no {" and no ".join(missing)}, but {errors.listed(sorted(nested), 8)}: name the arrays as D4RL does '
      f'({", ".join(_NEEDED)}; {", ".join(_OPTIONAL)} where they are known).'
    )
  columns = {name: nested[name] for name in _NAMES if name in nested}
  for name in columns.keys() & _FLAT:
    transitions.check_flat(columns[name], name, path)
  rows = columns['rewards'].shape[0]
  for at, leaf in tree.flatten_with_path(columns):
    name, shape = '/'.join(map(str, at)), _shape(leaf)
    if shape[:1] != (rows,):
      raise errors.UserError(f'{name} of {path} is of the shape {shape}, and there are {rows} rewards.')
    if leaf.dtype.kind not in 'biuf':
      raise errors.UserError(f'The array {name} of {path} is of type {leaf.dtype}, and experience is numbers.')
  if 'next_observations' in columns:
    own, following = ([(at, s.shape) for at, s in tree.flatten_with_path(columns[name])] for name in _OBSERVED)
    if own != following:
      raise errors.UserError(
        f'next_observations of {path} are {_words(following)}, and observations are {_words(own)}: make them alike.'
      )
  return transitions.Columns(**columns)


def _shape(leaf: Any) -> Tuple[int, ...]:
  """The shape of an array; () of what is none, as a link of HDF5 that leads nowhere."""
  return tuple(getattr(leaf, 'shape', None) or ())


def _words(shapes: Sequence[Tuple[Any, ...]]) -> str:
  return errors.listed((' '.join(['/'.join(at), str(shape)]).strip() for at, shape in shapes), most=6)
