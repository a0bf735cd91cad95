"""Pictures and animations as the bytes of a file."""

from __future__ import annotations

import io
from typing import Tuple

import numpy as np

_FRAME_MILLISECONDS = 50


def encoded(images: np.ndarray) -> Tuple[str, bytes]:
  """Pictures, uint8 [T, H, W, 3], as a file: an animated GIF, or a PNG of a single one.

  Returns:
    The ending of a file's name, 'gif' or 'png', and its bytes.
  """
  from PIL import Image

  first, *others = [Image.fromarray(image) for image in images]
  file = io.BytesIO()
  if others:
    first.save(file, format='GIF', save_all=True, append_images=others, duration=_FRAME_MILLISECONDS, loop=0)
  else:
    first.save(file, format='PNG')
  return ('gif' if others else 'png'), file.getvalue()
