"""A network of a run's own, which has a loopback interface only: nothing but its own processes reaches its ports.

The command that asks for it is begun again as `private_network.py COMMAND`, a process of one thread, which the kernel
asks for; that enters the network and goes on as the command. Imported, this module costs nothing; run, it needs nothing
of tfacme.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from typing import NoReturn, Sequence

_INSIDE = 'TFACME_PRIVATE_NETWORK'
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # of Linux's unshare
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1  # of its interfaces
_REFUSED = 2  # the exit code of a user's mistake


def inside() -> bool:
  """Whether this process is in such a network."""
  return bool(os.environ.get(_INSIDE))


def begin_again() -> None:
  """Has this process begin again in a network of its own, with the same command line, unless it is in one."""
  if not inside():
    os.execv(sys.executable, [sys.executable, os.path.abspath(__file__), sys.executable, *sys.orig_argv[1:]])


def _enter() -> None:
  """Leaves the machine's network for a new one. Without the rights of root it takes new users too, the same ones."""
  user, group = os.geteuid(), os.getegid()
  _unshare(_CLONE_NEWNET | (_CLONE_NEWUSER if user else 0))
  _bring_up('lo')
  if user:
    for name, content in (('setgroups', 'deny'), ('uid_map', f'{user} {user} 1'), ('gid_map', f'{group} {group} 1')):
      with open(f'/proc/self/{name}', 'w', encoding='ascii') as file:
        file.write(content)


def _unshare(flags: int) -> None:
  if ctypes.CDLL(None, use_errno=True).unshare(flags):
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))


def _bring_up(interface: str) -> None:
  with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    name = interface.encode()
    answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack('16sh14x', name, 0))
    flags = struct.unpack('16sh14x', answer)[1]
    fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack('16sh14x', name, flags | _IFF_UP))


def _main(command: Sequence[str]) -> NoReturn:
  try:
    _enter()
  except (OSError, AttributeError) as error:  # There is no `unshare` but on Linux.
    print(f'tfacme: This system gives a run no network of its own (--private-network): {error}', file=sys.stderr)
    sys.exit(_REFUSED)
  os.execve(command[0], list(command), {**os.environ, _INSIDE: '1'})


if __name__ == '__main__':
  _main(sys.argv[1:])
