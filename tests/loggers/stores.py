"""What trackers have stored, read back by their own libraries."""

from __future__ import annotations

import collections
import glob
import json
import os
from typing import Any, Dict, List, NamedTuple, Tuple


def tensorboard(folder: str) -> Dict[str, List[Tuple[int, Any]]]:
  """{tag: [(step, value)]}: numbers, or the bytes of pictures.

  They are read twice: by the class that scripts use, and by the one with which TensorBoard shows them.
  """
  import tensorflow as tf
  from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator

  events = event_accumulator.EventAccumulator(folder, size_guidance={'scalars': 0, 'images': 0})
  shown = plugin_event_accumulator.EventAccumulator(folder, size_guidance={'tensors': 0})
  events.Reload()
  shown.Reload()
  tags = events.Tags()
  found: Dict[str, List[Tuple[int, Any]]] = {}
  for tag in tags['scalars']:
    found[tag] = [(event.step, event.value) for event in events.Scalars(tag)]
    assert found[tag] == [(event.step, float(tf.make_ndarray(event.tensor_proto))) for event in shown.Tensors(tag)]
  for tag in tags['images']:
    found[tag] = [(event.step, event.encoded_image_string) for event in events.Images(tag)]
    assert found[tag] == [(event.step, tf.make_ndarray(event.tensor_proto)[2]) for event in shown.Tensors(tag)]
  for kind in ('scalars', 'images'):  # the names of plugins too
    assert not tags[kind] or sorted(shown.PluginTagToContent(kind)) == sorted(tags[kind])
  assert sorted(found) == sorted(shown.Tags()['tensors'])  # There is nothing else.
  return found


class MLflowRun(NamedTuple):
  """A run of MLflow: its status, what it was told, and {metric: [(step, value)]}."""

  id: str
  status: str
  tags: Dict[str, str]
  parameters: Dict[str, str]
  metrics: Dict[str, List[Tuple[int, float]]]
  artifacts: List[str]


def mlflow(uri: str, experiment: str = 'tfacme') -> List[MLflowRun]:
  """All runs of an experiment."""
  import mlflow

  client = mlflow.MlflowClient(tracking_uri=uri)
  place = client.get_experiment_by_name(experiment)
  runs = client.search_runs([place.experiment_id]) if place else []
  return [_mlflow_run(client, run) for run in runs]


def _mlflow_run(client: Any, run: Any) -> MLflowRun:
  identity = run.info.run_id
  metrics = {
    name: sorted((metric.step, metric.value) for metric in client.get_metric_history(identity, name))
    for name in run.data.metrics
  }
  folders = [item.path for item in client.list_artifacts(identity) if item.is_dir]
  artifacts = [item.path for folder in folders for item in client.list_artifacts(identity, folder)]
  return MLflowRun(identity, run.info.status, run.data.tags, run.data.params, metrics, artifacts)


class WandBRun(NamedTuple):
  """A run of Weights & Biases: its group, its config, and the rows of its history."""

  group: str
  config: Dict[str, Any]
  rows: List[Dict[str, Any]]
  ended: bool

  def column(self, name: str) -> List[Tuple[int, Any]]:
    """[(step, value)]."""
    return [(row['step'], row[name]) for row in self.rows if name in row]


def wandb(folder: str) -> Dict[str, WandBRun]:
  """{id: run} of what was logged offline into a folder; the files of a run that went on follow each other."""
  from wandb.proto import wandb_internal_pb2
  from wandb.sdk.internal import datastore

  found: Dict[str, WandBRun] = {}
  rows: Dict[str, List[Dict[str, Any]]] = collections.defaultdict(list)
  for path in sorted(glob.glob(os.path.join(folder, 'wandb', 'offline-run-*', 'run-*.wandb'))):
    store = datastore.DataStore()
    store.open_for_scan(path)
    run, ended, history = None, False, []
    while (data := store.scan_data()) is not None:
      record = wandb_internal_pb2.Record()
      record.ParseFromString(data)
      kind = record.WhichOneof('record_type')
      if kind == 'run':
        run = record.run
      ended = ended or kind == 'exit'
      if kind == 'history':
        items = record.history.item
        history.append({item.key or '/'.join(item.nested_key): json.loads(item.value_json) for item in items})
    assert run is not None
    rows[run.run_id] += history
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    found[run.run_id] = WandBRun(run.run_group, config, rows[run.run_id], ended)
  return found
