"""What has to be so before TensorFlow is imported; `tfacme` imports this first of all."""

import gc
import os
import sys

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
