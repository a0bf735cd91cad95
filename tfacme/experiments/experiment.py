"""An `Experiment`, with the checks of what it is made of."""

from __future__ import annotations

import collections.abc
import dataclasses
import reprlib
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Sequence, Union

from tfacme import core, errors, mistakes, specs
from tfacme import loggers as loggers_lib
from tfacme.experiments.parts import Budget, Checkpointing, Evaluated, Evaluation, Layout, Logging, Stop

if TYPE_CHECKING:
  import dm_env

# Of what `experiment.json` says, all that makes a run the one that it is, but for the unit of its budget.
_SAME = (
  *('agent', 'config', 'builder', 'environment', 'networks', 'stack', 'dataset', 'dataset_share', 'prefill'),
  *('observers', 'estimators', 'start', 'seed'),
)


@dataclasses.dataclass(frozen=True)
class Experiment:
  """What to run.

  Attributes:
    builder: the agent.
    environment: makes the environment from a seed; `environments.factory(id)` or any callable that can be pickled.
      A run from recorded data uses it for its specs and for evaluations.
    networks: makes the agent's networks from the environment's spec.
    budget: when the run ends.
    seed: from which every seed of the run is derived, by role and index.
    dataset: recorded data (`datasets.rlds(path)`), for whatever of the agent's source reads recorded data. A run whose
      budget is in learner steps is offline: it has no actors and no replay, and what the agent would sample from its
      tables is read from these episodes.
    dataset_share: in a run with actors, the share of each batch that is read from these episodes, in the place of what
      an off-policy agent would sample from its tables (Ball et al. 2023, RLPD: 0.5). How often it learns stays the
      same: `samples_per_insert` counts the items of whole batches.
    prefill: recorded data with which the tables of an off-policy agent begin, in a run with actors. They give way to
      newer items as all others do, and do not count towards `samples_per_insert`.
    on_evaluation: is called with an `Evaluated` after each evaluation, in the evaluation's node. It may return a
      `Stop`, which ends the run.
    record: a folder into which the actors' whole episodes are written, as parts of one RLDS data set: see docs/data.md.
    start: the folder of another run, of this or of another agent: the networks begin with its variables where these
      have the same names and shapes. None begins with the networks' own; a resumed run does not take them again.
    evaluation: how the policy is evaluated; several evaluations as a list, of which the first is plotted. Each has a
      log of its own.
    loggers: make what takes the rows of all logs: `loggers.TensorBoard()`, `loggers.WandB()`, `loggers.MLflow()`,
      `loggers.EachRow(function)`, or functions of a `loggers.Log`. CSV files are always written beside them, since a
      run is resumed and plotted from those.
    observers: make additional columns for the logs of actors and evaluations; see `tfacme.observers`.
    estimators: make such columns for the first evaluation from its policy alone: a `tfacme.FittedQ`, say.
    stack: of how many frames the agent's observations are made; 1 leaves them as they are. They are stacked as
      `environments.wrappers.FrameStacking` does it, but the environment gives single ones, replay stores each once, and
      the exported policy takes single ones.
    name: the agent's name; None takes the builder's.
  """

  builder: core.Builder
  environment: Callable[[int], dm_env.Environment]
  networks: Callable[[specs.EnvironmentSpec], Any]
  budget: Budget
  seed: int = 0
  dataset: Any = None
  dataset_share: Optional[float] = None
  prefill: Any = None
  layout: Layout = Layout()
  evaluation: Union[Evaluation, Sequence[Evaluation]] = Evaluation()
  checkpointing: Checkpointing = Checkpointing()
  logging: Logging = Logging()
  loggers: Sequence[loggers_lib.Maker] = (loggers_lib.TensorBoard(),)
  observers: Sequence[Callable[[], Any]] = ()
  estimators: Sequence[Any] = ()
  on_evaluation: Optional[Callable[[Evaluated], Optional[Stop]]] = None
  start: Optional[str] = None
  record: Optional[str] = None
  stack: int = 1
  name: Optional[str] = None

  def __post_init__(self):
    self._check_parts()
    if self.offline and self.budget.steps % self.layout.updates_per_call:
      raise errors.UserError(
        f'The budget of {self.budget.steps} learner steps is no multiple of updates_per_call '
        f'{self.layout.updates_per_call}, and a call makes all of its steps.'
      )

  def _check_parts(self) -> None:
    if not isinstance(self.builder, core.Builder):
      fix = 'such as dqn.DQNBuilder(dqn.DQNConfig())'
      raise errors.UserError(f'The builder is {reprlib.repr(self.builder)}, and has to be a core.Builder, {fix}.')
    for evaluation in self.evaluations:
      if not isinstance(evaluation, Evaluation):
        fix = 'such as Evaluation(episodes=20), or a list of those'
        raise errors.UserError(f'evaluation is {evaluation!r}, and has to be an Evaluation, {fix}.')
    names = [evaluation.name for evaluation in self.evaluations]
    if len(set(names)) < len(names):
      raise errors.UserError(f'The evaluations are named {", ".join(names)}: give each a name of its own.')
    for name, kind, fix in (
      ('budget', Budget, 'Budget(actor_steps=30_000)'),
      ('layout', Layout, 'Layout(actors=2)'),
      ('checkpointing', Checkpointing, 'Checkpointing(keep=2)'),
      ('logging', Logging, 'Logging(learner_every=100)'),
    ):
      part = getattr(self, name)
      if not isinstance(part, kind):
        raise errors.UserError(f'{name} is {part!r}, and has to be a {kind.__name__}, such as {fix}.')
    errors.count('seed', self.seed, low=0)
    errors.count('stack', self.stack)
    errors.path('start', self.start, "a run's folder, such as 'runs/bc'")
    record = errors.path('record', self.record, "a folder for a data set, such as 'recordings/dqn'")
    object.__setattr__(self, 'record', record)  # An environment may go to another folder.
    for name, data in (('dataset', self.dataset), ('prefill', self.prefill)):
      if data is not None and not hasattr(data, 'episodes'):
        fix = "such as datasets.rlds('recordings/dqn')"
        raise errors.UserError(f'{name} is {data!r}, and has to be recorded data, {fix}.')
    if self.dataset_share is not None:
      errors.in_range('dataset_share, a part of each batch,', self.dataset_share, above=0, below=1)
    makers = (
      ('environment', self.environment, "a seed, such as environments.factory('bsuite:catch/0')"),
      ('networks', self.networks, "the environment's spec, such as dqn.default_networks()"),
    )
    if self.on_evaluation is not None:
      makers = (*makers, ('on_evaluation', self.on_evaluation, 'an Evaluated'))
    for name, make, fix in makers:
      if not (specs.takes_seed(make) if name == 'environment' else mistakes.takes(make, None)):
        raise errors.UserError(f'{name} is {make!r}, and has to be a function of {fix}.')
    row = 'such as loggers.TensorBoard(); a function of the name of a node and a row goes in loggers.EachRow(function)'
    _check_makers('loggers', self.loggers, 'one of a loggers.Log', row, None)
    fix = "such as observers.ActionNorm or functools.partial(observers.Info, 'is_success')"
    _check_makers('observers', self.observers, 'one without an argument', fix)
    for estimator in self.estimators:
      if not hasattr(estimator, 'prepared'):
        raise errors.UserError(f'Among the estimators is {estimator!r}, and each has to be one as tfacme.FittedQ() is.')

  @property
  def agent(self) -> str:
    """The agent's name: `dqn`, if it is a `DQNBuilder`'s."""
    return self.name or type(self.builder).__name__.removesuffix('Builder').lower() or 'agent'

  @property
  def evaluations(self) -> Sequence[Evaluation]:
    """All evaluations; the first is the one that is plotted."""
    listed = isinstance(self.evaluation, collections.abc.Sequence)
    return tuple(self.evaluation) if listed else (self.evaluation,)  # type: ignore[return-value]

  @property
  def offline(self) -> bool:
    """Whether it learns from recorded data alone, without actors and replay."""
    return self.budget.learner_steps is not None

  def every(self, period: Optional[int], share: int, least: int = 1) -> int:
    """A period in the budget's unit: `period`, or if that is None, 1 / share of the budget or `least`; 0 is never."""
    return max(least, self.budget.steps // share) if period is None else period


def identity(description: Mapping[str, Any]) -> Dict[str, Any]:
  """What makes a run the one that it is, by name: with another value of one of these, it is another run.

  Args:
    description: of the run, as its `experiment.json` has it.
  """
  unit = next(iter(description.get('budget', {})), None)
  return {**{name: description.get(name) for name in _SAME}, 'budget.unit': unit}


def _check_makers(name: str, makers: Any, what: str, fix: str, *arguments: Any) -> None:
  if not isinstance(makers, collections.abc.Sequence) or isinstance(makers, str):
    raise errors.UserError(f'{name} is {makers!r}, and has to be a list of makers of {name}, {fix}.')
  for make in makers:
    if make in loggers_lib.NAMED.values() or not mistakes.takes(make, *arguments):
      raise errors.UserError(f'Among the {name} is {make!r}, and each has to make {what}, {fix}.')
