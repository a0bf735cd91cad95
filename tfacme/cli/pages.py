"""The command line of a page: a script that defines one experiment."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
from typing import Any, Callable, List, Optional, Sequence

from tfacme import errors, experiments
from tfacme.cli import options as options_lib
from tfacme.cli import parsing, running


@dataclasses.dataclass(frozen=True)
class PageOptions(options_lib.RunOptions):
  steps: Optional[int] = None


# Given apart from the class, because the fields of two classes are told in one docstring.
PageOptions.__doc__ = options_lib.docstring(
  'Runs the experiment of this page. The defaults are those of the page.',
  options_lib.RunOptions,
  extra="""    steps: after how many steps the run ends: environment steps of all actors together, or learner steps for
      a run from recorded data.""",
)


def run(page: Callable[..., experiments.Experiment], arguments: Sequence[str]) -> None:
  """Runs the experiment of a page with the options of a command line.

  Args:
    page: makes the experiment from a seed, and from the steps of the run if it has such a parameter.
    arguments: the command line.

  Raises:
    errors.UserError: for a wrong option, or an experiment that can't run.
  """
  # The page is asked for its experiment with the seed that is given, and only then it is known what its options
  # default to; what comes before all else is that other processes begin to import TensorFlow.
  running.warm_up(_peek(arguments, 'launch', 'inline'))
  experiment = page(*_given(page, arguments))
  options = parsing.parse(PageOptions, arguments, os.path.basename(sys.argv[0]), default=_defaults(experiment))
  experiment = dataclasses.replace(
    experiment,
    seed=options.seed,
    budget=experiments.Budget(**{experiment.budget.unit: options.steps}),
    layout=options.layout,
    evaluation=options.evaluation,
    checkpointing=options.checkpointing,
    logging=options.logging,
  )
  running.run(experiment, options.workdir or _workdir(experiment), options.launch)


def _defaults(experiment: experiments.Experiment) -> PageOptions:
  return PageOptions(
    seed=experiment.seed,
    steps=experiment.budget.steps,
    layout=experiment.layout,
    evaluation=experiment.evaluation,
    checkpointing=experiment.checkpointing,
    logging=experiment.logging,
  )


def _given(page: Callable[..., experiments.Experiment], arguments: Sequence[str]) -> List[int]:
  """The seed, and the steps if they are given and the page wants to know them (for schedules that end with the run)."""
  given = [_number(arguments, 'seed', '0')]
  if 'steps' in inspect.signature(page).parameters and _peek(arguments, 'steps', ''):
    given.append(_number(arguments, 'steps', ''))
  return given


def _number(arguments: Sequence[str], name: str, default: str) -> int:
  text = _peek(arguments, name, default)
  try:
    return int(text)
  except ValueError:
    raise errors.UserError(f'--{name} takes INT, and {text!r} is not that.') from None


def _peek(arguments: Sequence[str], name: str, default: str) -> str:
  """The value of an option before there is a parser for it; the last one counts."""
  value = default
  for argument, following in zip(arguments, [*arguments[1:], default]):
    if argument == f'--{name}':
      value = following
    elif argument.startswith(f'--{name}='):
      value = argument.partition('=')[2]
  return value


def _workdir(experiment: experiments.Experiment) -> str:
  """The run's folder if none is given: named by the agent and, where it has one, the environment's id."""
  factory: Any = experiment.environment
  environment = getattr(factory, 'id', None) or getattr(factory, '__name__', 'environment')
  return options_lib.default_workdir(experiment.agent, environment, experiment.seed)
