"""Files that hold transitions in arrays, one after the other: D4RL's HDF5, and NumPy's `.npz` with the same names.

    observations [N, ...]       o_t; a group of arrays (`observations/position`) is a nest
    actions [N, ...]            a_t
    rewards [N]                 r_{t+1}
    terminals [N]               whether the episode was terminated by this action
    timeouts [N]                whether it was truncated there (may be missing)
    next_observations [N, ...]  o_{t+1} (may be missing)

Whatever else there is (`infos/...`, `metadata/...`) is left out. HDF5 is read an episode at a time, an `.npz` whole.
"""

from __future__ import annotations

import contextlib
import zipfile
from typing import Any, Dict, Iterator, Mapping, Optional

import numpy as np
import tree

from tfacme import core, errors, importing
from tfacme.datasets.converting import transitions

_NEEDED = ('observations', 'actions', 'rewards', 'terminals')
_OPTIONAL = ('timeouts', 'next_observations')
_OBSERVED = ('observations', 'next_observations')
_HDF5 = ('.hdf5', '.h5')


@contextlib.contextmanager
def opened(path: str, max_episode_steps: Optional[int] = None) -> Iterator[Iterator[core.Step]]:
  """The episodes of a file, which is open meanwhile.

  Args:
    path: ends in .hdf5, .h5 or .npz.
    max_episode_steps: at which episodes were truncated; for a file that does not say where.

  Raises:
    UserError: if it is no such file, or its arrays are not those above.
  """
  if not path.endswith((*_HDF5, '.npz')):
    raise errors.UserError(
      f'{path} can not be converted: give a file of D4RL (.hdf5), of NumPy arrays (.npz), or minari:ID.'
    )
  with _npz(path) if path.endswith('.npz') else _hdf5(path) as nested:
    yield _episodes(_columns(nested, path), path, max_episode_steps)


def _episodes(columns: transitions.Columns, path: str, max_episode_steps: Optional[int]) -> Iterator[core.Step]:
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
  try:
    file = np.load(path, allow_pickle=False)
  except (OSError, ValueError, zipfile.BadZipFile) as error:
    raise _unreadable(path, error) from None
  nested: Dict[str, Any] = {}
  with file:
    for name in file.files:
      *groups, last = name.split('/')
      if groups[:1] in ([], ['observations'], ['next_observations'], ['actions']):
        within = nested
        for group in groups:
          within = within.setdefault(group, {})
        within[last] = _loaded(file, name, path)
  yield nested


def _loaded(file: Any, name: str, path: str) -> np.ndarray:
  try:
    return file[name]
  except (OSError, ValueError, zipfile.BadZipFile) as error:  # objects, or a file that is cut
    raise errors.UserError(f'The array {name} of {path} can not be read: {error}.') from None


def _unreadable(path: str, error: Exception) -> errors.UserError:
  reason = getattr(error, 'strerror', None) or ' '.join(str(error).split())
  return errors.UserError(f'{path} can not be read: {reason}.')


def _columns(nested: Mapping[str, Any], path: str) -> transitions.Columns:
  """The arrays by what they are.

  Raises:
    UserError: if one is missing, or is not of as many rows as the others.
  """
  missing = [name for name in _NEEDED if name not in nested]
  if missing:
    raise errors.UserError(
      f'{path} has no {" and no ".join(missing)}, but {errors.listed(sorted(nested), 8)}: name the arrays as D4RL does '
      f'({", ".join(_NEEDED)}; {", ".join(_OPTIONAL)} where they are known).'
    )
  columns = {name: nested[name] for name in (*_NEEDED, *_OPTIONAL) if name in nested}
  rows = columns['rewards'].shape[0] if getattr(columns['rewards'], 'shape', ()) else 0
  for at, leaf in tree.flatten_with_path(columns):
    name = '/'.join(map(str, at))
    if leaf.dtype.kind not in 'biuf':
      raise errors.UserError(f'The array {name} of {path} is of type {leaf.dtype}, and experience is numbers.')
    if leaf.shape[:1] != (rows,):
      raise errors.UserError(f'{name} of {path} is of the shape {leaf.shape}, and there are {rows} rewards.')
  if 'next_observations' in columns:
    own, following = ([(at, s.shape) for at, s in tree.flatten_with_path(columns[name])] for name in _OBSERVED)
    if own != following:
      raise errors.UserError(f'The next_observations of {path} are of another form than its observations.')
  return transitions.Columns(**columns)
