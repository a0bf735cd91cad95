"""What a node takes of a host, in a cluster that counts, and how many such nodes its hosts have room for."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Dict, Iterable, Mapping

from tfacme import errors

if TYPE_CHECKING:
  from tfacme.graph import nodes

GB = 10**9  # bytes
_ROUNDING = 1e-9  # by which tenths of a processor may come to less than one


@dataclasses.dataclass(frozen=True)
class Needs:
  """What one node takes.

  Attributes:
    processors: how many, or which part of one.
    gpus: likewise.
    memory: in GB.
  """

  processors: float = 0.0
  gpus: float = 0.0
  memory: float = 0.0

  def __str__(self):
    told = [_told(self.processors, 'processor'), _told(self.gpus, 'GPU')]
    told.append(f'{self.memory:g} GB of memory' if self.memory else '')
    return ' and '.join(filter(None, told)) or 'a host'

  def resources(self) -> Dict[str, float]:
    """The same as Ray counts it."""
    return {'CPU': self.processors, 'GPU': self.gpus, 'memory': self.memory * GB}

  def room(self, hosts: Iterable[Mapping[str, float]]) -> int:
    """How many such nodes hosts have room for that have nothing else, by what each of them has."""
    taken = {name: amount for name, amount in self.resources().items() if amount}
    fitting = lambda host: min(host.get(name, 0.0) / amount for name, amount in taken.items())
    return sum(max(0, math.floor(fitting(host) + _ROUNDING)) for host in hosts)


def _told(count: float, what: str) -> str:
  part = f'a {what}' if count == 1 else f'{count:g} {what}s' if count >= 1 else f'{count:g} of a {what}'
  return part if count else ''


def of_leaf(node: nodes.Node) -> Needs:
  """What a node takes that may be on any host: a whole GPU, if it computes on one."""
  return Needs(node.upkeep.processors, float(node.gpus), node.upkeep.memory)


def check(count: int, needs: Needs, room: int) -> None:
  """Raises a `UserError` if there is no room for so many actors."""
  if count > room:
    fix = 'take fewer actors with more slots each (--actors, --slots)'
    raise errors.UserError(
      f'Each actor of this run takes {needs}, and the Ray cluster has room for {room} of {count}: make it larger, or '
      f'{fix if room else "have each take less (--actor-processors, --actor-memory, --gpus)"}.'
    )
