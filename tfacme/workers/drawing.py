"""Pictures of environments: what they draw themselves, or observations that are pictures or boards."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

import dm_env
import numpy as np
import tree

from tfacme import errors, mistakes, specs

_SHORTEST_SIDE = 240  # pixels: smaller pictures are enlarged by a whole number
_BOARD_COLORS = ((24, 28, 44), (250, 196, 84))  # of the lowest and the highest value of a board
_MOST_PICTURES = 200  # of an episode that is kept in memory

Draw = Callable[[Any], np.ndarray]  # from an observation to a picture [H, W, 3] uint8, or a board [H, W] of any numbers


def drawer(environment: dm_env.Environment, observation: Any) -> Draw:
  """What makes a picture of a time step from its observation: chosen once, at the first.

  Raises:
    UserError: if there is nothing to draw, or the environment fails to draw itself.
  """
  render = getattr(environment, 'render', None)
  reason = ''
  if callable(render):
    try:
      if _is_picture(render()):
        return lambda _: _rendered(render)
    except errors.UserError as error:  # It knows that it draws nothing.
      reason = str(error)
    except Exception as error:
      raise _failed(error) from error
  draw = of_observation(observation)
  if draw is not None:
    return draw
  raise errors.UserError(
    f'There is nothing to watch: the environment draws no picture ({reason.rstrip(".") or "it has no render()"}), and '
    f'its observation, of shape {shapes(observation)}, is neither an image nor a board.'
  )


def of_observation(observation: Any) -> Optional[Draw]:
  """What takes the picture out of observations like this one; None if there is none."""
  for index, leaf in enumerate(tree.flatten(observation)):
    if _as_picture(leaf) is not None:
      return functools.partial(_part_as_picture, index)
  return None


def shapes(observation: Any) -> str:
  """Those of an observation's parts, in words."""
  return ', '.join(str(np.shape(leaf)) for leaf in tree.flatten(observation))


def _rendered(render: Callable[[], Any]) -> np.ndarray:
  """What an environment draws."""
  try:
    return np.asarray(render())
  except errors.UserError:
    raise
  except Exception as error:
    raise _failed(error) from error


def _failed(error: Exception) -> errors.UserError:
  return errors.UserError(f'The environment can not be drawn: its render() failed with {mistakes.describe(error)}.')


def check(make: Callable[..., dm_env.Environment], seed: int) -> None:
  """Raises a `UserError` if there is nothing to draw in the environments that are made so."""
  environment = specs.make_environment(make, seed, 'spec')
  try:
    drawer(environment, environment.reset().observation)
  finally:
    environment.close()


def enlarged(pictures: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
  """Pictures of an episode as they are shown, [H, W, 3] uint8: boards have colours, and small ones are enlarged."""
  boards = [picture for picture in pictures if picture.ndim == 2]
  # One scale for all of them: a board that is all zeros for a step must not change its colours.
  low = min((float(board.min()) for board in boards), default=0.0)
  high = max((float(board.max()) for board in boards), default=1.0)
  return (_enlarged(_colored(picture, low, high)) for picture in pictures)


class Camera:
  """An observer that draws one episode: the first that it sees after `begin`."""

  def __init__(self):
    self._pictures: List[np.ndarray] = []
    self._draw: Optional[Draw] = None
    self._episodes = 0  # since `begin`

  def begin(self) -> None:
    """Draws the next episode, in the place of the one before."""
    self._pictures, self._episodes = [], 0

  def observe_first(self, environment: dm_env.Environment, timestep: dm_env.TimeStep) -> None:
    """An episode begins."""
    self._episodes += 1
    self._look(environment, timestep)

  def observe(self, environment: dm_env.Environment, action: Any, timestep: dm_env.TimeStep) -> None:
    """It goes on."""
    del action
    self._look(environment, timestep)

  def metrics(self) -> Dict[str, float]:
    """No columns."""
    return {}

  def images(self) -> np.ndarray:
    """The episode, uint8 [T, H, W, 3]: its first 200 time steps at most."""
    return np.stack(list(enlarged(self._pictures)))

  def _look(self, environment: dm_env.Environment, timestep: dm_env.TimeStep) -> None:
    if self._episodes == 1 and len(self._pictures) < _MOST_PICTURES:
      self._draw = self._draw or drawer(environment, timestep.observation)
      self._pictures.append(np.array(self._draw(timestep.observation)))


def _part_as_picture(index: int, observation: Any) -> np.ndarray:
  picture = _as_picture(tree.flatten(observation)[index])
  assert picture is not None  # It was one in the first observation.
  return picture


def _is_picture(value: Any) -> bool:
  return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3 and value.shape[-1] == 3


def _as_picture(leaf: Any) -> Optional[np.ndarray]:
  """A part of an observation as a picture [H, W, 3] uint8 or a board [H, W]; None if it is neither."""
  array = np.asarray(leaf)
  if array.dtype.kind not in 'buif':
    return None
  if array.ndim == 3 and array.shape[-1] == 3 and array.dtype == np.uint8:
    return array
  if array.ndim == 3 and (array.shape[-1] == 1 or array.dtype == np.uint8):
    array = array[..., -1]  # The last of stacked frames is the newest.
  # A matrix that is one or two cells high is a vector with a leading axis, not a board.
  return array if array.ndim == 2 and min(array.shape) >= 3 else None


def _colored(picture: np.ndarray, low: float, high: float) -> np.ndarray:
  if picture.ndim == 3:
    return picture
  share = ((picture.astype(np.float64) - low) / ((high - low) or 1.0))[..., None]
  dark, light = (np.array(color, np.float64) for color in _BOARD_COLORS)
  return (dark + share * (light - dark)).astype(np.uint8)


def _enlarged(picture: np.ndarray) -> np.ndarray:
  factor = max(1, round(_SHORTEST_SIDE / min(picture.shape[:2])))
  return np.kron(picture, np.ones((factor, factor, 1), np.uint8))
