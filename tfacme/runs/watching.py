"""Watching a policy: its episodes as an animated GIF."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Callable, List, NamedTuple, Optional

import numpy as np

from tfacme import errors, experiments, specs
from tfacme.workers import drawing, playing
from tfacme.workers import episodes as episodes_lib

if TYPE_CHECKING:
  import dm_env

_LOG = logging.getLogger('tfacme')
_CAPTION_HEIGHT = 26
_FRAME_MILLISECONDS = 50  # of what an environment draws itself
_BOARD_MILLISECONDS = 150  # of boards, which move by whole cells
_LAST_MILLISECONDS = 1000


class _Frame(NamedTuple):
  """A picture before it is enlarged and captioned."""

  picture: np.ndarray  # [H, W, 3] uint8, or [H, W] of any numbers
  caption: str
  last: bool


class _Film:
  """The pictures of an animation: as many as it may have, and how many are left out."""

  def __init__(self, most: int):
    self._most, self._missed = most, 0
    self.frames: List[_Frame] = []

  def add(self, draw: drawing.Draw, observation: Any, caption: str, last: bool) -> None:
    """Adds a picture, which is drawn if there is room for it."""
    if len(self.frames) < self._most:
      self.frames.append(_Frame(np.array(draw(observation)), caption, last))
    else:
      self._missed += 1

  def close(self) -> None:
    """Warns of pictures that are left out."""
    if self._missed:
      _LOG.warning(
        'The animation ends after %d pictures, and %d are left out; max_frames gives more.', self._most, self._missed
      )


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
  draw: Optional[drawing.Draw] = None
  film, returns, limit = _Film(max_frames), [], playing.Limit(max_episode_steps)
  spec = specs.environment_spec(environment)
  for _ in range(episodes):
    total = 0.0
    for step, moment in enumerate(episodes_lib.moments(policy, environment, spec, limit, 'The animation')):
      draw = draw or drawing.drawer(environment, moment.observation)
      if step:
        total = round(total + float(np.sum(moment.reward)), 6)
      film.add(draw, moment.observation, f'step {step}   return {total:g}', moment.over)
    returns.append(total)
  limit.close(limit.cut, episodes)
  film.close()
  _write(film.frames, out)
  return returns


def _write(frames: List[_Frame], out: str) -> None:
  enlarged = drawing.enlarged([frame.picture for frame in frames])
  images = [_captioned(picture, frame.caption) for picture, frame in zip(enlarged, frames)]
  pause = _BOARD_MILLISECONDS if any(frame.picture.ndim == 2 for frame in frames) else _FRAME_MILLISECONDS
  durations = [_LAST_MILLISECONDS if frame.last else pause for frame in frames]
  with errors.writing_file('The animation', out):
    images[0].save(out, format='GIF', save_all=True, append_images=images[1:], duration=durations, loop=0)


def _captioned(picture: np.ndarray, caption: str) -> Any:
  """A picture [H, W, 3] as an image of Pillow, with its caption underneath."""
  from PIL import Image, ImageDraw, ImageFont

  height, width = picture.shape[:2]
  image = Image.new('RGB', (width, height + _CAPTION_HEIGHT), (255, 255, 255))
  image.paste(Image.fromarray(picture), (0, 0))
  draw = ImageDraw.Draw(image)
  draw.text((8, height + 5), caption, fill=(32, 35, 46), font=ImageFont.load_default(14))
  return image
