"""A run's folder: made and locked, held against what is to run in it, and taken back to a checkpoint."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from typing import Any, Dict, Iterator, Mapping, Optional

from tfacme import checkpoints, errors, experiments, loggers
from tfacme.datasets import folder
from tfacme.replay import reverb_replay, servers
from tfacme.runs import describing, pickles
from tfacme.workers import counting, keeping, learning

EXPERIMENT = 'experiment.pkl'


@contextlib.contextmanager
def made(workdir: str) -> Iterator[None]:
  """Makes the run's folder, if it can be one; an error that is found later leaves no empty folder behind."""
  new = not os.path.exists(workdir)
  try:
    _check_folder(workdir)
    yield
  except errors.UserError:
    if new and os.path.isdir(workdir) and not os.listdir(workdir):
      os.rmdir(workdir)
    raise


@contextlib.contextmanager
def locked(workdir: str) -> Iterator[None]:
  """Locks the folder against other processes; the system releases the lock when this process ends, however it ends."""
  handle = os.open(workdir, os.O_RDONLY)
  try:
    try:
      fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise errors.UserError(
        f'Another process runs in the work directory {workdir}; wait for it, or give another folder.'
      ) from None
    yield
  finally:
    os.close(handle)


def absolute(workdir: str) -> str:
  """The same folder, wherever an environment goes; raises a `UserError` if it is no path of this host."""
  if '://' in workdir:
    raise errors.UserError(
      f'--workdir is {workdir}, and has to be a folder of this host: mount that storage, and give its path here.'
    )
  return os.path.abspath(workdir)


def _check_folder(workdir: str) -> None:
  if os.path.exists(workdir) and not os.path.isdir(workdir):
    raise errors.UserError(f'The work directory {workdir} is a file; give a folder.')
  with errors.writing('The work directory', workdir):
    os.makedirs(workdir, exist_ok=True)
    with tempfile.TemporaryFile(dir=workdir):
      pass
  if not os.path.exists(os.path.join(workdir, describing.FILE)) and os.path.exists(os.path.join(workdir, folder.INFO)):
    raise errors.UserError(f'The work directory {workdir} holds a data set; give a folder for the run.')


def check_same(workdir: str, description: Dict[str, Any]) -> None:
  """Whether the folder can have this run: another one that left nothing makes room for it."""
  if description['record'] == workdir:
    raise errors.UserError(f'{workdir} is the folder of the run: give another one for its recording (--record DIR).')
  path = os.path.join(workdir, describing.FILE)
  if not os.path.exists(path):
    return
  difference = describing.what_differs(describing.read(workdir), description)
  if difference is None:
    return
  if not os.path.isdir(os.path.join(workdir, 'checkpoints')) and not has_begun(workdir):
    for left in (path, *loggers.files(workdir).values()):
      os.remove(left)
    return
  raise errors.UserError(f'The work directory {workdir} holds another experiment, with {difference}')


def run_id(workdir: str) -> Optional[str]:
  """The id that the run in a folder has, which it keeps; None if there is none yet."""
  if not os.path.exists(os.path.join(workdir, describing.FILE)):
    return None
  return describing.read(workdir).get('id')


def is_complete(checkpoint: str, experiment: experiments.Experiment) -> bool:
  """Whether a checkpoint is the last one of a run with this budget."""
  manifest, budget = checkpoints.manifest(checkpoint), experiment.budget.steps
  ended = counting.ended_within(os.path.join(checkpoint, 'counter'), budget)
  return manifest['complete'] and (manifest['steps'] >= budget or ended is not None)


def write(workdir: str, description: Dict[str, Any], experiment: experiments.Experiment) -> None:
  """Writes what the run is: the experiment itself, and its description last."""
  pickles.write(os.path.join(workdir, EXPERIMENT), experiment)
  path = os.path.join(workdir, describing.FILE)
  with open(path + '.partial', 'w', encoding='utf-8') as file:
    json.dump(description, file, indent=2)
  os.replace(path + '.partial', path)


def go_back_to(workdir: str, checkpoint: Optional[str], unit: str, replays: int) -> None:
  """Removes from logs, checkpoints and the replay servers' folders whatever was written after the checkpoint.

  Args:
    workdir: the run's folder.
    checkpoint: to resume from, or None.
    unit: of the budget.
    replays: how many replay servers the run has.
  """
  folder = os.path.join(workdir, 'checkpoints')
  if checkpoint:
    checkpoints.set_aside(folder, checkpoint)
  servers_path = os.path.join(workdir, reverb_replay.SERVER_FOLDER)
  reverb_replay.prepare_restore(checkpoint, servers.names(replays), servers_path)
  checkpoints.remove_partial(folder)
  limits, counts = dict.fromkeys((unit, 'learner_steps'), -1), {}
  if checkpoint:
    saved_counter = os.path.join(checkpoint, 'counter')
    counts = counting.saved_counts(saved_counter)
    limits[unit] = counting.saved_total(saved_counter, unit)
    limits['learner_steps'] = learning.saved_steps(os.path.join(checkpoint, 'learner'))
  logs = loggers.files(workdir)
  for node, path in logs.items():
    _cut_log(path, limits, counts.get(node, {}))
  keeping.keep_logged(workdir, [row for path in logs.values() for row in loggers.read(path)])


def _cut_log(path: str, limits: Mapping[str, int], counts: Mapping[str, int]) -> None:
  """Drops the rows of a log that came after a checkpoint, which has these counts of the run and of the log's node."""
  columns = next(iter(loggers.read(path)), {})
  if 'evaluator_episodes' in columns:  # By its own count: an evaluation that began before it may have ended after it.
    limits = {'evaluator_episodes': counts.get('evaluator_episodes', 0)}
  # What came after it has higher counts; rows of the learner's log may share the actors' count.
  for count, limit in limits.items():
    if count in columns:  # What an agent's own node logs may have none; then it stays.
      loggers.keep_until(path, count, limit)


def has_begun(workdir: str) -> bool:
  """Whether a log has a row."""
  return any(loggers.read(path) for path in loggers.files(workdir).values())
