"""Workers of an agent's own: what they are to the program graph, and what they are made of."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Callable, Mapping, Optional, Sequence

from tfacme import core, errors, experiments, specs
from tfacme.loggers import Logger
from tfacme.workers import counting, tallies

if TYPE_CHECKING:
  import dm_env

  from tfacme.replay import packing, resolving, streams


@dataclasses.dataclass(frozen=True)
class RoleParts:
  """What a worker is made of.

  Attributes:
    name: of its node.
    index: among the nodes of its role.
    seed: of all that it draws; the same in a resumed run.
    tally: its side of the counter, whose counts are saved.
    environment: makes an environment like those of the actors, from a seed.
    spec: of that environment.
    codec: of the rows of the tables.
    replay: the tables, or None if it does not use them; `writer(role)` writes into those that its role writes.
    variables: gives out those that the learner publishes, or None if it does not use them.
    kept: whether the replay has what was written before the run was resumed; it begins empty otherwise.
    logger: makes the node's log.
  """

  name: str
  index: int
  seed: int
  tally: tallies.Tally
  environment: Callable[[int], dm_env.Environment]
  spec: specs.EnvironmentSpec
  codec: packing.Codec
  replay: Optional[streams.Replay]
  variables: Optional[core.VariableSource]
  kept: bool
  logger: Callable[[], Logger]


@dataclasses.dataclass(frozen=True)
class Role:
  """Nodes of an agent's own: a subclass says how their workers are made.

  Attributes:
    name: of the role; a table that its workers write into has it in `written_by`.
    count: how many nodes.
    uses: what they are linked with beside the counter: 'replay', 'learner' (its variables), or both. In a run without
      actors there is no replay, and no node that uses it.
    phase: which phase of a run waits for them: 'prefill' (before any actor acts), 'actor' (they bring in data),
      'learner' or 'evaluator'; see `counting.PHASES`. Each worker has to finish by itself, or when its tally says that
      its phase has ended; one of 'prefill' by itself.
  """

  name: str
  count: int = 1
  uses: Sequence[str] = ('replay',)
  phase: str = 'actor'

  def __post_init__(self):
    errors.count(f'The number of nodes of the role {self.name!r}', self.count)
    experiments.check_node_name("The name of an agent's role", self.name, taken=['evaluator'])  # It is one already.
    if self.phase not in counting.PHASES[:-1]:
      raise errors.unknown('phase', self.phase, counting.PHASES[:-1])
    for use in self.uses:
      if use not in ('replay', 'learner'):
        raise errors.unknown(f'node for the role {self.name!r} to use', use, ('replay', 'learner'))

  def node_names(self) -> Sequence[str]:
    """The names of its nodes."""
    return [self.name] if self.count == 1 else [f'{self.name}-{i}' for i in range(self.count)]

  def prepared(self, given: resolving.Given) -> Role:
    """The role with all that can be worked out before the run; raises a `UserError` if it does not fit the run."""
    del given
    return self

  def inserts(self) -> Mapping[str, int]:
    """{table: items} that its workers write beside what the rate limiter paces, once it is prepared."""
    return {}

  def make(self, parts: RoleParts) -> core.Worker:
    """Makes the worker of one node, in that node."""
    raise NotImplementedError
