"""A policy that takes actions at random: for recordings, and for a prefilled replay."""

from __future__ import annotations

from typing import Any

import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import core, errors, specs


class RandomPolicy:
  """Takes actions at random, each legal one as likely; without bounds, from the standard normal distribution."""

  def __init__(self, action_spec: Any, seed: int = 0):
    self._spec = action_spec
    self._random = np.random.default_rng(seed)

  def reset(self) -> None:
    """Begins an episode."""

  def __call__(self, observation: core.Nest) -> core.Nest:
    """An action for one observation."""
    legal = specs.action_mask(observation)
    if legal is None:
      return tree.map_structure(self._draw, self._spec)
    return tree.map_structure_up_to(self._spec, self._draw_legal, self._spec, legal)

  def _draw_legal(self, spec: dm_specs.Array, legal: Any) -> np.ndarray:
    if not specs.is_choice(spec):
      return self._draw(spec)
    ends = np.cumsum(np.ravel(spec.num_values))  # type: ignore[attr-defined]
    choices = [np.flatnonzero(part) for part in np.split(np.asarray(legal), ends[:-1])]
    if not all(map(len, choices)):
      raise errors.UserError('The action_mask of an observation leaves no action to take; let the episode end there.')
    return np.array([self._random.choice(choice) for choice in choices], spec.dtype).reshape(spec.shape)

  def _draw(self, spec: dm_specs.Array) -> np.ndarray:
    if isinstance(spec, dm_specs.DiscreteArray):
      return np.asarray(self._random.integers(spec.num_values), spec.dtype)
    if spec.dtype.kind in 'iu':
      low, high = spec.minimum, spec.maximum  # type: ignore[attr-defined]
      return self._random.integers(low, high, spec.shape, endpoint=True).astype(spec.dtype)
    if isinstance(spec, dm_specs.BoundedArray) and np.isfinite([spec.minimum, spec.maximum]).all():
      return self._random.uniform(spec.minimum, spec.maximum, spec.shape).astype(spec.dtype)
    return self._random.standard_normal(spec.shape).astype(spec.dtype)
