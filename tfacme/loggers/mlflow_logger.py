"""Logs as a run of MLflow."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import tempfile
import time
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from tfacme import errors, importing
from tfacme.loggers import background, base, pictures

_LOG = logging.getLogger('tfacme')
_NAMESPACE = 'tfacme'
_TAG = f'{_NAMESPACE}.run_id'
_METRICS = 1_000  # in one request, at most
_PARAMETERS = 100
_VALUE_LENGTH = 500  # of a parameter's value, as older servers take it
_BEGIN_SECONDS = 30.0  # for an answer before the run starts; the library itself goes on trying for minutes
_END_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class MLflow:
  """MLflow: one run there for all nodes, with the metrics `NODE/COLUMN`; needs `tfacme[trackers]`.

  A run that is resumed goes on there. Its hyper-parameters are those of `experiment.json`.

  Attributes:
    uri: of the tracking server, or of a folder; None is what MLFLOW_TRACKING_URI says, or the folder `mlruns`.
    experiment: there, by its name.
  """

  uri: Optional[str] = None
  experiment: str = 'tfacme'

  def __post_init__(self):
    importing.require('mlflow', 'loggers.MLflow', 'trackers')

  def prepared(self, log: base.Log) -> MLflowRun:
    """Finds the run there, or makes it, so that all processes log into one."""
    uri = self._uri()
    try:
      return MLflowRun(uri, background.within(_BEGIN_SECONDS, lambda: self._begin(uri, log)))
    except Exception as error:
      raise errors.UserError(f'MLflow at {uri} can not be used: {error}') from error

  def ended(self, log: base.Log, finished: bool) -> None:
    """Says there that the run has come to its end, or was stopped."""
    try:
      background.within(_END_SECONDS, lambda: self._end(log, 'FINISHED' if finished else 'KILLED'))
    except Exception as error:  # pylint: disable=broad-exception-caught  # The run itself has come to its end.
      _LOG.warning('MLflow was not told of the end of the run (%s).', error)

  def __call__(self, log: base.Log) -> base.Logger:
    return self.prepared(log)(log)

  def _uri(self) -> str:
    """As other processes, which may be in another folder, understand it too."""
    import mlflow

    uri = self.uri or mlflow.get_tracking_uri()
    path = uri[len('file:') :] if uri.startswith('file:') else uri
    is_place = '://' in uri or path.startswith('/') or uri == 'databricks'
    return uri if is_place else os.path.abspath(path)

  def _begin(self, uri: str, log: base.Log) -> str:
    """Finds the run or makes it, and returns its id there."""
    client = _client(uri)
    found = self._find(client, log) or self._create(client, log)
    client.update_run(found, status='RUNNING')
    return found

  def _end(self, log: base.Log, status: str) -> None:
    client = _client(self._uri())
    found = self._find(client, log)
    if found is not None:
      client.set_terminated(found, status)

  def _find(self, client: Any, log: base.Log) -> Optional[str]:
    experiment = client.get_experiment_by_name(self.experiment)
    if experiment is None:
      return None
    found = client.search_runs([experiment.experiment_id], f"tags.`{_TAG}` = '{log.run_id}'", max_results=1)
    return found[0].info.run_id if found else None

  def _create(self, client: Any, log: base.Log) -> str:
    from mlflow import entities, exceptions

    try:
      experiment = client.create_experiment(self.experiment)
    except exceptions.MlflowException:  # It is there, perhaps since a moment.
      experiment = client.get_experiment_by_name(self.experiment).experiment_id
    run = client.create_run(experiment, tags={_TAG: log.run_id}, run_name=log.title)
    values = [entities.Param(_key(name), str(value)[:_VALUE_LENGTH]) for name, value in _flat('', log.description)]
    for first in range(0, len(values), _PARAMETERS):
      client.log_batch(run.info.run_id, params=values[first : first + _PARAMETERS])
    return run.info.run_id


@dataclasses.dataclass(frozen=True)
class MLflowRun:
  """A run of MLflow, to log into from any node.

  Attributes:
    uri: of the tracking server.
    run: by its id there.
  """

  uri: str
  run: str

  def __call__(self, log: base.Log) -> base.Logger:
    return MLflowLogger(self.uri, self.run, log.name)


class MLflowLogger:
  """Writes the rows of a node to a run of MLflow, in the background."""

  def __init__(self, uri: str, run: str, name: str):
    from mlflow import entities

    self._name = name
    self._metric = entities.Metric
    self._background = background.Background(f'MLflow at {uri}', name, _Sink(uri, run, name))

  def write(self, row: base.Row) -> None:
    """Writes one row, against its step."""
    now, step = int(1000 * row.get('timestamp', time.time())), base.step(row)
    self._background.put([self._metric(self._key(name), value, now, step) for name, value in base.numbers(row)])

  def write_image(self, name: str, images: np.ndarray, step: int) -> None:
    """Writes an episode, uint8 [T, H, W, 3], as a file `NODE/NAME-STEP.gif` among the run's artifacts."""
    self._background.put((name, images, step))

  def close(self) -> None:
    """See `loggers.Logger`."""
    self._background.close()

  def _key(self, column: str) -> str:
    return _key(f'{self._name}/{column}')


class _Sink:
  """A run of MLflow as what the background of a node writes to."""

  def __init__(self, uri: str, run: str, name: str):
    self._uri, self._run, self._name = uri, run, name
    self._client: Any = None

  def begin(self) -> None:
    self._client = _client(self._uri)

  def end(self) -> None:
    """The run has more nodes."""

  def abandon(self) -> None:
    """A request that waits does so in this process, and ends with it."""

  def write(self, items: Sequence[Union[List[Any], Tuple[str, np.ndarray, int]]]) -> None:
    """Writes rows, as lists of metrics, and pictures."""
    metrics = [metric for item in items if isinstance(item, list) for metric in item]
    for first in range(0, len(metrics), _METRICS):
      self._client.log_batch(self._run, metrics=metrics[first : first + _METRICS])
    for item in items:
      if isinstance(item, tuple):
        self._write_picture(*item)

  def _write_picture(self, name: str, images: np.ndarray, step: int) -> None:
    ending, data = pictures.encoded(images)
    with tempfile.TemporaryDirectory() as folder:
      path = os.path.join(folder, f'{name}-{step}.{ending}')
      with open(path, 'wb') as file:
        file.write(data)
      self._client.log_artifact(self._run, path, artifact_path=self._name)


def _client(uri: str) -> Any:
  import mlflow

  return mlflow.MlflowClient(tracking_uri=uri)


def _key(name: str) -> str:
  """A name as MLflow takes it."""
  return re.sub(r'[^\w.\-/ ]', '_', name)


def _flat(name: str, value: Any) -> Iterator[Tuple[str, Any]]:
  """The innermost values, with their names: ('config.n_step', 5)."""
  if isinstance(value, Mapping):
    for key, part in value.items():
      yield from _flat(f'{name}.{key}' if name else str(key), part)
  else:
    yield name, value
