"""The loggers of a run's nodes."""

from __future__ import annotations

import os
from typing import List, Optional

from tfacme.loggers import base, csv_logger, tensorboard_logger


def make_logger(folder: Optional[str], name: str, tensorboard: bool = False) -> base.Logger:
  """The logger of one node.

  Args:
    folder: where the logs of the run are; None keeps the rows in memory.
    name: the node's name, such as 'actor-0', 'learner' or 'evaluator': its rows are in `folder/name.csv`.
    tensorboard: whether TensorBoard events are written to `folder/name/` too.
  """
  if folder is None:
    return base.MemoryLogger()
  loggers: List[base.Logger] = [csv_logger.CSVLogger(os.path.join(folder, f'{name}.csv'))]
  if tensorboard:
    loggers.append(tensorboard_logger.TensorBoardLogger(os.path.join(folder, name)))
  return loggers[0] if len(loggers) == 1 else base.Tee(loggers)
