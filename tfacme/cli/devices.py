"""`tfacme devices`: on what the nodes of a run would compute on this machine, and why not on GPUs."""

from __future__ import annotations

import ctypes
import dataclasses
import os
from typing import List, Sequence, Tuple

from tfacme import experiments, startup
from tfacme.cli import parsing

_VISIBLE = 'CUDA_VISIBLE_DEVICES'


@dataclasses.dataclass(frozen=True)
class _DevicesOptions:
  """Says what TensorFlow sees of this machine's GPUs, and which nodes of a run would compute on them.

  The exit code is 0, whether there are any or not.

  Attributes:
    gpus: the roles of nodes that compute on GPUs, as --gpus of `tfacme train`.
  """

  gpus: Tuple[str, ...] = experiments.Layout().gpus


def run(arguments: Sequence[str]) -> None:
  """Runs the command."""
  options = parsing.parse(_DevicesOptions, arguments, 'tfacme devices')
  import tensorflow as tf  # Once the options are right.

  built = tf.sysconfig.get_build_info()
  cuda = f'CUDA {built["cuda_version"]} and cuDNN {built["cudnn_version"]}' if built['is_cuda_build'] else 'processors'
  print(f'TensorFlow {tf.__version__}, which is made for {cuda}.')
  gpus = tf.config.list_physical_devices('GPU')
  for gpu in gpus:
    details = tf.config.experimental.get_device_details(gpu)
    capability = '.'.join(map(str, details.get('compute_capability', ('unknown',))))
    print(
      f'{gpu.name.rpartition("physical_device:")[2]}: {details.get("device_name", "a GPU")}, capability {capability}'
    )
  if not gpus:
    print(f'It sees no GPU: {_why_none(bool(built["is_cuda_build"]))}.')
  for role in dict.fromkeys((*experiments.ROLES, *options.gpus)):
    where = 'GPU' if gpus and role in options.gpus else 'processor'
    print(f'{role}{"" if role in experiments.ROLES else " (if the agent has nodes of that role)"}: {where}')


def _why_none(is_cuda_build: bool) -> str:
  """The first thing that keeps TensorFlow from seeing a GPU."""
  if not is_cuda_build:
    return 'this TensorFlow is made without CUDA'
  if not any(map(os.path.exists, startup.NVIDIA_DRIVERS)):
    return f"this machine has no driver of NVIDIA's ({startup.NVIDIA_DRIVERS[0]} is not there)"
  visible = os.environ.get(_VISIBLE)
  if visible is not None and (not visible or visible.startswith('-')):
    return f'{_VISIBLE} is {visible!r}, which hides all of them'
  missing = _missing()
  if missing:
    return f'these libraries can not be opened: {", ".join(missing)}; the extra cuda brings them'
  return 'the driver lists none, or is older than this CUDA; `nvidia-smi` says more'


def _missing() -> List[str]:
  """Those of CUDA's libraries that the system can't open."""
  missing = []
  for name in startup.CUDA_LIBRARIES:
    try:
      ctypes.CDLL(name)
    except OSError:
      missing.append(name)
  return missing
