"""A run as a cluster sees it: a command, and what its nodes take of the hosts."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
import shlex
from typing import Mapping, Tuple

from tfacme import errors, experiments
from tfacme.launching import room

_NAME = r'[a-z]([-a-z0-9]{0,45}[a-z0-9])?'  # of a RayJob, and of all that KubeRay names after one
_LONGEST = 40  # characters of a name that is made
_MARK = 7  # of these, for what a name that is too long is told from others by
_UNSAID_THREADS = 4  # of a node whose threads are left to TensorFlow
STOP_SECONDS = 45  # for a last checkpoint, and as long for its policy: a cluster gives a run two minutes in all
_FOR_THE_REST = 2  # processors of counter, a replay, saver and Ray itself


def named(text: str) -> str:
  """A text as the name of a job: the same for the same text."""
  name = re.sub(r'[^a-z0-9]+', '-', text.lower()).lstrip('-0123456789').rstrip('-') or 'run'
  if len(name) <= _LONGEST:
    return name
  mark = hashlib.sha256(text.encode()).hexdigest()[:_MARK]
  return f'{name[: _LONGEST - _MARK - 1].rstrip("-")}-{mark}'


@dataclasses.dataclass(frozen=True)
class Job:
  """A run that goes to a cluster.

  Attributes:
    name: of the job.
    command: the program and its arguments.
    workdir: the run's folder, as the command has it.
    layout: how the run is spread over nodes.
    acts: whether it has actors; one that learns from recorded data alone has none.
    written: the options by which actors write files, each on its own host.
  """

  name: str
  command: Tuple[str, ...]
  workdir: str
  layout: experiments.Layout
  acts: bool = True
  written: Tuple[str, ...] = ()

  def __post_init__(self):
    if not re.fullmatch(_NAME, self.name):
      raise errors.UserError(
        f'--cluster.name is {self.name!r}, and has to be at most 47 small letters, digits and -, with a letter first.'
      )
    for argument in self.command:
      if not argument.isprintable():
        raise errors.UserError(f'{argument!r} has a character that no line of a file can have; leave that out.')

  @property
  def line(self) -> str:
    """The command as a line for a shell."""
    return shlex.join(self.command)

  @property
  def actors(self) -> int:
    """How many actors it has."""
    return self.layout.actors if self.acts else 0

  @property
  def cpus(self) -> int:
    """Processors for what is on the host of the command: learner and evaluation by their threads, and all others."""
    layout = self.layout
    threads = layout.threads or _UNSAID_THREADS
    return self.learner_threads + layout.evaluators * threads + layout.replays - 1 + _FOR_THE_REST

  @property
  def learner_threads(self) -> int:
    """Threads of the learner."""
    layout = self.layout
    own = layout.threads if layout.learner_threads is None else layout.learner_threads
    return own or _UNSAID_THREADS

  @property
  def computes_here(self) -> bool:
    """Whether a node that is on the host of the command is to compute on a GPU."""
    return any(role != 'actor' for role in self.layout.gpus)

  @property
  def acts_on_gpus(self) -> bool:
    """Whether each actor takes a GPU."""
    return self.acts and 'actor' in self.layout.gpus

  @property
  def needs(self) -> room.Needs:
    """What an actor takes of a host."""
    return room.Needs(self.layout.actor_processors, float(self.acts_on_gpus), self.layout.actor_memory)

  def hosts(self, actors: int, host: Mapping[str, float]) -> int:
    """How many hosts some actors take, by what each host has for them.

    Raises:
      errors.UserError: if no host has room for one of them.
    """
    if actors <= 0:
      return 0
    each = self.needs.room([host])
    if not each:
      raise errors.UserError(
        f'Each actor takes {self.needs}, and a host does not have that: say what it has (--cluster.cpus, '
        '--cluster.gpus, --cluster.memory), or have an actor take less.'
      )
    return math.ceil(actors / each)
