"""What a learner has saved, read without a learner: which variables there are, and their values."""

from __future__ import annotations

import functools
import json
import os
from typing import Any, Dict, Mapping, NamedTuple, Sequence

import numpy as np
import tensorflow as tf

from tfacme import core, errors
from tfacme.tensors import naming

STATE, VARIABLES = 'learner.json', 'update'  # files of a learner's folder
_PREFIX, _SUFFIX = 'update/', '/.ATTRIBUTES/VARIABLE_VALUE'  # of the places of an update's variables, in a checkpoint


class Kind(NamedTuple):
  """What two variables have to have in common beside their names."""

  shape: Sequence[int]
  dtype: tf.DType

  @classmethod
  def of(cls, variable: Any) -> Kind:
    """That of a variable."""
    return cls(tuple(variable.shape), tf.as_dtype(variable.dtype))

  def __str__(self) -> str:
    return f'{self.dtype.name} {self.shape}'


def layout(
  update: core.Update, networks: Any, published: Mapping[str, Mapping[str, tf.Variable]]
) -> Dict[str, Mapping[str, Any]]:
  """Where the variables of the agent's networks, and those that it publishes, are in its update, as plain values.

  Args:
    update: the algorithm.
    networks: the agent's.
    published: what `variables.published` gives of the two.

  Raises:
    UserError: it publishes a variable that is no part of it, which no checkpoint would have.
  """
  inside = {id(variable): place for place, variable in naming.places(update).items()}

  def places(named: Mapping[str, tf.Variable]) -> Dict[str, str]:
    return {name: inside[id(variable)] for name, variable in named.items() if id(variable) in inside}

  made = {what: places(named) for what, named in published.items()}
  for what, named in published.items():
    lost = [name for name in named if name not in made[what]]
    if lost:
      raise errors.UserError(
        f'{type(update).__name__} publishes {what!r}, and {errors.listed(lost)} of it is where no checkpoint finds it: '
        'keep what has it in an attribute of the update.'
      )
  return {'networks': places(naming.places(networks)), 'published': made}


class Saved:
  """A learner that was saved in a folder.

  Attributes:
    networks: names in the agent's networks -> places in its update.
    published: of each name that it publishes, {variable: place in its update}.
  """

  def __init__(self, path: str):
    self._path = path
    with open(os.path.join(path, STATE), encoding='utf-8') as file:
      variables = json.load(file)['variables']
    self.networks: Mapping[str, str] = variables['networks']
    self.published: Mapping[str, Mapping[str, str]] = variables['published']

  @functools.cached_property
  def _reader(self) -> Any:
    return tf.train.load_checkpoint(os.path.join(self._path, VARIABLES))

  @functools.cached_property
  def kinds(self) -> Mapping[str, Kind]:
    """Those of all variables of the update, by their places in it."""
    shapes, types = self._reader.get_variable_to_shape_map(), self._reader.get_variable_to_dtype_map()
    return {
      name[len(_PREFIX) : -len(_SUFFIX)]: Kind(tuple(shape), types[name])
      for name, shape in shapes.items()
      if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    }

  def value(self, place: str) -> np.ndarray:
    """That of the variable in a place in the update."""
    return self._reader.get_tensor(f'{_PREFIX}{place}{_SUFFIX}')

  def values(self, name: str) -> Dict[str, np.ndarray]:
    """{variable: value} of what the update publishes under a name."""
    return {variable: self.value(place) for variable, place in self.published[name].items()}

  def check(self, update: core.Update, whole: bool) -> None:
    """Raises a `UserError` unless an update has the variables that were saved.

    Args:
      update: the algorithm.
      whole: whether it has all of its variables yet; those that its first step makes may be missing else.
    """
    here = {place: Kind.of(variable) for place, variable in naming.places(update).items()}
    differences = [
      f'{place} is {self.kinds.get(place, "missing")} there and {here.get(place, "missing")} here'
      for place in {**here, **(self.kinds if whole else {})}
      if here.get(place) != self.kinds.get(place)
    ]
    if differences:
      raise errors.UserError(
        f'The checkpoint {os.path.dirname(self._path)} is of an update with other variables: '
        f'{errors.listed(differences, more="more differ")}; give another work directory, or what the run began with.'
      )
