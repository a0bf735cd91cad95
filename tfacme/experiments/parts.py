"""The parts of an experiment beside its agent, environment and data: when it ends, where it runs, what it leaves.

Counts are in environment steps of all actors (`actor_steps`), or in learner steps for a run that learns from recorded
data alone.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Callable, Mapping, Optional, Sequence, Tuple

from typing_extensions import Literal

from tfacme import errors, specs

MAX_EPISODE_STEPS = 27_000  # of an episode that is played to look at a policy, unless told otherwise
_FEWEST_EPISODE_STEPS = 1_000  # as many are played however short a run is: those of MuJoCo and of dm_control
_EPISODE_SHARE = 20  # of a run, that an episode of its evaluations is at most
_NAME = r'[A-Za-z0-9_][A-Za-z0-9_.-]*'  # of a node and its log
_NODES = r'counter|replay|learner|saver|actor(-\d+)?'  # of every run


def check_node_name(what: str, name: str, taken: Sequence[str] = ()) -> None:
  """Raises a `UserError` unless a node, and its log, can have a name beside those of every run and those taken."""
  if not re.fullmatch(_NAME, name) or re.fullmatch(_NODES, name) or name in taken:
    raise errors.UserError(
      f'{what} is {name!r}, and has to be made of letters, digits and _.-, and to be no name of another node: it names '
      'a node and a log.'
    )


@dataclasses.dataclass(frozen=True)
class Budget:
  """When a run ends; exactly one of the two is set.

  Attributes:
    actor_steps: environment steps of all actors together.
    learner_steps: learning steps, of a run that learns from recorded data alone.
  """

  actor_steps: Optional[int] = None
  learner_steps: Optional[int] = None

  def __post_init__(self):
    if (self.actor_steps is None) == (self.learner_steps is None):
      raise errors.UserError('A budget is either actor_steps or learner_steps; set one of the two.')
    errors.count('The number of steps', self.steps)

  @property
  def unit(self) -> str:
    """What the budget counts: 'actor_steps' or 'learner_steps'."""
    return 'actor_steps' if self.actor_steps is not None else 'learner_steps'

  @property
  def steps(self) -> int:
    """How many of its unit."""
    return self.actor_steps if self.actor_steps is not None else self.learner_steps  # type: ignore[return-value]


REPLAYS = ('beside-learner', 'reverb')  # where a replay may be
ROLES = ('learner', 'actor', 'evaluator')  # of nodes that compute, beside those of an agent's own


@dataclasses.dataclass(frozen=True)
class Layout:
  """How a run is spread over nodes.

  It decides where and how fast a run computes. What is learned may depend on it too: exploration ladders run over all
  slots of all actors, and priorities are written after each call of the compiled learner.

  Attributes:
    actors: number of actor nodes.
    slots: environments of each actor; one call of the policy serves all of them.
    evaluators: 1 gives each evaluation of the experiment a node, 0 makes none.
    relays: nodes from which actors take the learner's variables, each for its share of them, so that the learner
      answers few; 0 has all ask the learner itself.
    replay: where the replay is: `beside-learner`, in the learner's process, or `reverb`, in a server of its own, which
      compresses what it holds and leaves the learner's process to the learner. None is `beside-learner`, and `reverb`
      for several servers and where a cluster (`ray`) trains. A run in one thread has it in that thread.
    replays: replay servers, each with as large a part of all tables, of the actors and of a batch.
    threads: threads that TensorFlow may use in each node of a run in many processes; 0 leaves it to TensorFlow.
    learner_threads: the same for the learner's node; None is `threads`. With large networks, give it the rest of the
      machine.
    gpus: the roles of nodes that compute on a GPU of their host, if it has any, such as learner, actor, evaluator; all
      others, and the threads of `local_mt`, compute on its processors and leave GPUs alone.
    actor_processors: processors that each actor takes of a host, in a cluster that counts them (`ray`) and by which it
      places them, whatever they use; several where its environments compute on as many, and a part of one where they
      mostly wait.
    actor_memory: GB of memory that each actor takes of a host, likewise; 0 leaves it uncounted.
    variable_period: an actor asks for newer variables every so many rounds of its slots; None is the agent's own.
    updates_per_call: learning steps that one call of the compiled learner makes; batches that do not fill a last call
      are not learned from.
    restarts: how many times an hour an actor, or an evaluation, that fails is made anew while all others go on; then it
      ends the run. As often a run in many processes begins again from its last checkpoint if one of the other nodes is
      killed. None is 3, and 0 for the actors and evaluations of a run in one thread.
    environment_timeout: seconds after which an environment that has not returned from a reset or a step has failed, and
      with it its actor or evaluation. None waits for ever, and says after 10 s in which call, as a run in one thread
      does.
    check_memory: whether a run is refused whose replay, in one thread or beside the learner, would take more memory
      than there is.
  """

  actors: int = 1
  slots: int = 1
  evaluators: int = 1
  relays: int = 0
  replay: Optional[Literal['beside-learner', 'reverb']] = None
  replays: int = 1
  threads: int = 1
  learner_threads: Optional[int] = None
  gpus: Tuple[str, ...] = ('learner',)
  actor_processors: float = 1.0
  actor_memory: float = 0.0
  variable_period: Optional[int] = None
  updates_per_call: int = 1
  restarts: Optional[int] = None
  environment_timeout: Optional[float] = None
  check_memory: bool = True

  @property
  def beside_learner(self) -> bool:
    """Whether the replay is in the learner's process."""
    return self.replay != 'reverb' and self.replays == 1

  def __post_init__(self):
    if self.variable_period is not None:
      errors.count('variable_period', self.variable_period)
    for name in ('actors', 'slots', 'updates_per_call'):
      errors.count(f'The number of {name}' if name in ('actors', 'slots') else name, getattr(self, name))
    errors.in_range('evaluators', self.evaluators, low=0, high=1)
    errors.count('The number of relays', self.relays, low=0)
    errors.count('The number of replays', self.replays)
    if self.replay not in (None, *REPLAYS):
      raise errors.unknown('place of the replay', self.replay, REPLAYS, f'there are {" and ".join(REPLAYS)}.')
    if self.replay == 'beside-learner' and self.replays > 1:
      raise errors.UserError(
        f'Beside the learner there is one replay, and {self.replays} are servers of their own: leave --replay or '
        '--replays out.'
      )
    if self.actors % self.replays:
      raise errors.UserError(
        f'Each replay server has as many of the actors, and {self.actors} can not be shared out among {self.replays}: '
        'choose another number (--replays).'
      )
    if self.relays > self.actors:
      raise errors.UserError(f'{self.relays} relays are more than the {self.actors} actors: take fewer (--relays).')
    if not isinstance(self.gpus, (tuple, list)) or not all(isinstance(role, str) for role in self.gpus):
      raise errors.UserError(f"gpus is {self.gpus!r}, and has to be roles of nodes, such as ('learner',); () are none.")
    errors.in_range('actor_processors', self.actor_processors, low=0.01)
    errors.in_range('actor_memory', self.actor_memory, low=0)
    errors.count('threads', self.threads, low=0)
    errors.count('learner_threads', self.learner_threads or 0, low=0)
    errors.count('restarts', self.restarts or 0, low=0)
    if self.environment_timeout is not None:
      errors.in_range('environment_timeout', self.environment_timeout, above=0)


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """Episodes on frozen variables. The last ones, on the final variables, are always played.

  The environments of all evaluations of a run are made with the same seeds, each once, and go on from one evaluation to
  the next. So two policies begin with the same episodes; how long these take decides which ones follow.

  Attributes:
    every: steps between evaluations, in the unit of the budget; None is a twentieth of the budget, 0 only the last.
    episodes: episodes of each evaluation. None is 20 for the last one, and for earlier ones as many, up to 20, as take
      a quarter of the steps since the evaluation before, judged by the length of episodes so far; an evaluation of less
      than 5 episodes is postponed to a later multiple of `every`. Several evaluations with None share the quarter. A
      run from recorded data has no acting that they could be a share of: there, None is always 20.
    environments: how many of them are played at once, with one call of the policy for all.
    max_episode_steps: steps after which an episode is cut off, with a warning; the column `episodes_cut` counts those.
      None is 27,000, half an hour of Atari at four frames a step, the longest episode of the usual benchmarks (van
      Hasselt et al. 2016); but in a run with actors a twentieth of their steps if that is less, and 1,000 at least: a
      policy that has just begun to learn may never end an episode.
    name: of its node and its log, `logs/NAME.csv`.
    environment: makes its environment from a seed; None is the experiment's. It has to have the same observations and
      actions.
    policy: who acts, the 'evaluation' policy or the 'behaviour' policy, which explores.
    animation: whether the first episode of each evaluation goes to those of `Experiment.loggers` that take pictures:
      what the environment draws, or an observation that is an image or a board, for 200 time steps at most.
  """

  every: Optional[int] = None
  episodes: Optional[int] = None
  environments: int = 5
  max_episode_steps: Optional[int] = None
  name: str = 'evaluator'
  environment: Any = None
  policy: Literal['evaluation', 'behaviour'] = 'evaluation'
  animation: bool = False

  def __post_init__(self):
    check_node_name('evaluation.name', self.name)
    if self.policy not in ('evaluation', 'behaviour'):
      raise errors.unknown('evaluation.policy', self.policy, ['evaluation', 'behaviour'], 'evaluation or behaviour.')
    if self.environment is not None and not specs.takes_seed(self.environment):
      raise errors.UserError(f'evaluation.environment is {self.environment!r}, and has to be a function of a seed.')

    if self.max_episode_steps is not None:
      errors.count('evaluation.max_episode_steps', self.max_episode_steps)
    errors.count('evaluation.every', self.every or 0, low=0)
    errors.count('evaluation.environments', self.environments)
    if self.episodes is not None:
      errors.count('evaluation.episodes', self.episodes)

  def longest(self, budget: Budget) -> int:
    """Steps at which an episode is cut off in a run of a budget: the same in all its evaluations."""
    if self.max_episode_steps is not None:
      return self.max_episode_steps
    share = MAX_EPISODE_STEPS if budget.actor_steps is None else budget.actor_steps // _EPISODE_SHARE
    return min(MAX_EPISODE_STEPS, max(_FEWEST_EPISODE_STEPS, share))


@dataclasses.dataclass(frozen=True)
class Stop:
  """What `Experiment.on_evaluation` returns to end the run before its budget is spent.

  The run comes to the same end as it would with its budget: the learner learns from what is left, the last evaluations
  are played on the final variables, and the policy is exported; also if it is stopped meanwhile and resumed. With a
  larger budget it goes on.

  Attributes:
    reason: as a phrase, which the run's last line and the checkpoint say: 'the return is over 195'.
  """

  reason: str


@dataclasses.dataclass(frozen=True)
class Evaluated:
  """An evaluation that was played, for `Experiment.on_evaluation`.

  Attributes:
    name: of the evaluation.
    steps: of the run when it began, in the unit of the budget.
    row: of its log: `row['episode_return']`.
    keep: `keep('solved')` writes the policy that was evaluated into the folder `policy-solved` of the run, which
      `tfacme evaluate RUN --checkpoint solved` takes. A name is of letters, digits, _ and -, with a letter first.
  """

  name: str
  steps: int
  row: Mapping[str, Any]
  keep: Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Checkpointing:
  """What a killed run resumes from.

  Attributes:
    every: steps between checkpoints, in the unit of the budget; None is a tenth of the budget and 500 at least, since
      fewer are made again as soon as a checkpoint is written; 0 writes one at the end only.
    keep: how many are kept. With 2, the older one is there if the newer one is damaged. Each holds the whole replay (of
      pictures, up to tens of GB), and a new one comes on top while it is written, so the disk needs room for 3. Where
      that is too much, keep 1, or leave the replay out.
    replay: whether they hold the replay's contents too.
    best: whether the policy of the evaluation with the highest mean return is kept, in `policy-best`. What is chosen so
      looks better than it is: a score is that of the final policy.
    stop_seconds: how long one may take when a run of several threads or processes is stopped (Ctrl-C, SIGTERM); a large
      replay on a slow disk needs more, if the system that stops the run allows it. Its policy has as long again, and so
      has what trackers have not been told by then.
  """

  every: Optional[int] = None
  keep: int = 2
  replay: bool = True
  best: bool = True
  stop_seconds: float = 6.0

  def __post_init__(self):
    errors.count('checkpointing.every', self.every or 0, low=0)
    errors.count('checkpointing.keep', self.keep)
    errors.in_range('checkpointing.stop_seconds', self.stop_seconds, above=0)


@dataclasses.dataclass(frozen=True)
class Logging:
  """How often a run logs.

  Attributes:
    learner_every: learning steps between rows of the learner's log; each of the first ones, as many but at most 100,
      has a row too.
    actor_every: episodes of an actor between rows of its log, for episodes so short that a row for each is too much.
  """

  learner_every: int = 100
  actor_every: int = 1

  def __post_init__(self):
    errors.count('logging.learner_every', self.learner_every)
    errors.count('logging.actor_every', self.actor_every)
