"""The options of the commands that run experiments."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Type

import tyro
from typing_extensions import Annotated, Literal

from tfacme import datasets, environments, errors, experiments, launching
from tfacme import observers as observers_lib

Engine = Literal['inline', 'local_mt', 'local_mp', 'ray']
Loggers = Literal['tensorboard', 'wandb', 'mlflow']
# Beside `--env ID`: `--env.frame-stack 4`.
Environment = Annotated[tyro.conf.FlagConversionOff[environments.Options], tyro.conf.arg(name='env')]

Sources = Annotated[Tuple[str, ...], tyro.conf.arg(metavar='DATASET [DATASET ...]')]
# Beside `--dataset DIR`: `--dataset.last_row transition`.
Data = Annotated[tyro.conf.FlagConversionOff[datasets.Options], tyro.conf.arg(name='dataset')]

Layout = tyro.conf.FlagConversionOff[tyro.conf.OmitArgPrefixes[experiments.Layout]]

# A comment above a field would be shown to users. The layout has no prefix (--actors, --slots), since it is what one
# changes most; booleans are written as values, like all other options.


@dataclasses.dataclass(frozen=True)
class RunOptions:
  """The options of every run.

  Attributes:
    launch: where the nodes run: in one thread, repeatably (inline), in threads (local_mt) or in processes (local_mp).
    seed: from which all seeds of the run are made.
    workdir: the run's folder; the same command with the same folder resumes from its last checkpoint. None is
      runs/AGENT-ENVIRONMENT-seedSEED.
    stack: of how many of the environment's last observations one is made for the agent; replay stores each once.
    start: the folder of another run, of this or of another agent, whose variables the networks begin with where these
      have the same names and shapes.
    record: a folder into which the whole episodes of all actors are written, each actor's as a part of one RLDS data
      set, which `--dataset` reads together; those that the end of the run cuts off are left out.
    loggers: what takes the rows of all logs beside the CSV files; wandb and mlflow need tfacme[trackers]. Without a
      name it is nothing. Functions that a page has among its loggers stay.
    fitted_q: gradient steps of a Q function by which each evaluation also estimates the policy's value from the dataset
      alone (fitted Q evaluation); 0 makes none, and leaves those that a page has.
    score: the mean returns of random actions and of an expert, such as -1230 -150, or a task of D4RL, such as
      hopper-medium-v2, for which they are published; the logs have a column normalized_score then, where the one has 0
      and the other 100.
    debug: run all of it eagerly in one thread, so that breakpoint() and print work in an update, a loss, a policy and a
      network; a mistake shows its whole traceback.
    profile: leave a trace in the folder profile/ of the run, and print a table of where its time goes.
    private_network: run in a network of its own, which no other process reaches, and from which nothing outside is
      reached; see docs/security.md.
    preset: the experiment.json of a run, whose options are taken where none are given here: those of agent, networks,
      layout, evaluation, checkpoints and logs, and its steps; but not its environment, data, seed and engine.
  """

  launch: Engine = 'inline'
  seed: int = 0
  workdir: Optional[str] = None
  stack: int = 1
  start: Optional[str] = None
  record: Optional[str] = None
  fitted_q: int = 0
  score: Annotated[Tuple[str, ...], tyro.conf.arg(metavar='{RANDOM EXPERT,TASK}')] = ()
  debug: bool = False
  profile: bool = False
  private_network: bool = False
  preset: Annotated[Optional[str], tyro.conf.arg(name='from')] = None
  layout: Layout = experiments.Layout()
  evaluation: tyro.conf.FlagConversionOff[tyro.conf.SuppressFixed[experiments.Evaluation]] = experiments.Evaluation()
  checkpointing: tyro.conf.FlagConversionOff[experiments.Checkpointing] = experiments.Checkpointing()
  loggers: Tuple[Loggers, ...] = ('tensorboard',)
  logging: tyro.conf.FlagConversionOff[experiments.Logging] = experiments.Logging()

  def __post_init__(self):
    errors.count('seed', self.seed, low=0)
    errors.count('fitted_q', self.fitted_q, low=0)
    launching.check_goes_with(self.launch, self.debug, self.profile, self.private_network)


@dataclasses.dataclass(frozen=True)
class RecordedData:
  """The recorded data of a run.

  Attributes:
    dataset: the folder of an RLDS data set, as `tfacme record` writes one, or tfds:NAME[/CONFIG][:VERSION], or several:
      what a run of learner steps learns from, and in a run with actors a part of each batch, as dataset_share says, or
      whatever an agent takes of it that reads recorded data itself.
    dataset_share: in a run with actors, how much of each batch of an off-policy agent is read from the dataset in the
      place of replay, such as 0.5.
    prefill: recorded data, named as the dataset is, with which the replay of a run with actors begins.
    data: how both are read.
  """

  dataset: Sources = ()
  dataset_share: Optional[float] = None
  prefill: Sources = ()
  data: Data = datasets.Options()


def recorded(options: RecordedData, default: RecordedData = RecordedData()) -> Dict[str, Any]:
  """The recorded data that options name, as parts of an experiment; None where they name none.

  Args:
    options: what was said.
    default: what holds where nothing is said.

  Raises:
    errors.UserError: if data are not there, or if it is said how they are read and there are none.
  """
  said = [name for name, value in vars(options.data).items() if value != getattr(default.data, name)]
  if said and not (options.dataset or options.prefill):
    raise errors.UserError(f'--dataset.{said[0]} is of recorded data: give some (--dataset, or --prefill).')
  dataset = datasets.named(options.dataset, options.data) if options.dataset else None
  prefill = dataset
  if options.prefill != options.dataset:
    # Shares are of several data sets, which the two need not have in the same number.
    data = dataclasses.replace(options.data, shares=()) if options.dataset else options.data
    prefill = datasets.named(options.prefill, data) if options.prefill else None
  return {'dataset': dataset, 'dataset_share': options.dataset_share, 'prefill': prefill}


@dataclasses.dataclass(frozen=True)
class Task:
  """What an agent of the command line is trained on.

  Attributes:
    env: the environment's id, such as bsuite:catch/0 or gym:CartPole-v1; `tfacme envs` lists them.
    environment: what it is made with, beside its id; wrappers are around it in this order, the first innermost.
    steps: environment steps of all actors together, after which the run ends; None is 30,000, unless there are
      learner_steps.
    learner_steps: instead of steps, learning steps of a run that learns from the dataset alone, without actors; the
      environment is then for its evaluations.
    bsuite_results: a folder, the same for all ids of bsuite that an agent is tried on, where the episodes of the one
      actor are left for bsuite's own analysis.
  """

  env: str
  environment: Environment = environments.Options()
  steps: Optional[int] = None
  learner_steps: Optional[int] = None
  bsuite_results: Optional[str] = None


STEPS = 30_000  # of a run unless given


def budget(steps: Optional[int], learner_steps: Optional[int], dataset: Sequence[str]) -> experiments.Budget:
  """When a run ends: after environment steps, or offline after learning steps.

  Raises:
    errors.UserError: if both are given, or learning steps without data.
  """
  if learner_steps is None:
    return experiments.Budget(actor_steps=STEPS if steps is None else steps)
  if steps is not None:
    raise errors.UserError(
      '--steps counts environment steps of actors and --learner-steps learning steps of a run without any; give one of '
      'the two.'
    )
  if not dataset:
    raise errors.UserError(
      '--learner-steps is for a run that learns from recorded data alone; give it some (--dataset DIR), or count the '
      'steps of actors (--steps).'
    )
  return experiments.Budget(learner_steps=learner_steps)


@dataclasses.dataclass(frozen=True)
class TrainOptions(RunOptions, RecordedData, Task):
  pass


@dataclasses.dataclass(frozen=True)
class PageOptions(RecordedData, RunOptions):
  steps: Optional[int] = None


def estimators(steps: int) -> Sequence[Any]:
  """What `--fitted_q` asks for, whose module imports TensorFlow."""
  if not steps:
    return []
  from tfacme.workers import fitted_q

  return [fitted_q.FittedQ(steps=steps)]


def observers(score: Sequence[str]) -> Sequence[Any]:
  """What `--score` asks for.

  Raises:
    errors.UserError: if these are neither two returns nor a task of D4RL.
  """
  if not score:
    return ()
  if len(score) == 1:
    return (observers_lib.d4rl_score(score[0]),)
  try:
    random, expert = map(float, score)
  except ValueError:
    raise errors.UserError(
      f'--score {" ".join(score)}: give the mean returns of random actions and of an expert, or a task of D4RL.'
    ) from None
  observers_lib.NormalizedScore(random, expert)  # Says so before the run if there is no such scale.
  return (functools.partial(observers_lib.NormalizedScore, random=random, expert=expert),)


def with_parts(options: Type[Any], parts: Mapping[str, Any]) -> Type[Any]:
  """Options with those of an experiment's parts: `--config.FIELD` for each field of its config, say.

  Args:
    options: the dataclass of all other options.
    parts: {'config': a dataclass, with the values that its options default to}; what is no dataclass has no options.
  """
  fields = [
    (
      name,
      tyro.conf.FlagConversionOff[tyro.conf.SuppressFixed[type(part)]],
      dataclasses.field(default_factory=lambda part=part: part),
    )
    for name, part in parts.items()
    if dataclasses.is_dataclass(part) and not isinstance(part, type)
  ]
  namespace = {'__doc__': options.__doc__}
  return dataclasses.make_dataclass(options.__name__, fields, bases=(options,), namespace=namespace, frozen=True)


def default_workdir(agent: str, environment: str, seed: int) -> str:
  """Where a run goes if the user does not say: the same for the same command, so that it continues."""
  name = re.sub(r'[^\w.]+', '-', f'{agent}-{environment}').strip('-')
  return os.path.join('runs', f'{name}-seed{seed}')


def docstring(summary: str, *parts: Type[Any], extra: str = '') -> str:
  """One docstring for the fields of several dataclasses, and `extra` ones: tyro reads that of a subclass only."""
  fields = [(part.__doc__ or '').partition('Attributes:\n')[2].rstrip() for part in parts]
  return '\n'.join([summary, '', '  Attributes:', *fields, extra, ''])


# Given apart from the classes, because the fields of several are told in one docstring.
TrainOptions.__doc__ = docstring(
  "Trains an agent in an environment. The run's folder holds its logs, checkpoints, policy and learning curve.",
  Task,
  RecordedData,
  RunOptions,
)
PageOptions.__doc__ = docstring(
  'Runs the experiment of this page. The defaults are those of the page.',
  RunOptions,
  RecordedData,
  extra="""    steps: after how many steps the run ends: environment steps of all actors together, or learner steps for
      a run from recorded data (--learner-steps is another name of those).""",
)
