"""Watching a policy: its episodes as an animated GIF."""

from __future__ import annotations

import functools
import logging
import os
from typing import TYPE_CHECKING, Any, Callable, List, NamedTuple, Optional

import numpy as np
import tree

from tfacme import errors, experiments, specs
from tfacme.workers import episodes as episodes_lib
from tfacme.workers import playing

if TYPE_CHECKING:
  import dm_env

_LOG = logging.getLogger('tfacme')
_SHORTEST_SIDE = 240  # pixels: smaller pictures are enlarged by a whole number
_CAPTION_HEIGHT = 26
_FRAME_MILLISECONDS = 50  # of what an environment draws itself
_BOARD_MILLISECONDS = 150  # of boards, which move by whole cells
_LAST_MILLISECONDS = 1000
_BOARD_COLORS = ((24, 28, 44), (250, 196, 84))  # of the lowest and the highest value of a board


class _Frame(NamedTuple):
  """A picture before it is enlarged and captioned."""

  picture: np.ndarray  # [H, W, 3] uint8, or [H, W] of any numbers
  caption: str
  last: bool


def watch(
  policy: Callable[[Any], Any],
  environment: dm_env.Environment,
  out: str,
  episodes: int = 1,
  max_frames: int = 1000,
  max_episode_steps: int = experiments.MAX_EPISODE_STEPS,
) -> List[float]:
  """Writes episodes of a policy as an animated GIF, with the step and the return so far under each picture.

  The pictures are what the environment draws (`render()`), or the observation where it is an image or a board.

  Args:
    policy: from an observation to an action, with a `reset()` for the start of an episode (`tfacme.load_policy`).
    environment: where it acts.
    out: the file.
    episodes: how many.
    max_frames: pictures in all; what comes later is not shown.
    max_episode_steps: at which an episode is cut off, with a warning.

  Returns:
    The returns of the episodes.

  Raises:
    errors.UserError: if there is nothing to draw, or the file can't be written.
  """
  errors.count('The number of episodes', episodes)
  errors.count('max_frames', max_frames)
  errors.count('max_episode_steps', max_episode_steps)
  if not os.fspath(out).endswith('.gif'):
    raise errors.UserError(f'The animation is to be {out}, and is a GIF: give a name that ends in .gif.')
  out = os.path.abspath(out)  # An environment may go to another folder.
  frames: List[_Frame] = []
  draw: Optional[Callable[[Any], np.ndarray]] = None
  returns, missed, limit = [], 0, playing.Limit(max_episode_steps)
  spec = specs.environment_spec(environment)
  for _ in range(episodes):
    total = 0.0
    for step, moment in enumerate(episodes_lib.moments(policy, environment, spec, limit, 'The animation')):
      draw = draw or _drawer(environment, moment.observation)
      if step:
        total = round(total + float(np.sum(moment.reward)), 6)
      if len(frames) < max_frames:
        caption = f'step {step}   return {total:g}'
        frames.append(_Frame(np.array(draw(moment.observation)), caption, moment.over))
      else:
        missed += 1
    returns.append(total)
  limit.close(limit.cut, episodes)
  if missed:
    _LOG.warning(
      'The animation ends after %d pictures, and %d are left out; max_frames gives more.', max_frames, missed
    )
  _write(frames, out)
  return returns


def _drawer(environment: dm_env.Environment, observation: Any) -> Callable[[Any], np.ndarray]:
  """What makes a picture of a time step from its observation: chosen once, at the first."""
  render = getattr(environment, 'render', None)
  reason = ''
  if callable(render):
    try:
      if _is_picture(render()):
        return lambda _: np.asarray(render())
    except errors.UserError as error:
      reason = str(error)
  for index, leaf in enumerate(tree.flatten(observation)):
    if _as_picture(leaf) is not None:
      return functools.partial(_part_as_picture, index)
  shapes = ', '.join(str(np.shape(leaf)) for leaf in tree.flatten(observation))
  raise errors.UserError(
    f'There is nothing to watch: the environment draws no picture ({reason.rstrip(".") or "it has no render()"}), and '
    f'its observation, of shape {shapes}, is neither an image nor a board.'
  )


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


def _write(frames: List[_Frame], out: str) -> None:
  boards = [frame.picture for frame in frames if frame.picture.ndim == 2]
  # One scale for all frames: a board that is all zeros for a step must not change its colours.
  low = min((float(board.min()) for board in boards), default=0.0)
  high = max((float(board.max()) for board in boards), default=1.0)
  images = [_image(frame, low, high) for frame in frames]
  pause = _BOARD_MILLISECONDS if boards else _FRAME_MILLISECONDS
  durations = [_LAST_MILLISECONDS if frame.last else pause for frame in frames]
  with errors.writing_file('The animation', out):
    images[0].save(out, format='GIF', save_all=True, append_images=images[1:], duration=durations, loop=0)


def _image(frame: _Frame, low: float, high: float) -> Any:
  """A frame as an image of Pillow: enlarged, with its caption underneath."""
  from PIL import Image, ImageDraw, ImageFont

  picture = frame.picture
  if picture.ndim == 2:
    share = ((picture.astype(np.float64) - low) / ((high - low) or 1.0))[..., None]
    dark, light = (np.array(color, np.float64) for color in _BOARD_COLORS)
    picture = (dark + share * (light - dark)).astype(np.uint8)
  factor = max(1, round(_SHORTEST_SIDE / min(picture.shape[:2])))
  enlarged = np.kron(picture, np.ones((factor, factor, 1), np.uint8))
  height, width = enlarged.shape[:2]
  image = Image.new('RGB', (width, height + _CAPTION_HEIGHT), (255, 255, 255))
  image.paste(Image.fromarray(enlarged), (0, 0))
  draw = ImageDraw.Draw(image)
  draw.text((8, height + 5), frame.caption, fill=(32, 35, 46), font=ImageFont.load_default(14))
  return image
