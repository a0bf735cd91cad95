"""Keeps what libraries say when they start away from the user."""

from __future__ import annotations

import logging
import os
import warnings

_VARIABLES = {
  'TF_CPP_MIN_LOG_LEVEL': '3',  # TensorFlow's notes on CPUs and GPUs that it has or has not found
  'PYTHONWARNINGS': 'ignore',  # deprecations within the libraries of the stack, in all processes of a run
  'GRPC_VERBOSITY': 'NONE',  # Courier's and Reverb's connections as they come and go
  'PYGAME_HIDE_SUPPORT_PROMPT': '1',
  'SDL_VIDEODRIVER': 'dummy',  # environments draw into memory: no display and no sound device is looked for
  'SDL_AUDIODRIVER': 'dummy',
}


def silence() -> None:
  """Sets what the libraries read when they are imported; what the user has set stays."""
  own = logging.getLogger('tfacme')
  if not own.handlers:  # Its warnings look like all else that it says.
    own.addHandler(logging.StreamHandler())
    own.handlers[0].setFormatter(logging.Formatter('tfacme: %(message)s'))
    own.propagate = False
  if 'PYTHONWARNINGS' not in os.environ:
    warnings.simplefilter('ignore')
  for name, value in _VARIABLES.items():
    os.environ.setdefault(name, value)
