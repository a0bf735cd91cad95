"""The games of MinAtar, small versions of those of Atari: `minatar:NAME`.

Young & Tian, MinAtar: an Atari-inspired testbed for thorough and reproducible reinforcement learning experiments, 2019
(https://arxiv.org/abs/1903.03176).
"""

from __future__ import annotations

import logging
from typing import Any, Mapping

import dm_env
import numpy as np
from dm_env import specs

from tfacme import errors
from tfacme.environments import keywords, packages

_GAMES = {
  'asterix': 'collect treasure and avoid enemies',
  'breakout': 'break a wall with a ball',
  'freeway': 'cross a road',
  'seaquest': 'dive for divers and come up for air',
  'space_invaders': 'shoot at those who come down',
}
_COLORS = ((0, 0, 0), (228, 26, 28), (55, 126, 184), (77, 175, 74), (152, 78, 163), (255, 127, 0), (255, 255, 51))
_COLORS += ((166, 86, 40), (247, 129, 191), (153, 153, 153), (255, 255, 255))  # of nothing, and of each channel


def check(name: str) -> None:
  """Raises a `UserError` unless MinAtar is installed and has the game `name`."""
  packages.require('minatar', f'minatar:{name}')
  if name not in _GAMES:
    known_ids = [f'minatar:{game}' for game in _GAMES]
    raise errors.unknown('environment', f'minatar:{name}', known_ids, f'the games are {", ".join(known_ids)}.')


def make(name: str, seed: int, kwargs: Mapping[str, Any]) -> dm_env.Environment:
  """Returns the game `name`, with sticky actions and rising difficulty as its authors have it.

  Args:
    name: of the game.
    seed: decides what it draws.
    kwargs: `sticky_action_prob` and `difficulty_ramping`.
  """
  check(name)
  keywords.check(f'minatar:{name}', kwargs, ('sticky_action_prob', 'difficulty_ramping'))
  return MinAtar(name, seed, kwargs)


def known() -> list[tuple[str, str]]:
  """Lists the games: (id, what it is)."""
  return [(f'minatar:{game}', f'MinAtar: {text}') for game, text in _GAMES.items()]


class MinAtar(dm_env.Environment):
  """A game of MinAtar.

  Observations are float32 [10, 10, C], 1 where a thing of kind C is. Actions are those that do something in this game.
  Episodes end by termination alone.
  """

  def __init__(self, name: str, seed: int, kwargs: Mapping[str, Any]):
    """Makes the game.

    Args:
      name: of the game.
      seed: decides what it draws.
      kwargs: of `minatar.Environment`.
    """
    logging.disable(logging.WARNING)  # It misses what it could draw windows with, which is of no use here.
    try:
      import minatar
    finally:
      logging.disable(logging.NOTSET)
    self._game = minatar.Environment(name, **kwargs)
    self._game.seed(seed % 2**32)
    self._actions = self._game.minimal_action_set()
    self._over = True

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    self._game.reset()
    self._over = False
    return dm_env.restart(self._observation())

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    if self._over:
      return self.reset()
    reward, self._over = self._game.act(self._actions[int(action)])
    make_timestep = dm_env.termination if self._over else dm_env.transition
    return make_timestep(np.float32(reward), self._observation())

  def observation_spec(self) -> specs.Array:
    """Describes the board."""
    return specs.BoundedArray(tuple(self._game.state_shape()), np.float32, 0.0, 1.0, 'board')

  def action_spec(self) -> specs.DiscreteArray:
    """Describes the actions: the number among those that do something."""
    return specs.DiscreteArray(len(self._actions), np.int32, 'action')

  def render(self) -> np.ndarray:
    """A picture, uint8 [10, 10, 3], with a color for each kind of thing."""
    state = self._game.state()
    kinds = np.where(state.any(axis=2), state.argmax(axis=2) + 1, 0)
    return np.array(_COLORS, np.uint8)[kinds]

  def _observation(self) -> np.ndarray:
    return self._game.state().astype(np.float32)
