"""The contract of tfacme: what a stream of experience is, and what the parts of an agent promise each other.

Three ideas carry the framework. An experiment is compiled into one program graph, which any engine runs (the
package `graph`). All experience is one stream of `Step` rows, whatever it comes from. One learner and one actor serve
all agents: what differs between agents is a `Policy` and an `Update`, and a `Builder` that says how they are put
together.

Nothing here imports TensorFlow: the contract is about shapes and names, not about operations.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any, Callable, ClassVar, Mapping, NamedTuple, Optional, Protocol, Sequence, Union

import numpy as np
from dm_env import specs as dm_specs

from tfacme import errors

if TYPE_CHECKING:
  import dm_env

  from tfacme import specs
  from tfacme.replay import sources
  from tfacme.replay import tables as tables_lib
  from tfacme.workers.roles import Role
  from tfacme.workers.tallies import Tally
  from tfacme.workers.variables import VariableClient

Nest = Any  # A nest of arrays or tensors: tuples, named tuples and dicts, with arrays as leaves.


class Step(NamedTuple):
  """One row of any stream: an environment, a demonstration, an RLDS data set.

  Row t and row t + 1 make a transition if and only if row t is not `last`. That is the whole rule about the ends of
  episodes, truncation and padding: padding rows are `last` too.
  """

  observation: Nest  # o_t
  action: Nest  # a_t; zeros in the row of the final observation
  reward: Any  # r_{t+1}, raw: never accumulated or clipped before it is sampled
  discount: Any  # d_{t+1}: 0 at a termination, the environment's own (mostly 1) elsewhere, at a truncation too
  first: Any  # this row starts an episode
  last: Any  # this row holds only a final observation (or padding)
  extras: Nest = ()  # what the policy adds: log-probabilities, logits, the recurrent state before a_t


def step_spec(spec: specs.EnvironmentSpec, extras: Nest = ()) -> Step:
  """The spec of one row of the stream that a policy with these extras makes in an environment of this spec."""
  flag = dm_specs.Array((), np.bool_)
  return Step(
    observation=spec.observations,
    action=spec.actions,
    reward=dm_specs.Array(spec.rewards.shape, np.float32, 'reward'),
    discount=dm_specs.Array(spec.discounts.shape, np.float32, 'discount'),
    first=flag,
    last=flag,
    extras=extras,
  )


class Relabeller(Protocol):
  """Rewrites the rows of one stream before they are written: those of an actor's slot, or of recorded data.

  Its state lasts over episodes. A new one is made when a run resumes, as with environments, and for each pass over
  recorded data; what has to last longer belongs in the update, which is saved.

  One that treats each episode by itself may have a function `rewrite`, from a recorded episode (see `datasets.Dataset`)
  to the one that its rows would give, or None: faster than row by row.
  """

  def __call__(self, step: Step) -> Sequence[Step]:
    """Takes the next row and returns the rows that are ready: this one, none while it buffers an episode, or several.

    Args:
      step: a row, with numpy arrays of its own as leaves. An episode ends with a `last` one, or with the run.

    Returns:
      Rows of a stream: there may be fewer or more of them than it took, and each episode ends with a `last` one too.
    """
    ...


@dataclasses.dataclass(frozen=True)
class Relabel:
  """How a stream is rewritten; `tfacme.replay.relabelling` makes the usual ones.

  Attributes:
    make: makes a relabeller, for each slot and each pass over recorded data.
    extras: {name: spec} of what it adds to the extras of a row.
  """

  make: Callable[[], Relabeller]
  extras: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Info(NamedTuple):
  """Where the items of a batch come from; each is a tensor [B]."""

  key: Any  # uint64, the item's name in its table
  probability: Any  # float32, with which it was sampled
  table_size: Any  # int64, items in its table when it was sampled
  # int64, learner steps since the variables that acted in its first row were current, or since the run began, of what a
  # prefill played by a policy of its own; -1 of recorded data, also where a prefill wrote it
  age: Any
  source: Any  # int32, which part of a `Mix` it is from


class Batch(NamedTuple):
  """What an Update receives."""

  steps: Step  # leaves [B, T, ...]; observations [B, 2, ...] if the items keep only the ends
  mask: Any  # float32 [B, T]: 1 where row t starts a real transition
  info: Info


class UpdateOutput(NamedTuple):
  """What one learning step returns."""

  metrics: Mapping[str, Any]  # scalars
  priorities: Any = None  # [B], of `Together` {name: [B]} or such a nest; None where there are no priorities


class Context(NamedTuple):
  """What a policy may know besides its observation, so that exploration is a function and a run repeats.

  An exported policy is told of one slot, whose `index` is 0 for each observation, of the steps that it was trained for,
  and of episode 0 each time: an episode begins where it is given the initial state.
  """

  seed: Any  # int32 [2], fresh in each call: for `tf.random.stateless_*`
  steps: Any  # int64 [], steps of the run so far, in the unit of its budget: mostly environment steps of all actors
  index: Any  # int32 [B], the number of each slot among all slots of all actors
  slots: Any  # int32 [], how many slots there are in all
  first: Any  # bool [B], whether an episode begins with this observation
  episode_seed: Any  # int32 [B, 2], the same throughout an episode of a slot, and another one in each: for its noise
  episode: Any  # int32 [B], how many episodes the slot has begun before this one, since its actor was made


class Policy(Protocol):
  """Chooses actions (a `tf.Module`): batched, pure and exportable; its variables are those that it needs to act.

  They are pulled from the learner, where they are found by name and shape in what `Update.published` has under
  'policy'; or under another name, that of an average, say, if the policy has an attribute `pulls` with it.
  """

  def initial_state(self, batch_size: int) -> Nest:
    """The state at the start of an episode, [B, ...]; `()` for a policy without memory."""
    ...

  def __call__(self, observation: Nest, state: Nest, context: Context) -> tuple[Nest, Nest, Nest]:
    """From observations [B, ...] to (actions [B, ...], next state, extras that are stored in the row)."""
    ...


class Update(Protocol):
  """One learning step (a `tf.Module`), with all its state trackable: networks, targets, optimizers, counts."""

  published: Mapping[str, Any]  # name -> a module of it, or a nest, that others may pull; 'policy' at the least

  def __call__(self, batch: Any) -> UpdateOutput:
    """Learns from a `Batch`, or from {name: Batch} if the source is `Together`."""
    ...


class VariableSource(Protocol):
  """Serves variables, all of one version."""

  def get(self, names: Sequence[str], newer_than: int) -> Optional[tuple[int, Sequence[Mapping[str, Any]]]]:
    """(version, {variable: value} of each name in order) if the version is newer than `newer_than`, or None."""
    ...


class Progress(enum.Enum):
  """How a worker's step ended if it was not blocked."""

  DID = 'did'
  PART = 'part'  # a part of something long, whose progress a display may show
  DONE = 'done'


@dataclasses.dataclass(frozen=True)
class Blocked:
  """A worker's step that could not be taken.

  Attributes:
    reason: what it waits for, as a phrase: 'the actors to insert into ...'.
    idle: whether it only waits for its turn, which is not worth reporting.
    passes: whether what it waits for comes by itself, such as what a thread reads: no other worker has to do a step.
  """

  reason: str
  idle: bool = False
  passes: bool = False


Outcome = Union[Progress, Blocked]  # How a worker's step ended.


class Worker(Protocol):
  """Anything that a run steps: environment loop, learner, evaluator, saver.

  The last phase of a run waits for all workers, so each of them has to come to `DONE`.

  It may have a method `measured(watch)`, by which a `debugging.profiling.Watch` times its parts; else it is timed as a
  whole.
  """

  name: str
  tally: Tally  # its side of the counter
  runs_until_blocked: bool  # in a run in one thread: whether it is stepped until then before others are stepped

  def step(self, wait: float) -> Outcome:
    """Does one unit of work; waits at most about `wait` seconds (0: not at all) for what it needs."""
    ...

  def close(self) -> None:
    """Closes environments and files; called when it is done or the run ends, and possibly twice."""
    ...


class Actor(Protocol):
  """Chooses the actions of N slots by one call. `acting.PolicyActor` is the one that almost all agents use."""

  def act(self, observation: Nest, first: np.ndarray, steps: int) -> tuple[Nest, Nest]:
    """Actions and extras [N, ...] for observations [N, ...]; `first`, bool [N], says where an episode begins."""
    ...

  def update(self) -> None:
    """Pulls newer variables, if there are any."""
    ...

  @property
  def version(self) -> int:
    """The version of the variables that it acts with (learner steps)."""
    ...


@dataclasses.dataclass(frozen=True)
class ActorParts:
  """What an actor is built of; given to `Builder.actor`."""

  policy: Policy
  environments: Sequence[dm_env.Environment]  # one for each slot; a planner may copy them
  environment_spec: specs.EnvironmentSpec
  variables: VariableClient  # `update()` in each of the actor's own; `version` is -1 until the first, which waits
  seed: int
  first_index: int  # the number of slot 0 among all slots
  slots: int  # how many slots there are in all
  evaluation: bool
  budget: Optional[int] = None  # steps at which the run ends; None if there is no run


@dataclasses.dataclass(frozen=True)
class Builder:
  """How an agent is put together from its parts. The first five methods are enough for most agents.

  A builder is a frozen dataclass, and its fields are the agent's identity: with other values, a run is another one.
  Most have a field `config`, a dataclass of the agent's hyperparameters; other fields are choices, such as a loss.

  The spec that its methods take is of what the agent observes: stacked frames, if the experiment stacks them. Only
  `relabel` takes the environment's own, which its rows have.
  """

  variable_period: ClassVar[int] = 10  # An actor asks for newer variables every so many rounds of its slots.

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` if this agent can't learn in an environment of this kind."""

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables_lib.Table]:
    """The replay tables; none for an agent that learns from recorded data alone."""
    return ()

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """What the learner consumes."""
    raise NotImplementedError

  def relabel(self, spec: specs.EnvironmentSpec) -> Optional[Relabel]:
    """How rows are rewritten before they are written into the tables; None leaves them as they are.

    Logged returns are the environment's own. Where a run without actors reads a table's items from recorded data, its
    episodes are rewritten in the same way.
    """
    del spec
    return None

  def policy(self, networks: Any, spec: specs.EnvironmentSpec, evaluation: bool) -> Policy:
    """The behaviour policy, or the one that is evaluated and exported."""
    raise NotImplementedError

  def update(self, networks: Any, spec: specs.EnvironmentSpec) -> Update:
    """The algorithm: one learning step."""
    raise NotImplementedError

  def actor(self, parts: ActorParts) -> Optional[Actor]:
    """The actor of an agent that does more than call its policy; None takes `acting.PolicyActor`.

    `tests/contract/planner.py` has one, and `stubborn.py` one with noise that lasts an episode.
    """
    del parts
    return None

  def extras(self, spec: specs.EnvironmentSpec) -> Optional[Nest]:
    """A nest of `dm_env` specs of what its actor adds to a row; None is what its policy adds."""
    del spec
    return None

  def workers(self, spec: specs.EnvironmentSpec) -> Sequence[Role]:
    """Nodes of the agent's own in the program graph, such as a `workers.prefill.Prefill`."""
    del spec
    return ()

  def checks_networks(self, networks: Any, spec: specs.EnvironmentSpec) -> None:
    """Raises a `UserError` if the networks don't fit the environment's spec, and creates what variables they lack.

    It is called once for all networks that a run makes, before anything else of the agent sees them.
    """

  def for_acting(self) -> Builder:
    """The builder that is sent to nodes that act: itself, or a copy without what only learning needs.

    Demonstrations, for example, would be sent to each actor.
    """
    return self


@dataclasses.dataclass(frozen=True)
class BuilderWrapper(Builder):
  """An agent around an agent: an imitator or explorer that rewrites rewards, say. A subclass says what differs.

  Attributes:
    agent: the builder inside.
    config: the wrapper's own hyperparameters, as a dataclass, or None.
  """

  agent: Builder
  config: Any = None

  @property
  def variable_period(self) -> int:  # type: ignore[override]
    """That of the agent inside."""
    return self.agent.variable_period

  def check(self, spec: specs.EnvironmentSpec) -> None:
    """See `Builder`."""
    self.agent.check(spec)

  def tables(self, spec: specs.EnvironmentSpec) -> Sequence[tables_lib.Table]:
    """See `Builder`."""
    return self.agent.tables(spec)

  def source(self, spec: specs.EnvironmentSpec) -> sources.Source:
    """See `Builder`."""
    return self.agent.source(spec)

  def relabel(self, spec: specs.EnvironmentSpec) -> Optional[Relabel]:
    """See `Builder`."""
    return self.agent.relabel(spec)

  def policy(self, networks: Any, spec: specs.EnvironmentSpec, evaluation: bool) -> Policy:
    """See `Builder`."""
    return self.agent.policy(networks, spec, evaluation)

  def update(self, networks: Any, spec: specs.EnvironmentSpec) -> Update:
    """See `Builder`."""
    return self.agent.update(networks, spec)

  def actor(self, parts: ActorParts) -> Optional[Actor]:
    """See `Builder`."""
    return self.agent.actor(parts)

  def extras(self, spec: specs.EnvironmentSpec) -> Optional[Nest]:
    """See `Builder`."""
    return self.agent.extras(spec)

  def workers(self, spec: specs.EnvironmentSpec) -> Sequence[Role]:
    """See `Builder`."""
    return self.agent.workers(spec)

  def checks_networks(self, networks: Any, spec: specs.EnvironmentSpec) -> None:
    """See `Builder`."""
    self.agent.checks_networks(networks, spec)

  def for_acting(self) -> Builder:
    """The wrapper, around what actors need of the agent inside."""
    return dataclasses.replace(self, agent=self.agent.for_acting())


def describe(config: Any) -> dict[str, Any]:
  """A dataclass as plain values, for a run's `experiment.json`; None has none."""
  if config is None:
    return {}
  if not dataclasses.is_dataclass(config):
    raise errors.UserError(f'A config has to be a dataclass, whose fields can be recorded, not {config!r}.')
  return dataclasses.asdict(config)  # type: ignore[arg-type]
