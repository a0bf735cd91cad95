"""What every engine that runs nodes beside each other needs: their addresses, and what a node asks of who runs it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any, Callable, Optional

import cloudpickle
import launchpad as lp
import tensorflow as tf
from absl import flags

from tfacme import errors
from tfacme.graph import nodes
from tfacme.tensors import devices


class Manager:
  """What Launchpad's nodes ask of the launcher that runs them.

  Attributes:
    fail: ends the node, which hangs, with an account of it.
    saves: whether a node that is to stop may save what it has before: only while all others run.
  """

  def __init__(self, event: threading.Event, fail: Callable[[str], None]):
    """Initializes the manager.

    Args:
      event: is set when the node is to stop.
      fail: ends the node, which hangs, with an account of it.
    """
    self._event = event
    self.fail = fail
    self.saves = False

  def stop(self, save: bool) -> None:
    """Has the node stop, and save before if it has something to."""
    self.saves = save
    self._event.set()

  def stop_event(self) -> threading.Event:
    """Is set when the node is to stop."""
    return self._event

  def wait_for_stop(self, timeout_secs: Optional[float] = None) -> bool:
    """Waits until the node is to stop."""
    return self._event.wait(timeout_secs)

  def _sigterm(self) -> None:
    """The program is to stop. The engine knows: it watches the node that says so."""


class Address(lp.AbstractAddressBuilder):
  """An address that is known."""

  def __init__(self, host: str, port: int):
    self._address = f'{host}:{port}'

  def build(self) -> str:
    """The address."""
    return self._address


def hold_port(held: contextlib.ExitStack) -> int:
  """A port of this machine that stays a node's own in the seconds until it listens there.

  A port that is only looked up can meanwhile go to another run, or to any connection that goes out; a server of Reverb
  would share it without a word. One that a socket is bound to is not given out again, and the node's server may take it
  all the same, as long as that socket does not listen.

  Args:
    held: gives the port up when it is left.
  """
  family, anywhere = (socket.AF_INET6, '::') if socket.has_dualstack_ipv6() else (socket.AF_INET, '')
  holding = held.enter_context(socket.socket(family, socket.SOCK_STREAM))
  holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
  holding.bind((anywhere, 0))
  return holding.getsockname()[1]


def packed(node: nodes.Node) -> bytes:
  """The function that runs a node, as it is sent to another process."""
  try:
    return cloudpickle.dumps(node.run)
  except Exception as error:
    raise errors.UserError(
      f'The node {node.name} can not be sent to another process: {error}; keep open files, generators and lambdas '
      'over them out of the experiment.'
    ) from error


def prepare(threads: int = 0, gpus: bool = False) -> None:
  """Prepares this process for nodes.

  Args:
    threads: that TensorFlow may use; 0 leaves it to TensorFlow.
    gpus: whether one of them computes on GPUs.
  """
  devices.prepare(gpus)
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()  # Launchpad reads flags, and there are none of ours.
  if threads:
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def handle_of_counter(program: lp.Program) -> Any:
  """A handle of the counter, for the engine itself; to be dereferenced once the nodes have their addresses."""
  return next(node for node in nodes.of_program(program) if node.role == 'counter').create_handle()
