"""A server starts, however much it writes meanwhile."""

import ctypes
import os

from tfacme.launching import quiet
from tfacme.replay import reverb_server

_LINE = b'[reverb/cc/platform/tfrecord_checkpointer.cc:447] Still reading compressed trajectory data.\n'


def test_who_holds_the_lock_of_python_may_write_more_than_a_pipe_takes(capfd):
  write = ctypes.PyDLL(None).write  # It does not give the lock away, and so nobody reads meanwhile.
  with quiet.filtered_stderr(), reverb_server.held_back():
    for _ in range(30_000):
      write(2, _LINE, len(_LINE))
    write(2, b'kept\n', 5)
  assert capfd.readouterr().err == 'kept\n'


def test_standard_error_is_as_it_was(capfd):
  numbers = set(os.listdir('/proc/self/fd'))
  try:
    with reverb_server.held_back():
      os.write(2, b'before\n')
      raise ValueError
  except ValueError:
    os.write(2, b'after\n')
  assert capfd.readouterr().err == 'before\nafter\n'
  assert set(os.listdir('/proc/self/fd')) == numbers
