"""Which actions are legal, as a part of the observation."""

from __future__ import annotations

from collections import abc
from typing import Any, Callable, Dict

import dm_env
import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import errors, specs
from tfacme.environments.wrappers import base


class ActionMask(base.EnvironmentWrapper):
  """Takes the mask of legal actions out of Gymnasium's `info` into the observation, where agents look for it.

  An observation that is a dict gets the part `action_mask`; any other becomes `{'observation': ..., 'action_mask':
  ...}`. The mask is as `specs` says; the mask of several choices may also come as one array for each, as Gymnasium's
  own spaces have it. Where an episode ends, a mask that is missing is all True: nothing is chosen there.
  """

  def __init__(self, environment: dm_env.Environment, key: str = specs.ACTION_MASK):
    """Wraps `environment`.

    Args:
      environment: what to wrap; it has the attribute `info`, as a `gym_adapter.GymEnvironment` has.
      key: under which the `info` has the mask.

    Raises:
      errors.UserError: if it has no `info`, or its observations have a part of the mask's name already.
    """
    super().__init__(environment)
    self._key = key
    inner = environment.observation_spec()
    self._is_dict = isinstance(inner, abc.Mapping)
    if self._is_dict and specs.ACTION_MASK in inner:
      raise errors.UserError('The observations of this environment have an action_mask already; leave ActionMask out.')
    if not hasattr(environment, 'info'):
      raise errors.UserError(
        'ActionMask takes the mask out of the info of an environment of Gymnasium, and this is none.'
      )
    actions = environment.action_spec()
    self._mask_spec = specs.action_mask_spec(actions)
    self._all_legal = tree.map_structure(lambda spec: np.ones(spec.shape, np.bool_), self._mask_spec)
    self._readers = tree.map_structure(_reader, actions)
    self._observation_spec = self._with(inner, self._mask_spec)

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return self._masked(self._environment.reset())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    return self._masked(self._environment.step(action))

  def observation_spec(self) -> Dict[str, Any]:
    """Describes observations: the wrapped environment's, with the mask."""
    return self._observation_spec

  def _with(self, observation: Any, mask: Any) -> Dict[str, Any]:
    parts = dict(observation) if self._is_dict else {'observation': observation}
    return {**parts, specs.ACTION_MASK: mask}

  def _masked(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    info = self._environment.info
    if self._key in info:
      mask = self._read(info[self._key])
    elif timestep.last():
      mask = self._all_legal
    else:
      raise errors.UserError(
        f'The info of this environment has no {self._key!r} (it has {sorted(map(str, info)) or "nothing"}); leave '
        'ActionMask out, or have it say which actions are legal at each step.'
      )
    return timestep._replace(observation=self._with(timestep.observation, mask))

  def _read(self, mask: Any) -> Any:
    try:
      return tree.map_structure_up_to(self._readers, lambda read, part: read(part), self._readers, mask)
    except (TypeError, ValueError) as error:
      shapes = tree.map_structure(lambda spec: spec.shape, self._mask_spec)
      raise errors.UserError(
        f'The {self._key!r} in the info of this environment does not fit its actions, for which the shapes are '
        f'{shapes} ({" ".join(str(error).split())[:200]}).'
      ) from error


def _reader(action_spec: dm_specs.Array) -> Callable[[Any], np.ndarray]:
  """The function from the mask of one part of the actions to a bool array of the shape of its spec."""
  if not specs.is_choice(action_spec):
    return lambda mask: np.ones((), np.bool_)
  total = int(np.sum(action_spec.num_values))

  def read(mask: Any) -> np.ndarray:
    if isinstance(mask, (tuple, list)) and np.ndim(mask[0]):
      mask = np.concatenate([np.asarray(part) for part in mask])
    array = np.array(mask, np.bool_)
    if array.shape != (total,):
      raise ValueError(f'one has the shape {array.shape}')
    return array

  return read
