"""What a logger is, what it logs, and the two that write no files."""

from __future__ import annotations

import dataclasses
import os
import secrets
from typing import Any, Dict, Iterator, List, Mapping, Optional, Protocol, Sequence, Tuple, Union

import numpy as np

# One row of a log. All rows of a log have the same columns.
Row = Mapping[str, Union[int, float, str, Any]]


@dataclasses.dataclass(frozen=True)
class Log:
  """The log of a node: what those who make its loggers are told.

  Attributes:
    name: of the node, such as 'actor-0', 'learner' or 'evaluator'.
    folder: of all logs of the run.
    run_id: of the run, made once; the same when it is resumed.
    description: of the run, as its `experiment.json` has it; may be empty.
    start: steps of the run before this log, in the unit of its budget; 0 unless it is resumed.
  """

  name: str
  folder: str
  run_id: str
  description: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  start: int = 0

  @classmethod
  def of_run(cls, folder: str, description: Optional[Mapping[str, Any]] = None, start: int = 0) -> Log:
    """The log of the run in a folder, without the name of a node; its id is the description's, or a new one."""
    description = description or {}
    return cls('', os.path.join(folder, 'logs'), description.get('id') or secrets.token_hex(8), description, start)

  @property
  def title(self) -> str:
    """Of the run: 'dqn on bsuite:catch/0, seed 0'."""
    told = self.description
    return f'{told["agent"]} on {told["environment"]}, seed {told["seed"]}' if 'agent' in told else self.run_id


class Logger(Protocol):
  """Takes the rows of one log.

  It may also have a method `write_image(name, images, step)`, which takes an episode as pictures, uint8 [T, H, W, 3].
  """

  def write(self, row: Row) -> None:
    """Writes one row."""
    ...

  def close(self) -> None:
    """No row may follow: what is pending is written out, or soon will be (see `wait`). May be called twice."""
    ...


class MemoryLogger:
  """Keeps its rows in memory, for notebooks and for runs without a folder.

  Attributes:
    rows: all rows so far, the oldest first.
  """

  def __init__(self):
    self.rows: List[Dict[str, Any]] = []

  def write(self, row: Row) -> None:
    """Keeps a copy of the row."""
    self.rows.append(dict(row))

  def close(self) -> None:
    """Does nothing; the rows stay."""


class Tee:
  """Writes each row to several loggers, and pictures to those that take them."""

  def __init__(self, loggers: Sequence[Logger]):
    self._loggers = tuple(loggers)

  def write(self, row: Row) -> None:
    """Writes one row to each of them, in order."""
    for logger in self._loggers:
      logger.write(row)

  def write_image(self, name: str, images: np.ndarray, step: int) -> None:
    """Writes pictures, uint8 [T, H, W, 3], to each of those that take them."""
    for logger in self._loggers:
      write_image(logger, name, images, step)

  def close(self) -> None:
    """Closes all of them."""
    for logger in self._loggers:
      logger.close()


def write_image(logger: Logger, name: str, images: np.ndarray, step: int) -> None:
  """Writes an episode, uint8 [T, H, W, 3], to a logger if it takes pictures."""
  if hasattr(logger, 'write_image'):
    logger.write_image(name, images, step)  # type: ignore[attr-defined]


def step(row: Row) -> int:
  """Where a row stands in its run: at its `actor_steps`, or its `learner_steps` where there are no actors."""
  return int(row.get('actor_steps') or row.get('learner_steps') or 0)


def numbers(row: Row) -> Iterator[Tuple[str, float]]:
  """The columns of a row that a tracker draws: all numbers but the time, which trackers note by themselves."""
  for name, value in row.items():
    if name != 'timestamp' and not isinstance(value, str):
      yield name, float(value)
