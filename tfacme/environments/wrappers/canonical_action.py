"""Continuous actions in [-1, 1]."""

from __future__ import annotations

from typing import Any, Callable, Optional

import dm_env
import numpy as np
import tree
from dm_env import specs

from tfacme import errors
from tfacme.environments import leaves
from tfacme.environments.wrappers import base


class CanonicalAction(base.EnvironmentWrapper):
  """Scales continuous actions from [-1, 1] to the wrapped environment's bounds. Integer actions stay as they are."""

  def __init__(self, environment: dm_env.Environment, clip: bool = False):
    """Wraps `environment`.

    Args:
      environment: What to wrap. Its continuous actions have finite bounds.
      clip: Whether actions outside [-1, 1] are taken for the nearest action inside, rather than passed on.

    Raises:
      errors.UserError: If a continuous action has no finite bounds.
    """
    super().__init__(environment)
    inner = environment.action_spec()
    self._action_spec = tree.map_structure(_canonical, inner)
    self._scale = leaves.apply_each(tree.map_structure(lambda spec: _scaler(spec, clip), inner))
    self._unscale = leaves.apply_each(tree.map_structure(_unscaler, inner))

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    return self._environment.step(action if self._scale is None else self._scale(action))

  def outer_action(self, action: Any) -> Any:
    """See `EnvironmentWrapper`; what rounding puts beyond -1 or 1 is there."""
    return action if self._unscale is None else self._unscale(action)

  def action_spec(self) -> Any:
    """Describes actions: the wrapped environment's, the continuous ones with bounds of -1 and 1."""
    return self._action_spec


def _is_continuous(spec: specs.Array) -> bool:
  return np.issubdtype(spec.dtype, np.floating)


def _canonical(spec: specs.Array) -> specs.Array:
  if not _is_continuous(spec):
    return spec
  if not (isinstance(spec, specs.BoundedArray) and np.isfinite(spec.minimum).all() and np.isfinite(spec.maximum).all()):
    raise errors.UserError(
      f'The action {spec.name or ""} has no finite bounds that [-1, 1] could be scaled to; leave CanonicalAction out.'
    )
  return spec.replace(minimum=-1.0, maximum=1.0)


def _scaler(spec: specs.Array, clip: bool) -> Optional[Callable[[Any], Any]]:
  """The function from [-1, 1] to the bounds of `spec`: [*spec.shape] to [*spec.shape]; None for an integer action."""
  if not _is_continuous(spec):
    return None
  low, high, dtype = spec.minimum, spec.maximum, spec.dtype

  def scale(action: Any) -> np.ndarray:
    share = (np.asarray(action, dtype) + 1) / 2
    scaled = low * (1 - share) + high * share  # Exact at both ends, which low + share * (high - low) is not.
    if clip:
      scaled = np.minimum(np.maximum(scaled, low), high)
    return np.asarray(scaled, dtype)

  return scale


def _unscaler(spec: specs.Array) -> Optional[Callable[[Any], Any]]:
  """The function from the bounds of `spec` to [-1, 1]; None for an integer action."""
  if not _is_continuous(spec):
    return None
  low, width = spec.minimum, np.subtract(spec.maximum, spec.minimum)
  return lambda action: np.clip(2 * (np.asarray(action) - low) / width - 1, -1, 1).astype(spec.dtype)
