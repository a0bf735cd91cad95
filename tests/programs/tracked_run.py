"""A run with a tracker that is slow: `python -m tests.programs.tracked_run WORKDIR ENGINE STEPS`.

What the tracker was told is in `tracker/` of the folder of the logs: the rows of each node, and how the run began and
ended.
"""

import dataclasses
import json
import pathlib
import sys
import time

import tfacme
from tests.contract import on_policy
from tfacme.loggers import background

_SECONDS = 1.0  # for each time that it is told rows


class _Sink:
  """A file with the rows of a node."""

  def __init__(self, path):
    self._path = path

  def begin(self):
    self._path.parent.mkdir(parents=True, exist_ok=True)

  def write(self, items):
    time.sleep(_SECONDS)
    with open(self._path, 'a', encoding='utf-8') as file:
      file.writelines(f'{json.dumps(row)}\n' for row in items)

  def end(self):
    self.write([{'end': True}])

  def abandon(self):
    pass


class _Logger:
  """Writes in the background."""

  def __init__(self, log):
    path = pathlib.Path(log.folder, 'tracker', f'{log.name}.jsonl')
    self._background = background.Background('The tracker', log.name, _Sink(path))

  def write(self, row):
    self._background.put({name: float(value) for name, value in row.items()})

  def close(self):
    self._background.close()


@dataclasses.dataclass(frozen=True)
class Tracker:
  """Makes the loggers, and notes how the run began and ended."""

  def prepared(self, log):
    self._note(log, {'id': log.run_id, 'start': log.start})
    return self

  def ended(self, log, finished):
    self._note(log, {'id': log.run_id, 'finished': finished})

  def __call__(self, log):
    return _Logger(log)

  def _note(self, log, what):
    _Sink(pathlib.Path(log.folder, 'tracker', 'run.jsonl')).begin()
    with open(pathlib.Path(log.folder, 'tracker', 'run.jsonl'), 'a', encoding='utf-8') as file:
      file.write(f'{json.dumps(what)}\n')


def main(workdir: str, engine: str, steps: str) -> None:
  """Runs it; all of it has time to be stopped."""
  experiment = dataclasses.replace(
    on_policy.experiment(),
    budget=tfacme.Budget(actor_steps=int(steps)),
    evaluation=tfacme.Evaluation(every=0, episodes=2),
    checkpointing=tfacme.Checkpointing(every=0, stop_seconds=20.0),
    logging=tfacme.Logging(actor_every=20),
    loggers=[Tracker()],
  )
  tfacme.train(experiment, workdir, launch=engine)


if __name__ == '__main__':
  main(*sys.argv[1:])
