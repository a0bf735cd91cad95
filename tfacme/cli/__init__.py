"""The `tfacme` command, a thin skin over the public functions of tfacme.

Nothing here imports TensorFlow, which takes seconds: what only talks (`--help`, `agents`, `envs`, an error in an
option) answers at once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Callable, NoReturn, Optional, Sequence

from tfacme.cli import guarding, quiet

if TYPE_CHECKING:
  from tfacme import experiments


def main(arguments: Optional[Sequence[str]] = None) -> int:
  """The `tfacme` command.

  Args:
    arguments: what follows its name; None takes those of this process.

  Returns:
    The exit code: 0, 2 for a user's mistake (said in one line on standard error), 130 after Ctrl-C.
  """
  quiet.silence()
  from tfacme.cli import commands

  return guarding.guard(commands.run, list(sys.argv[1:] if arguments is None else arguments))


def entry() -> NoReturn:
  """The `tfacme` command as a process of its own."""
  guarding.leave(main)


def page(experiment: Callable[..., experiments.Experiment], arguments: Optional[Sequence[str]] = None) -> int:
  """The command line of a page that defines an experiment: runs it, with the options that are given.

  Args:
    experiment: makes the experiment from a seed; what it returns is the default of each option.
    arguments: the options; None takes those of this process.

  Returns:
    The exit code, as that of `main`.
  """
  quiet.silence()
  from tfacme.cli import pages

  return guarding.guard(pages.run, experiment, list(sys.argv[1:] if arguments is None else arguments))


def run_page(experiment: Callable[..., experiments.Experiment]) -> NoReturn:
  """`page` as a process of its own: what a page ends with."""
  guarding.leave(lambda: page(experiment))
