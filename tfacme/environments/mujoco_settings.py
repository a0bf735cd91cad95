"""How MuJoCo behaves in this process, whichever library's environments use it: what it draws with, where it warns."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import sys
from typing import Set

_LOG = logging.getLogger('tfacme')
_VARIABLE = 'MUJOCO_GL'
# What draws without a display, by its name there, the fastest first; and the libraries that this takes.
_WITHOUT_DISPLAY = {'egl': ('libEGL.so.1',), 'osmesa': ('libOSMesa.so.8', 'libOSMesa.so.6', 'libOSMesa.so')}

HINT = 'install EGL or OSMesa and set MUJOCO_GL to egl or osmesa'  # where it can't draw

_told: Set[str] = set()  # kinds of warnings that were passed on


def prepare() -> None:
  """Has it draw without a display where there is none; to be called before anything imports it. A user's choice stays.

  Only where the libraries for that are there: with a choice that it can't follow it would not be imported at all, and
  most environments never draw.
  """
  if any(os.environ.get(name) for name in (_VARIABLE, 'DISPLAY', 'WAYLAND_DISPLAY')):
    return
  for name, libraries in _WITHOUT_DISPLAY.items():
    if any(map(_is_there, libraries)):
      os.environ[_VARIABLE] = name
      return


def listen() -> None:
  """Takes its warnings into our log, if nobody else does: it would write them into a file in the current folder.

  To be called once it is imported, before a model is made.
  """
  mujoco = sys.modules.get('mujoco')
  if mujoco is not None and mujoco.get_mju_user_warning() is None:
    mujoco.set_mju_user_warning(_warn)


def _warn(message: str) -> None:
  """Passes a warning on, once of each kind; but for those on what its authors and Gymnasium's will do away with."""
  kind = message.partition('Time =')[0]
  if kind not in _told and 'deprecated' not in message:
    _told.add(kind)
    _LOG.warning('MuJoCo warns: %s', ' '.join(message.split()))


def _is_there(library: str) -> bool:
  with contextlib.suppress(OSError):
    ctypes.CDLL(library)
    return True
  return False
