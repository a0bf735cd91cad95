"""What makes the loggers of one run, from its beginning to its end."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from typing import Iterator, List, Sequence

from tfacme.loggers import background, base, factory


class OfRun:
  """The makers of a run's loggers, which all its nodes share.

  They are prepared when the run begins, and not before all of it is known to fit: a tracker may begin a run with that.
  What is sent to another process after that has them so.
  """

  def __init__(self, makers: Sequence[factory.Maker], log: base.Log):
    """Prepares nothing yet.

    Args:
      makers: of the experiment.
      log: of the run, without the name of a node.
    """
    self._makers = tuple(makers)
    self._log = log
    self._prepared: List[factory.Maker] = []

  @property
  def run_id(self) -> str:
    """Of the run, made once; the same when it is resumed."""
    return self._log.run_id

  def is_here(self) -> bool:
    """Whether this process has the run's folder, so that it can write logs there."""
    if not self._log.description:  # Whoever runs a program without `train` has one machine, and no such file.
      return True
    try:
      with open(os.path.join(os.path.dirname(self._log.folder), 'experiment.json'), encoding='utf-8') as file:
        return json.load(file)['id'] == self.run_id
    except (OSError, ValueError, KeyError):  # It is not there, not ours to read, or of something else.
      return False

  def logger(self, name: str) -> base.Logger:
    """The logger of a node in this process."""
    return factory.make_logger(self._latest(), dataclasses.replace(self._log, name=name))

  def written(self, name: str) -> base.Logger:
    """Writes the rows of a node, maybe of another host, which have all of their columns."""
    return factory.make_writer(self._latest(), dataclasses.replace(self._log, name=name))

  def _latest(self) -> Sequence[factory.Maker]:
    """The makers, prepared where they have been."""
    return (*self._prepared, *self._makers[len(self._prepared) :])

  def prepare(self) -> None:
    """Prepares those that ask for it; `running` does so as well."""
    for make in self._makers[len(self._prepared) :]:
      self._prepared.append(make.prepared(self._log) if hasattr(make, 'prepared') else make)

  @contextlib.contextmanager
  def running(self, stop_seconds: float) -> Iterator[None]:
    """Around a run: prepares the makers, and tells those at its end whether it has come to that by itself.

    Before that, it waits for what nodes of this process have left to write in the background. If one of the makers
    can't be prepared, those before it are told of an end too.

    Args:
      stop_seconds: for which it waits if the run has not come to its end.
    """
    finished = False
    try:
      self.prepare()
      yield
      finished = True
    finally:
      background.wait(background.CLOSE_SECONDS if finished else stop_seconds)
      for make in self._makers[: len(self._prepared)]:
        if hasattr(make, 'ended'):
          make.ended(self._log, finished)
