"""Episodes as an animated GIF: pictures with captions."""

from __future__ import annotations

import logging
import os
from typing import Any, List, NamedTuple

import numpy as np

from tfacme import errors
from tfacme.workers import drawing

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


class Film:
  """The pictures of an animation: as many as it may have, and how many are left out."""

  def __init__(self, out: str, most: int):
    """`out` is the file, and `most` how many pictures it may have.

    Raises:
      errors.UserError: if the file is no GIF.
    """
    errors.count('max_frames', most)
    if not os.fspath(out).endswith('.gif'):
      raise errors.UserError(f'The animation is to be {out}, and is a GIF: give a name that ends in .gif.')
    self._out = os.path.abspath(out)  # An environment may go to another folder.
    self._most, self._missed = most, 0
    self._frames: List[_Frame] = []

  def add(self, draw: drawing.Draw, observation: Any, step: int, total: float, last: bool) -> None:
    """Adds a picture, which is drawn if there is room for it, with the step and the return so far under it."""
    if len(self._frames) < self._most:
      self._frames.append(_Frame(np.array(draw(observation)), f'step {step}   return {total:g}', last))
    else:
      self._missed += 1

  def write(self) -> None:
    """Writes the file, and warns of pictures that are left out."""
    if self._missed:
      _LOG.warning(
        'The animation ends after %d pictures, and %d are left out; max_frames gives more.', self._most, self._missed
      )
    enlarged = drawing.enlarged([frame.picture for frame in self._frames])
    images = [_captioned(picture, frame.caption) for picture, frame in zip(enlarged, self._frames)]
    pause = _BOARD_MILLISECONDS if any(frame.picture.ndim == 2 for frame in self._frames) else _FRAME_MILLISECONDS
    durations = [_LAST_MILLISECONDS if frame.last else pause for frame in self._frames]
    with errors.writing_file('The animation', self._out):
      images[0].save(self._out, format='GIF', save_all=True, append_images=images[1:], duration=durations, loop=0)


def _captioned(picture: np.ndarray, caption: str) -> Any:
  """A picture [H, W, 3] as an image of Pillow, with its caption underneath."""
  from PIL import Image, ImageDraw, ImageFont

  height, width = picture.shape[:2]
  image = Image.new('RGB', (width, height + _CAPTION_HEIGHT), (255, 255, 255))
  image.paste(Image.fromarray(picture), (0, 0))
  draw = ImageDraw.Draw(image)
  draw.text((8, height + 5), caption, fill=(32, 35, 46), font=ImageFont.load_default(14))
  return image
