"""The commands: each reads its options and calls one public function of tfacme."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import os
import sys
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Tuple

import tyro
from typing_extensions import Annotated

from tfacme import datasets, environments, errors, experiments, loggers, seeds
from tfacme.agents import registry
from tfacme.cli import (
  checking,
  convert,
  data,
  deploying,
  devices,
  listing,
  logs,
  parsing,
  policies,
  presets,
  progress,
  results,
  running,
  status,
  training,
  watching,
)
from tfacme.cli import options as options_lib
from tfacme.runs import rounding

# What a public function needs TensorFlow for is imported by the command that calls it: the others answer at once.


class _Command(NamedTuple):
  run: Callable[[Sequence[str]], None]
  usage: str
  summary: str


def run(arguments: Sequence[str]) -> None:
  """Runs the command that a command line names.

  Raises:
    errors.UserError: if it can't be run as it stands.
  """
  if not arguments or arguments[0] in ('-h', '--help'):
    print(_help())
  elif arguments[0] == '--version':
    print(f'tfacme {importlib.metadata.version("tfacme")}')
  elif arguments[0] in _COMMANDS:
    _COMMANDS[arguments[0]].run(arguments[1:])
  else:
    raise errors.unknown('command', arguments[0], _COMMANDS, hint='tfacme --help lists them.')


def _help() -> str:
  lines = ['usage: tfacme COMMAND ...', '', 'Reinforcement learning in TensorFlow 2.', '', 'commands:']
  lines += listing.columns([(command.usage, command.summary) for command in _COMMANDS.values()])
  lines += [
    '',
    'tfacme COMMAND --help lists the options of a command, tfacme train AGENT --help those of an agent too.',
  ]
  return '\n'.join(lines)


def _budget_and_data(options: Any) -> Dict[str, Any]:
  """Some parts of an experiment, of the options that say them."""
  budget = options_lib.budget(options.steps, options.learner_steps, options.dataset)
  return {'budget': budget, **options_lib.recorded(options)}


def _train(arguments: Sequence[str]) -> None:
  agent = listing.agent('train', arguments)
  if agent is None:
    return
  options = training.parse(agent, arguments[1:], options_lib.TrainOptions, 'tfacme train')
  source = _budget_and_data(options)
  environment = environments.factory(options.env, options.environment)
  workdir = options.workdir or options_lib.default_workdir(agent, options.env, options.seed)
  if options.bsuite_results is not None:
    environment = results.recorded(environment, options, workdir)
  makers, observed = loggers.chosen((), options.loggers), options_lib.observers(options.score)
  # Once all that can be checked is, and before this process imports TensorFlow.
  running.announce(sys.stdout)
  running.warm_up(options.launch)
  builder = registry.builder(agent, options.config)
  presets.compare(options.preset, builder)
  experiment = experiments.Experiment(
    builder=builder,
    environment=environment,
    networks=getattr(options, 'networks', registry.default_networks(agent)),
    **source,
    stack=options.stack,
    seed=options.seed,
    layout=options.layout,
    evaluation=options.evaluation,
    checkpointing=options.checkpointing,
    logging=options.logging,
    loggers=makers,
    observers=observed,
    estimators=options_lib.estimators(options.fitted_q),
    start=options.start,
    record=options.record,
    name=agent,
  )
  running.run(experiment, workdir, options.launch, options.debug, options.profile)


@dataclasses.dataclass(frozen=True)
class _PlotOptions:
  """Draws the return against the environment steps; several seeds of one experiment as their mean with a 95% band.

  Attributes:
    runs: the runs' folders.
    out: the picture's file; the ending says which format (.png, .svg, .pdf).
    column: what is drawn in the place of the return: another column of the evaluations' log, such as normalized_score.
  """

  runs: tyro.conf.Positional[Annotated[Tuple[str, ...], tyro.conf.arg(metavar='RUN [RUN ...]')]] = ()
  out: str = 'learning_curve.png'
  column: str = 'episode_return'


def _plot(arguments: Sequence[str]) -> None:
  options = parsing.parse(_PlotOptions, arguments, 'tfacme plot')
  if not options.runs:
    raise errors.UserError('tfacme plot needs the folder of a run: tfacme plot RUN [RUN ...] --out FILE.png.')
  from tfacme.workers import plotting

  plotting.learning_curve(options.runs, options.out, column=options.column)
  print(f'The learning curve is in {options.out}')


@dataclasses.dataclass(frozen=True)
class _RecordOptions:
  """Records episodes as an RLDS data set, which `tfacme train AGENT --dataset` and plain tfds read.

  Beside the steps of each are its return and length, policy, run, environment, seed and time. Ctrl-C and SIGTERM keep
  all episodes that have ended.

  Attributes:
    out: the folder of the data set; episodes are added to those that it has.
    episodes: how many episodes.
    run: the folder of the run whose policy acts, in its environment.
    checkpoint: whose policy of the run, as `tfacme evaluate` has it.
    random: whether actions are taken at random instead, in the environment of `env`.
    env: the environment's id.
    environment: what it is made with, beside its id.
    seed: of the environment, of the policy and of random actions.
    max_episode_steps: steps after which an episode is cut off, with a warning, and recorded as truncated.
    part: the name of a part of the data set, of letters, digits and _.-; several commands that record at the same time
      write a part each, which are read together.
  """

  out: str
  episodes: int = 50
  run: Optional[str] = None
  checkpoint: Optional[str] = None
  random: bool = False
  env: Optional[str] = None
  environment: options_lib.Environment = environments.Options()
  seed: int = 0
  max_episode_steps: int = experiments.MAX_EPISODE_STEPS
  part: Optional[str] = None


def _record(arguments: Sequence[str]) -> None:
  options = parsing.parse(_RecordOptions, arguments, 'tfacme record')
  if (options.run is None) == (not options.random):
    raise errors.UserError('tfacme record needs either --run RUN, or --random --env ID.')
  if options.random != (options.env is not None) or (options.run and options.environment.changed):
    raise errors.UserError('tfacme record needs --env with --random, and not with --run, which has its environment.')
  if options.random and options.checkpoint is not None:
    raise errors.UserError('tfacme record needs --checkpoint with --run, and not with --random.')
  errors.count('--episodes', options.episodes)
  errors.count('--seed', options.seed, low=0)
  run = None if options.run is None else policies.load_run(options.run)
  made = environments.factory(options.env, options.environment) if run is None else run.environment
  import tfacme

  there = datasets.continued(options.out, options.part)
  # Episodes that are added, or are those of another part, must not be those that are there once more.
  name = ' '.join(filter(None, ['record', options.part]))
  seed = seeds.derive(options.seed, name, there) if there or options.part else options.seed
  policy = None if run is None else run.policy(seed, options.checkpoint)
  out = os.path.abspath(options.out)  # An environment may go to another folder.
  with contextlib.closing(made(seed)) as environment, progress.episodes(options.episodes) as show:
    returns = tfacme.record(
      policy,
      environment,
      options.episodes,
      out,
      seed,
      options.max_episode_steps,
      _origin(options, run, seed),
      options.part,
      show,
    )
  mean, count = rounding.number(sum(returns) / len(returns)), errors.counted(len(returns), 'episode')
  more = f' beside {there} from before' if there else ''
  print(f'Recorded in {options.out}: {count} with a mean return of {mean}{more}')


def _origin(options: _RecordOptions, run: Any, seed: int) -> datasets.Origin:
  """What is told of the episodes beside their steps."""
  if run is None:
    return datasets.Origin.of('random', environments.factory(str(options.env), options.environment), seed)
  where = options.run if options.checkpoint is None else f'{options.run} {options.checkpoint}'
  return datasets.Origin.of(run.description['agent'], run.experiment().environment, seed, str(where))


@dataclasses.dataclass(frozen=True)
class _GraphTask:
  """Of what the graph is drawn.

  Attributes:
    out: the picture's file (SVG).
    env: the environment's id; the graph is made for one that the agent can learn in.
    environment: what it is made with, beside its id.
    steps: environment steps of the run's actors, as of `tfacme train`.
    learner_steps: instead, learning steps of a run from the dataset alone, which has no actors and no replay.
  """

  out: str = 'graph.svg'
  env: str = 'bsuite:catch/0'
  environment: options_lib.Environment = environments.Options()
  steps: Optional[int] = None
  learner_steps: Optional[int] = None
  layout: options_lib.Layout = experiments.Layout()


@dataclasses.dataclass(frozen=True)
class _GraphOptions(options_lib.RecordedData, _GraphTask):
  pass


_GraphOptions.__doc__ = options_lib.docstring(
  'Draws the program graph of an agent: its nodes, and what flows between them.', _GraphTask, options_lib.RecordedData
)


def _graph(arguments: Sequence[str]) -> None:
  agent = listing.agent('graph', arguments)
  if agent is None:
    return
  options = parsing.parse(_GraphOptions, arguments[1:], f'tfacme graph {agent}')
  if not options.out.endswith('.svg'):
    raise errors.UserError(f'--out is {options.out}, and the graph is drawn as SVG: give a name that ends in .svg.')
  environment = environments.factory(options.env, options.environment)
  import tfacme
  from tfacme.graph import picture, program

  experiment = experiments.Experiment(
    builder=registry.builder(agent, registry.config(agent)),
    environment=environment,
    networks=registry.default_networks(agent),
    **_budget_and_data(options),
    layout=options.layout,
    name=agent,
  )
  try:
    svg = picture.graph_svg(program.graph(tfacme.make_program(experiment)))
  except errors.UserError as error:
    raise errors.UserError(f'{error} The graph was to be for {options.env}: see --env and --dataset.') from error
  with errors.writing_file('The picture', options.out):
    with open(options.out, 'w', encoding='utf-8') as file:
      file.write(svg)
  print(f'The program graph is in {options.out}')


@dataclasses.dataclass(frozen=True)
class _AgentsOptions:
  """Lists the agents."""


def _agents(arguments: Sequence[str]) -> None:
  parsing.parse(_AgentsOptions, arguments, 'tfacme agents')
  print('\n'.join(listing.columns(list(registry.summaries().items()))))


@dataclasses.dataclass(frozen=True)
class _EnvsOptions:
  """Lists the environments: ids, or patterns of ids."""


def _envs(arguments: Sequence[str]) -> None:
  parsing.parse(_EnvsOptions, arguments, 'tfacme envs')
  print('\n'.join(listing.columns(environments.known())))


_COMMANDS: Dict[str, _Command] = {
  'train': _Command(_train, 'train AGENT --env ID', 'train an agent in an environment'),
  'evaluate': _Command(policies.evaluate, 'evaluate RUN', 'evaluate the policy of a run'),
  'status': _Command(status.run, 'status RUN', 'say how a run stands, and each of its nodes'),
  'logs': _Command(logs.run, 'logs RUN [NODE]', "the newest rows of a node's log"),
  'plot': _Command(_plot, 'plot RUN [RUN ...]', 'draw learning curves'),
  'watch': _Command(watching.run, 'watch RUN', 'an episode of the policy, or of a data set, as an animation'),
  'record': _Command(_record, 'record --out DIR', 'record episodes of a run, or at random, as a data set'),
  'convert': _Command(convert.run, 'convert SOURCE --out DIR', 'recorded data of D4RL, Minari or NumPy as a data set'),
  'data': _Command(data.run, 'data DATASET', 'say what is in a data set'),
  'graph': _Command(_graph, 'graph AGENT', 'draw the program graph of an agent'),
  'export': _Command(policies.export, 'export RUN', 'the policy of a run as a SavedModel, ONNX or TFLite'),
  'check': _Command(checking.run, 'check AGENT --env ID', 'look for faults in an environment, and try an agent in it'),
  'deploy': _Command(deploying.run, 'deploy KIND AGENT --out DIR', 'files with which a cluster runs what train would'),
  'devices': _Command(devices.run, 'devices', 'say what a run would compute on, processors or GPUs'),
  'agents': _Command(_agents, 'agents', 'list the agents'),
  'envs': _Command(_envs, 'envs', 'list the environments'),
}
