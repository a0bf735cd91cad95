"""From what an experiment says of its loggers to the logger of a node."""

from __future__ import annotations

import os
from typing import Callable, Dict, Optional, Sequence, Tuple

from tfacme.loggers import base, csv_logger, node_columns
from tfacme.loggers.mlflow_logger import MLflow
from tfacme.loggers.tensorboard_logger import TensorBoard
from tfacme.loggers.wandb_logger import WandB

# Makes the logger of a node. It may have two methods more, which are called in the process that starts the run:
# `prepared(log)` before any node is made, which returns the maker that all nodes get, and `ended(log, finished)` when
# the run has come to its end, or was stopped.
Maker = Callable[[base.Log], base.Logger]

# Those that a command line can name.
NAMED: Dict[str, Callable[[], Maker]] = {'tensorboard': TensorBoard, 'wandb': WandB, 'mlflow': MLflow}


def make_logger(makers: Sequence[Maker], log: base.Log) -> base.Logger:
  """The logger of a node of this process."""
  return node_columns.NodeColumns(make_writer(makers, log))


def make_writer(makers: Sequence[Maker], log: base.Log) -> base.Logger:
  """Writes rows as they are: into a CSV file, `FOLDER/NAME.csv`, which the run itself reads again, and as makers do."""
  csv = csv_logger.CSVLogger(os.path.join(log.folder, f'{log.name}.csv'))
  return base.Tee([csv, *(make(log) for make in makers)])


def names(makers: Sequence[Maker]) -> Tuple[str, ...]:
  """The names of those makers that have one."""
  return tuple(name for make in makers if (name := _name(make)) is not None)


def chosen(makers: Sequence[Maker], wanted: Sequence[str]) -> Tuple[Maker, ...]:
  """The makers of the given names, as they are among `makers` or else without options, and those without a name."""
  if tuple(wanted) == names(makers):
    return tuple(makers)
  there = {_name(make): make for make in makers}
  named = [there[name] if name in there else NAMED[name]() for name in dict.fromkeys(wanted)]
  return (*named, *(make for make in makers if _name(make) is None))


def _name(make: Maker) -> Optional[str]:
  return next((name for name, kind in NAMED.items() if type(make) is kind), None)
