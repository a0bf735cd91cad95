"""The command line of a page: a script that defines one experiment."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import sys
from typing import Any, Callable, Dict, List, Sequence

from tfacme import core, datasets, errors, experiments, loggers
from tfacme.cli import options as options_lib
from tfacme.cli import parsing, peeking, presets, running


def run(page: Callable[..., experiments.Experiment], arguments: Sequence[str]) -> None:
  """Runs the experiment of a page with the options of a command line.

  Args:
    page: makes the experiment from a seed, and from the steps of the run if it has such a parameter.
    arguments: the command line.

  Raises:
    errors.UserError: for a wrong option, or an experiment that can't run.
  """
  given, arguments = arguments, _with_steps(arguments)
  learner_steps = given != arguments
  arguments = presets.with_steps(arguments)
  # The defaults of the options are known once the page has made its experiment with the given seed. What processes are
  # forked from is best started before that uses TensorFlow.
  running.warm_up(peeking.peek(arguments, 'launch', 'inline'))
  experiment = page(*_given(page, arguments))
  if learner_steps and experiment.budget.unit != 'learner_steps':
    raise errors.UserError('The run of this page has actors, whose environment steps it counts: say --steps N.')
  parts = {**_parts(experiment.builder), 'networks': experiment.networks}
  parts['env'] = getattr(experiment.environment, 'options', None)  # of an environment with an id
  kind = options_lib.with_parts(options_lib.PageOptions, parts)
  default = kind(**_defaults(experiment))
  options = parsing.parse(kind, arguments, os.path.basename(sys.argv[0]), default=default)
  experiment = dataclasses.replace(
    experiment,
    builder=_with_parts(experiment.builder, options),
    networks=getattr(options, 'networks', experiment.networks),
    environment=_environment(experiment.environment, options),
    stack=options.stack,
    seed=options.seed,
    budget=experiments.Budget(**{experiment.budget.unit: options.steps}),
    **_data(experiment, options, default),
    layout=options.layout,
    evaluation=_with_first(experiment.evaluation, options.evaluation),
    checkpointing=options.checkpointing,
    logging=options.logging,
    loggers=loggers.chosen(experiment.loggers, options.loggers),
    observers=(*experiment.observers, *options_lib.observers(options.score)),
    estimators=options_lib.estimators(options.fitted_q) or experiment.estimators,
    start=options.start,
    record=options.record,
  )
  presets.compare(options.preset, experiment.builder)
  workdir = options.workdir or _workdir(experiment)
  running.run(experiment, workdir, options.launch, options.debug, options.profile)


def _with_steps(arguments: Sequence[str]) -> List[str]:
  """A command line in which the learner steps of a page are called as the steps of any page are."""
  return [re.sub(r'^--learner[-_]steps(?==|$)', '--steps', argument) for argument in arguments]


# What other options are named by.
_TAKEN = frozenset({'networks', 'env', *(field.name for field in dataclasses.fields(options_lib.PageOptions))})


@dataclasses.dataclass(frozen=True)
class _Inner:
  """The agent inside."""


def _parts(builder: core.Builder) -> Dict[str, Any]:
  """What of a builder has options: its fields that are dataclasses (`--config.FIELD`, `--loss.FIELD`), by name.

  Of the agent which a builder is around it is the same (`--agent.config.FIELD`). Recorded data have none, nor has a
  field that is named as an option of every page.
  """
  parts = {}
  for field in dataclasses.fields(builder):  # type: ignore[arg-type]
    part = getattr(builder, field.name)
    if isinstance(part, core.Builder):
      parts[field.name] = options_lib.with_parts(_Inner, _parts(part))()
    elif dataclasses.is_dataclass(part) and not isinstance(part, type) and not hasattr(part, 'episodes'):
      parts[field.name] = part
  return {name: part for name, part in parts.items() if name not in _TAKEN}


def _environment(made: Any, options: Any) -> Any:
  """What makes the environment, with what its options say."""
  return dataclasses.replace(made, options=options.env) if hasattr(options, 'env') else made


def _told(experiment: experiments.Experiment) -> Dict[str, Any]:
  """The options of the recorded data that a page has; those that options can't say have none."""
  dataset, options = datasets.names(experiment.dataset)
  prefill, others = datasets.names(experiment.prefill)
  if dataset and others != (options if prefill == dataset else dataclasses.replace(options, shares=())):
    prefill = ()  # Both are read by the same options.
  data = options if dataset else others
  return {'dataset': dataset, 'dataset_share': experiment.dataset_share, 'prefill': prefill, 'data': data}


def _data(experiment: experiments.Experiment, options: Any, default: Any) -> Dict[str, Any]:
  """The recorded data that options name; those of the page that options can't name stay, unless others are named."""
  given = options_lib.recorded(options, default)
  own = {name: getattr(experiment, name) for name in ('dataset', 'prefill') if not getattr(default, name)}
  return {name: own.get(name) if part is None else part for name, part in given.items()}


def _with_parts(builder: core.Builder, options: Any) -> core.Builder:
  """The builder with what its options say."""
  changes = {}
  for name in _parts(builder):
    part, given = getattr(builder, name), getattr(options, name)
    changes[name] = _with_parts(part, given) if isinstance(part, core.Builder) else given
  return dataclasses.replace(builder, **changes)


def _with_first(evaluation: Any, first: experiments.Evaluation) -> Any:
  """The evaluations of a page with other options for the first of them."""
  return first if isinstance(evaluation, experiments.Evaluation) else [first, *evaluation[1:]][: len(evaluation)]


def _defaults(experiment: experiments.Experiment) -> Dict[str, Any]:
  return {
    'stack': experiment.stack,
    'start': experiment.start,
    'record': experiment.record,
    'seed': experiment.seed,
    'steps': experiment.budget.steps,
    **_told(experiment),
    'layout': experiment.layout,
    'evaluation': next(iter(experiment.evaluations), experiments.Evaluation()),
    'checkpointing': experiment.checkpointing,
    'logging': experiment.logging,
    'loggers': loggers.names(experiment.loggers),
  }


def _given(page: Callable[..., experiments.Experiment], arguments: Sequence[str]) -> List[int]:
  """The seed, and the steps if they are given and the page wants to know them (for schedules that end with the run)."""
  given = [_number(arguments, 'seed', '0')]
  if 'steps' in inspect.signature(page).parameters and peeking.peek(arguments, 'steps', ''):
    given.append(_number(arguments, 'steps', ''))
  return given


def _number(arguments: Sequence[str], name: str, default: str) -> int:
  text = peeking.peek(arguments, name, default)
  try:
    return int(text)
  except ValueError:
    raise errors.UserError(f'--{name} takes INT, and {text!r} is not that.') from None


def _workdir(experiment: experiments.Experiment) -> str:
  """The run's folder if none is given: named by the agent and, where it has one, the environment's id."""
  factory: Any = experiment.environment
  environment = getattr(factory, 'id', None) or getattr(factory, '__name__', 'environment')
  return options_lib.default_workdir(experiment.agent, environment, experiment.seed)
