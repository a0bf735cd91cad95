"""Logs as runs of Weights & Biases."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import threading
from typing import Any, Dict, Optional, Sequence

import numpy as np
import psutil

from tfacme import errors, importing
from tfacme.loggers import background, base, pictures


@dataclasses.dataclass(frozen=True)
class WandB:
  """Weights & Biases: a run there for each node, all of them in one group; needs `tfacme[trackers]`.

  A run that is resumed goes on there. Its files are in `logs/wandb` in the folder of the run.

  Attributes:
    project: of the runs there.
    entity: a user or a team; None is the user's default.
    mode: 'online', 'offline' or 'disabled'; None is what WANDB_MODE says, or online.
  """

  project: str = 'tfacme'
  entity: Optional[str] = None
  mode: Optional[str] = None

  def __post_init__(self):
    importing.require('wandb', 'loggers.WandB', 'trackers')

  def prepared(self, log: base.Log) -> WandB:
    """With the mode that all processes take, and never to ask for a key in one of them."""
    del log
    import wandb

    mode = self.mode or os.environ.get('WANDB_MODE') or 'online'
    if mode == 'online' and not wandb.api.api_key:
      raise errors.UserError(
        'Weights & Biases has no key of yours: run `wandb login`, or log offline (WANDB_MODE=offline).'
      )
    return dataclasses.replace(self, mode=mode)

  def __call__(self, log: base.Log) -> base.Logger:
    return WandBLogger(self, log)


class WandBLogger:
  """Writes the rows of a node to a run of Weights & Biases, in the background."""

  def __init__(self, options: WandB, log: base.Log):
    self._background = background.Background('Weights & Biases', log.name, _Sink(options, log))

  def write(self, row: base.Row) -> None:
    """Writes one row, against its step."""
    self._background.put({'step': base.step(row), **dict(base.numbers(row))})

  def write_image(self, name: str, images: np.ndarray, step: int) -> None:
    """Writes an episode, uint8 [T, H, W, 3]."""
    self._background.put((name, images, step))

  def close(self) -> None:
    """See `loggers.Logger`."""
    self._background.close()


class _Sink:
  """A run of Weights & Biases as what the background of a node writes to.

  All runs of a process share one process that sends and writes, which is started with the first and ended with the
  last: at the end of this process, the library itself would wait for it without a limit.
  """

  _open = 0  # in this process
  _counting = threading.Lock()
  _starting = threading.Lock()  # or ending what sends; may be held for long

  def __init__(self, options: WandB, log: base.Log):
    import wandb

    self._wandb = wandb
    self._options, self._log = options, log
    self._run: Any = None
    with self._counting:
      _Sink._open += 1

  def begin(self) -> None:
    try:
      with self._starting:  # In several threads at once, each would start a process of its own.
        if self._options.mode != 'disabled':
          self._wandb.setup()
      self._run = _begin(self._options, self._log)
      self._run.define_metric('*', step_metric='step')
    except BaseException:
      self._leave()
      raise

  def write(self, items: Sequence[Any]) -> None:
    for item in items:
      self._run.log(item if isinstance(item, dict) else self._picture(*item))

  def end(self) -> None:
    try:
      self._run.finish()
    finally:
      self._leave()

  def abandon(self) -> None:
    """What the process has not sent is in the folder of the logs, from where `wandb sync` sends it."""
    if self._wandb.run is None:  # None of the user's own either.
      for process in psutil.Process().children():
        if 'wandb' in process.name():
          process.kill()

  def _leave(self) -> None:
    with self._starting:
      with self._counting:
        _Sink._open -= 1
        is_last = not _Sink._open
      if is_last and self._wandb.run is None:
        self._wandb.teardown()  # Waits for the process, which ends with this one.

  def _picture(self, name: str, images: np.ndarray, step: int) -> Dict[str, Any]:
    ending, data = pictures.encoded(images)
    if ending == 'gif':
      return {'step': step, name: self._wandb.Video(io.BytesIO(data), format=ending)}
    return {'step': step, name: self._wandb.Image(images[0])}


def _begin(options: WandB, log: base.Log) -> Any:
  """Begins the run of a node, or goes on with it."""
  import wandb

  return wandb.init(
    project=options.project,
    entity=options.entity,
    mode=options.mode,  # type: ignore[arg-type]
    id=f'{log.run_id}-{log.name}',
    group=log.run_id,
    job_type=re.sub(r'-\d+$', '', log.name),
    name=f'{log.title}: {log.name}',
    config={**log.description},
    dir=log.folder,
    resume='allow' if options.mode == 'online' else None,  # Offline, each start has a folder, and `sync` joins them.
    reinit='create_new',  # Several nodes may share a process.
    # All that it would print or watch of a process, each node would.
    settings=wandb.Settings(console='off', silent=True, x_disable_stats=True, save_code=False),
  )
