"""The last few observations as one."""

from __future__ import annotations

import collections
from typing import Any, Sequence

import dm_env
import numpy as np
import tree
from dm_env import specs

from tfacme import errors
from tfacme.environments.wrappers import base
from tfacme.specs import ACTION_MASK, MultiDiscreteArray, has_channels_first, is_choice


class FrameStacking(base.EnvironmentWrapper):
  """Makes each observation the last `num_frames` ones, the oldest first; an episode starts with its first repeated.

  Scalars become vectors [num_frames]; vectors [N] are concatenated to [num_frames * N]; images [H, W] are stacked to
  [H, W, num_frames]; images with channels [H, W, C] are concatenated to [H, W, num_frames * C], and [C, H, W] (see
  `specs.has_channels_first`) to [num_frames * C, H, W]. In a nest of observations, each leaf is treated so, but for the
  `action_mask`, which is that of the last observation. Stacked choices are several choices at once.
  """

  def __init__(self, environment: dm_env.Environment, num_frames: int = 4):
    """Wraps `environment`; `num_frames` is at least 1."""
    super().__init__(environment)
    errors.count('num_frames', num_frames)
    self._inner_spec = environment.observation_spec()
    self._observation_spec = stacked_spec(self._inner_spec, num_frames)
    self._frames = collections.deque(maxlen=num_frames)  # Of observations, each the list of its leaves.

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return self._stack(self._environment.reset())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    return self._stack(self._environment.step(action))

  def observation_spec(self) -> Any:
    """Describes observations: the wrapped environment's, stacked."""
    return self._observation_spec

  def _stack(self, timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    frame = [np.array(leaf) for leaf in tree.flatten(timestep.observation)]  # Copies: some environments reuse arrays.
    if timestep.first():
      self._frames.extend([frame] * self._frames.maxlen)
    else:
      self._frames.append(frame)
    frames = [tree.unflatten_as(self._inner_spec, leaves) for leaves in self._frames]
    step_type, reward, discount, _ = timestep
    return dm_env.TimeStep(step_type, reward, discount, stack(frames))


def stack(frames: Sequence[Any]) -> Any:
  """The observation that is made of these ones, the oldest first (see FrameStacking)."""
  return tree.map_structure_with_path(
    lambda path, *leaves: leaves[-1] if ACTION_MASK in path else _join(leaves), *frames
  )


def stacked_spec(spec: Any, num_frames: int) -> Any:
  """The spec of observations that are made of so many each (see FrameStacking)."""
  return tree.map_structure_with_path(
    lambda path, part: part if ACTION_MASK in path else _stacked_spec(part, num_frames), spec
  )


def _join(frames: tuple[np.ndarray, ...]) -> np.ndarray:
  """Joins the frames of one leaf along the axis of its channels, or a new one (see FrameStacking)."""
  if np.ndim(frames[0]) in (0, 2):
    return np.stack(frames, axis=-1)
  return np.concatenate(frames, axis=0 if has_channels_first(frames[0].shape) else -1)


def _stacked_spec(spec: specs.Array, num_frames: int) -> specs.Array:
  if is_choice(spec):
    return MultiDiscreteArray(_join((np.asarray(spec.num_values),) * num_frames), spec.dtype, spec.name)
  shape = _join((np.empty(spec.shape),) * num_frames).shape
  if not isinstance(spec, specs.BoundedArray):
    return spec.replace(shape=shape)
  minimum = _join((np.broadcast_to(spec.minimum, spec.shape),) * num_frames)
  maximum = _join((np.broadcast_to(spec.maximum, spec.shape),) * num_frames)
  return specs.BoundedArray(shape, spec.dtype, minimum, maximum, spec.name)
