"""What has to be so before TensorFlow is imported; `tfacme` imports this first of all."""

import contextlib
import ctypes
import gc
import glob
import itertools
import os
import sys
from typing import Iterator, List

# What this TensorFlow opens, beside the driver's own libcuda; without one of them it sees no GPU. What others need
# comes before them.
CUDA_LIBRARIES = (
  *('libcudart.so.11.0', 'libcublasLt.so.11', 'libcublas.so.11', 'libcufft.so.10', 'libcurand.so.10'),
  *('libcusparse.so.11', 'libcusolver.so.11', 'libcudnn.so.8'),
)
NVIDIA_DRIVERS = ('/proc/driver/nvidia/version', '/dev/dxg')  # the second one in Linux on Windows

# Where it was imported before us, TensorFlow has fixed its level, and JAX, which it imports, has set a lower one for
# processes to come.
TENSORFLOW_CAME_FIRST = 'tensorflow' in sys.modules
if TENSORFLOW_CAME_FIRST and os.environ.get('TF_CPP_MIN_LOG_LEVEL') == '1':
  del os.environ['TF_CPP_MIN_LOG_LEVEL']
# TensorFlow reads this when it is imported; without it every process begins with notes on what it is compiled for.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
# TensorFlow reads this when it first uses a GPU. Without it each process takes all memory of all GPUs that it sees: a
# policy that is evaluated would starve a run that learns.
os.environ.setdefault('TF_FORCE_GPU_ALLOW_GROWTH', 'true')
# The package sets it by itself, but too late if a library imports a part of it first: threads then make graph tensors.
os.environ.setdefault('TF2_BEHAVIOR', '1')


def collect_less() -> None:
  """Has Python look for garbage after each 50,000 new objects, no longer 700, in a process that is tfacme's own.

  TensorFlow's import and its graphs are made of millions that stay: looking through them took 0.9 of the first 7 s of a
  run.
  """
  gc.set_threshold(50_000)


def open_cuda() -> List[str]:
  """Opens CUDA's libraries where the extra `cuda` has installed them, and returns their paths.

  TensorFlow asks the system for each by its name, which does not know of that folder; it takes one that is open.
  """
  opened = []
  for path in _installed_cuda() if any(map(os.path.exists, NVIDIA_DRIVERS)) else ():
    with contextlib.suppress(OSError):  # `tfacme devices` names what can't be opened.
      ctypes.CDLL(path)
      opened.append(path)
  return opened


def _installed_cuda() -> Iterator[str]:
  """The paths of those of CUDA's libraries that are in packages of this Python, in their order."""
  folders = [os.path.join(folder, 'nvidia') for folder in sys.path if isinstance(folder, str) and os.path.isabs(folder)]
  for name in CUDA_LIBRARIES:
    found = (path for folder in folders for path in glob.iglob(os.path.join(glob.escape(folder), '*', 'lib', name)))
    yield from itertools.islice(found, 1)


open_cuda()
