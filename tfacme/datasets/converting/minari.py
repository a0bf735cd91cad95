"""Data sets of Minari, in its own format."""

from __future__ import annotations

import io
import logging
import os
from typing import Any, Dict, Iterator, Set

import numpy as np
import tree

from tfacme import core, errors, importing
from tfacme.datasets import episodes as episodes_lib
from tfacme.datasets import folder
from tfacme.datasets.converting import transitions

PREFIX = 'minari:'

_METADATA = 'metadata.json'  # is in the folder of each of its data sets
_JPEG_SIDE = 32  # pixels of the shorter side of a frame that Minari decodes itself
_LOG = logging.getLogger('tfacme')


def load(source: str) -> Any:
  """The data set of Minari `minari:ID`, which is on this machine or can be downloaded; or that in a folder.

  Raises:
    UserError: if there is none.
  """
  inside = '' if source.startswith(PREFIX) else _inside(source)
  importing.require('minari', source, 'data')
  import minari

  try:
    if inside:
      return minari.MinariDataset(inside)
    return minari.load_dataset(source[len(PREFIX) :], download=True)
  except Exception as error:  # of files, of the network, of names: a dozen kinds of them
    raise _unreadable(source, error) from None


def _inside(path: str) -> str:
  """Where in the folder of a data set its files are; raises a `UserError` if they are not there."""
  for inside in (os.path.join(path, 'data'), path):
    if os.path.exists(os.path.join(inside, _METADATA)):
      return inside
  raise errors.UserError(f'The folder {path} is no data set of Minari: it has no data/{_METADATA}.')


def _unreadable(source: str, error: Exception) -> errors.UserError:
  return errors.UserError(f'The Minari data set {source} can not be read: {folder.one_line(error)}.')


def beside(dataset: Any) -> Dict[str, str]:
  """What it says of all its episodes: its own id, and that of their environment if it knows it."""
  environment = f'gym:{dataset.env_spec.id}' if dataset.env_spec is not None else ''
  return {'environment': environment, 'dataset': dataset.id}


def episodes(dataset: Any) -> Iterator[transitions.Episode]:
  """The episodes of a data set.

  Minari keeps frames as JPEG, and now and then other parts of type uint8 too; both are decoded here, and a warning says
  that they are not what was recorded to the last bit. Left out, with a warning, are text, infos, and episodes that have
  no step or are terminated before their last one, so that nobody knows which of their observations is a final one.

  Raises:
    UserError: if its files are damaged, or if what an episode holds has not the shape of its space, or is text alone.
  """
  reader = _Reader(dataset)
  empty = midway = 0
  infos: Set[str] = set()
  for episode in _recorded(dataset):
    infos.update(episode.infos or ())
    if not len(episode.rewards):
      empty += 1
    elif np.any(episode.terminations[:-1]):
      midway += 1
    else:
      step = reader.step(episode)
      yield transitions.Episode(step, transitions.strange(step, of=f' of episode {episode.id}'))
  if empty:
    _LOG.warning('Episodes of %s without a step are left out: %d.', dataset.id, empty)
  if midway:
    _LOG.warning('Episodes of %s that are terminated before their last step are left out: %d.', dataset.id, midway)
  if infos:
    _LOG.warning('Infos of %s that are left out: %s.', dataset.id, errors.listed(sorted(infos), most=6))


def _recorded(dataset: Any) -> Iterator[Any]:
  """The episodes as Minari has them."""
  try:
    yield from dataset.iterate_episodes()
  except Exception as error:  # of its files, in one of three formats
    raise _unreadable(dataset.id, error) from None


class _Reader:
  """Makes rows of Minari's episodes, and warns once of what is lost."""

  def __init__(self, dataset: Any):
    self._name = dataset.id
    self._observation_space, self._action_space = dataset.observation_space, dataset.action_space
    self._said: Set[str] = set()

  def step(self, episode: Any) -> core.Step:
    """An episode of T >= 1 transitions."""
    steps = len(episode.rewards)
    discount = np.ones(steps + 1, np.float32)
    discount[steps - int(bool(episode.terminations[-1])) :] = 0
    rewards = np.asarray(episode.rewards, np.float32)
    transitions.check_flat(rewards, 'rewards', self._name)
    observation = self._read(episode.observations, self._observation_space, 'observation', steps + 1)
    action = self._read(episode.actions, self._action_space, 'action', steps, padding=1)
    for name, nest in (('observation', observation), ('action', action)):
      if not tree.flatten(() if nest is None else nest):
        raise errors.UserError(f'The {name} of {self._name} is text alone, and experience is numbers.')
    return core.Step(
      observation=observation,
      action=action,
      reward=np.append(rewards, np.float32(0)),
      discount=discount,
      first=np.arange(steps + 1) == 0,
      last=np.arange(steps + 1) == steps,
    )

  def _read(self, values: Any, space: Any, name: str, rows: int, padding: int = 0) -> Any:
    """The nest of arrays [rows + padding, ...] of values of a space."""
    if isinstance(values, dict):
      parts = {key: self._read(part, space[key], f'{name}/{key}', rows, padding) for key, part in values.items()}
      return {key: part for key, part in parts.items() if part is not None}
    if isinstance(values, tuple):
      parts = [self._read(v, s, f'{name}/{i}', rows, padding) for i, (v, s) in enumerate(zip(values, space))]
      return tuple(part for part in parts if part is not None)
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
      self._say(f'{name} is text, and is left out.')
      return None
    if space.shape is None:
      raise errors.UserError(f'Rows have fixed shapes, and the {name} of {self._name} is {space}.')
    array, shape = np.asarray(values), (rows, *space.shape)
    if space.dtype == np.uint8 and (array.shape != shape or array.dtype == object):
      array = self._decoded(array, space, name)
    elif space.dtype == np.uint8 and len(space.shape) >= 2 and min(space.shape[:2]) >= _JPEG_SIDE:
      self._say(f'{name} was kept as JPEG by Minari: it is near to what was recorded, and not that.')
    if not episodes_lib.alike(array.shape, shape):
      raise errors.UserError(f'The {name} of an episode of {self._name} is {array.shape}, and has to be {shape}.')
    array = array.reshape(shape)
    array = np.concatenate([array, np.zeros((padding, *space.shape), array.dtype)])
    return transitions.as_converted(array)

  def _decoded(self, array: np.ndarray, space: Any, name: str) -> np.ndarray:
    """What Minari wrote as JPEG, and does not take for an image when it reads."""
    from PIL import Image

    self._say(f'{name} was kept as JPEG by Minari, and is decoded: it is near to what was recorded, and not that.')
    rows = (np.asarray(row, np.uint8).tobytes() for row in array)
    try:
      return np.stack([np.array(Image.open(io.BytesIO(row))).reshape(space.shape) for row in rows])
    except (OSError, ValueError) as error:
      raise errors.UserError(f'The {name} of {self._name} can not be decoded: {error}.') from None

  def _say(self, line: str) -> None:
    if line not in self._said:
      self._said.add(line)
      _LOG.warning('%s: %s', self._name, line)
