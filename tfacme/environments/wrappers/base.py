"""The wrapper that changes nothing."""

from __future__ import annotations

from typing import Any

import dm_env


class EnvironmentWrapper(dm_env.Environment):
  """An environment that forwards everything to another: the base of the wrappers, which override what they change.

  Attributes that are no part of dm_env's interface, such as `render` or `bsuite_info`, are those of the wrapped
  environment.
  """

  def __init__(self, environment: dm_env.Environment):
    """Wraps `environment`."""
    self._environment = environment

  @property
  def environment(self) -> dm_env.Environment:
    """The wrapped environment."""
    return self._environment

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return self._environment.reset()

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    return self._environment.step(action)

  def outer_action(self, action: Any) -> Any:
    """The wrapper's action that it forwards as `action`, so that the inner one's recorded actions can be used.

    A wrapper that alters actions inverts that here.
    """
    return action

  def observation_spec(self) -> Any:
    """Describes observations: a nest of specs."""
    return self._environment.observation_spec()

  def action_spec(self) -> Any:
    """Describes actions: a nest of specs."""
    return self._environment.action_spec()

  def reward_spec(self) -> Any:
    """Describes rewards: a nest of specs."""
    return self._environment.reward_spec()

  def discount_spec(self) -> Any:
    """Describes discounts: a nest of specs."""
    return self._environment.discount_spec()

  def close(self) -> None:
    """Closes the wrapped environment."""
    self._environment.close()

  def __getattr__(self, name: str) -> Any:
    # Private names are never forwarded: copying and unpickling ask for them before there is an environment.
    if name.startswith('_'):
      raise AttributeError(f'{type(self).__name__!r} object has no attribute {name!r}')
    return getattr(self._environment, name)
