"""Data sets as `tfds` itself writes them, with whatever fields and flags."""

import numpy as np
import tensorflow_datasets as tfds

from tfacme import datasets

FIELDS = {
  'observation': tfds.features.Tensor(shape=(1,), dtype=np.float64, encoding='bytes'),
  'action': tfds.features.Scalar(np.int64),
  'reward': tfds.features.Scalar(np.float32),
  'is_first': tfds.features.Scalar(np.bool_),
  'is_last': tfds.features.Scalar(np.bool_),
  'is_terminal': tfds.features.Scalar(np.bool_),
}


def write(
  path,
  episodes,
  steps=tfds.features.Dataset,
  metadata=None,
  options=datasets.Options(),
  file_format='tfrecord',
  **features,
):
  """Writes a data set of two episodes a shard, and opens it.

  Args:
    path: the folder, which is made.
    episodes: each {field: values}, with a row for each reward or observation.
    steps: the feature that holds the steps.
    metadata: {name: feature} of the metadata of episodes; values are in the episodes.
    options: how it is read.
    file_format: of the shards.
    **features: of the steps, beside `FIELDS` or in their place; None leaves one out.
  """
  fields = {name: feature for name, feature in {**FIELDS, **features}.items() if feature is not None}
  metadata = metadata or {}
  described = tfds.features.FeaturesDict({'steps': steps(fields), **metadata})
  made = []
  for episode in episodes:
    rows = [{name: _at(episode[name], t) for name in fields} for t in range(len(episode['action']))]
    made.append({'steps': rows, **{name: episode[name] for name in metadata}})
  write_all(path, described, made, file_format)
  return datasets.rlds(path, options=options)


def write_all(path, features, episodes, file_format='tfrecord'):
  """Writes a data set of two episodes a shard, each {'steps': rows, ...} of these features, into a new folder."""
  path.mkdir(parents=True)
  identity = tfds.core.dataset_info.DatasetIdentity('foreign', tfds.core.Version('1.0.0'), str(path), '')
  info = tfds.core.DatasetInfo(builder=identity, features=features)
  writer = tfds.core.SequentialWriter(info, max_examples_per_shard=2, file_format=file_format)
  writer.initialize_splits(['train'])
  for episode in episodes:
    writer.add_examples({'train': [episode]})
  writer.close_all()


def filled(features, transitions, random):
  """An episode of these features with values at random, which was truncated after so many transitions."""
  flags = ('is_first', 'is_last', 'is_terminal')
  ends = lambda t: (t == 0, t == transitions, False)
  row = features['steps'].feature
  steps = [{**_value(row, random), **dict(zip(flags, ends(t)))} for t in range(transitions + 1)]
  return {'steps': steps, **{name: _value(part, random) for name, part in features.items() if name != 'steps'}}


def _value(feature, random):
  if isinstance(feature, tfds.features.FeaturesDict):
    return {name: _value(part, random) for name, part in feature.items()}
  dtype = np.dtype(feature.np_dtype)
  if dtype.kind in 'OSU':
    return 'text'
  if dtype.kind == 'f':
    return random.uniform(0, 1, feature.shape).astype(dtype)
  return random.integers(2, size=feature.shape).astype(dtype)


def rows(transitions, terminal=True, discount=None):
  """An episode of so many transitions and a final observation."""
  count = transitions + 1
  last = np.arange(count) == transitions
  return {
    'observation': np.arange(count, dtype=np.float64)[:, None] / 3,
    'action': np.arange(count) + 5,
    'reward': np.where(last, 0, np.arange(count) + 1).astype(np.float32),
    'is_first': np.arange(count) == 0,
    'is_last': last,
    'is_terminal': last & terminal,
    'discount': np.ones(count, np.float32) if discount is None else np.asarray(discount, np.float32),
    'language': ['go left'] * count,
    'seed': 1,
  }


def _at(values, t):
  if isinstance(values, dict):
    return {name: _at(part, t) for name, part in values.items()}
  return values[t]
