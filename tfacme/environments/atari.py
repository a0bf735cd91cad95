"""The games of the Arcade Learning Environment with the standard preprocessing: `atari:NAME`.

Machado et al., Revisiting the Arcade Learning Environment, 2018 (https://arxiv.org/abs/1709.06009); the preprocessing
is that of Mnih et al., Human-level control through deep reinforcement learning, 2015.

A step is four frames. Everything in tfacme counts steps; what papers call 200 million frames is 50 million steps.
"""

from __future__ import annotations

from typing import Any, Mapping

import dm_env

from tfacme import errors
from tfacme.environments import keywords, packages
from tfacme.environments.wrappers import frame_stacking

# Of the ALE. The probability is that of the last action repeated in a frame (Machado et al. 2018, section 5.2).
_GAME = {'repeat_action_probability': 0.25, 'full_action_space': False, 'mode': None, 'difficulty': None}
_PREPROCESSING = {
  'noop_max': 0,
  'frame_skip': 4,
  'screen_size': 84,
  'terminal_on_life_loss': False,
  'grayscale_obs': True,
}
_STACK = {'stack': 4}


def check(name: str) -> None:
  """Raises a `UserError` unless the ALE is installed and has the game `name` (`Pong`)."""
  packages.require('ale_py', f'atari:{name}')
  packages.require('gymnasium', f'atari:{name}')
  if f'ALE/{name}-v5' not in _registry():
    known_ids = (f'atari:{game[4:-3]}' for game in _registry() if game.startswith('ALE/'))
    raise errors.unknown('environment', f'atari:{name}', known_ids, 'names are those of the ALE, such as atari:Pong.')


def make(name: str, seed: int, kwargs: Mapping[str, Any]) -> dm_env.Environment:
  """Returns the game `name`: observations uint8 [84, 84, 4], the last four steps' pictures in grey, the oldest first.

  A picture is the brighter of a step's last two frames. Actions are those that do something in this game, sticky in
  each frame. Losing a life ends nothing; after 108,000 frames, 27,000 steps, an episode is cut off. Rewards are the
  score's own.

  Args:
    name: of the game, as the ALE has it.
    seed: decides what the game and its sticky actions draw.
    kwargs: of the ALE: `repeat_action_probability`, `full_action_space`, `mode`, `difficulty`; of Gymnasium's
      `AtariPreprocessing`: `noop_max`, `frame_skip`, `screen_size`, `terminal_on_life_loss`, `grayscale_obs`; and
      `stack`, of how many pictures an observation is.
  """
  check(name)
  defaults = {**_GAME, **_PREPROCESSING, **_STACK}
  keywords.check(f'atari:{name}', kwargs, defaults)
  settings = {**defaults, **kwargs}
  import ale_py
  import gymnasium

  from tfacme.environments import gym_adapter

  ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # It would announce each game on standard error.
  of_game, of_preprocessing = ({key: settings[key] for key in names} for names in (_GAME, _PREPROCESSING))
  game = gymnasium.make(f'ALE/{name}-v5', frameskip=1, render_mode='rgb_array', **of_game)
  game = gymnasium.wrappers.AtariPreprocessing(game, **of_preprocessing)
  environment = gym_adapter.GymEnvironment(game, seed=seed, name=f'atari:{name}')
  return frame_stacking.FrameStacking(environment, settings['stack'])


def known() -> list[tuple[str, str]]:
  """Lists the pattern of the ids: (pattern, what it is)."""
  return [('atari:NAME', 'a game of the Arcade Learning Environment, such as atari:Pong; a step is four frames')]


def _registry():
  """Gymnasium's names, with the games among them."""
  import ale_py
  import gymnasium

  if 'ALE/Pong-v5' not in gymnasium.registry:
    gymnasium.register_envs(ale_py)
  return gymnasium.registry
