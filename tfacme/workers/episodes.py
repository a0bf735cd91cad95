"""One episode of a policy after the other, as rows of the stream: for recordings, and for a prefilled replay."""

from __future__ import annotations

from typing import Any, List

import dm_env
import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import core, errors, specs
from tfacme.workers import playing, timesteps


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


def play(
  policy: Any, environment: dm_env.Environment, spec: specs.EnvironmentSpec, limit: playing.Limit, name: str
) -> List[core.Step]:
  """The rows of one episode, the last of which holds the final observation.

  Args:
    policy: from an observation to an action, with a `reset()`.
    environment: where it acts.
    spec: of the environment.
    limit: of the episode.
    name: who plays, for errors.
  """
  rows: List[core.Step] = []
  taken = tree.map_structure(lambda s: np.zeros((1, *s.shape), s.dtype), spec.observations)
  intake = timesteps.Intake(spec, tree.flatten(taken), lambda _: f'{name} at step {len(rows)} of an episode')
  policy.reset()
  limit.begin()
  timestep = environment.reset()
  intake.begin(0, timestep.observation)
  while not timestep.last() and not limit.reached(len(rows)):
    observation = tree.map_structure(lambda leaf: leaf[0].copy(), taken)
    action = policy(observation)
    timestep = environment.step(action)
    intake.check_reward(0, timestep)
    intake.observe(0, timestep.observation, timestep.last())
    reward, discount = (np.array(x, np.float32) for x in (timestep.reward, timestep.discount))
    rows.append(core.Step(observation, action, reward, discount, not rows, False))
  final = tree.map_structure(lambda s: np.zeros(s.shape, s.dtype), core.step_spec(spec))
  rows.append(final._replace(observation=tree.map_structure(lambda leaf: leaf[0].copy(), taken), last=True))
  return rows
