"""How fast recorded data are read: items a second and memory, beside the ways in which others read them.

python benchmarks/reading.py recipes --megabytes 1000  # items of two rows a second, each way in a process
python benchmarks/reading.py runs --megabytes 100 1000  # a run of TD3+BC: seconds to its first step, waiting, memory

The data are made (rows as those of HalfCheetah, of random numbers, in episodes of 1,000 steps) and deleted afterwards.
`tfacme` and `rlds` read them in bounded memory; `arrays` is all of it in memory, as CORL has it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, Iterator, List, Literal, Optional

import numpy as np
import tyro

from tfacme import core, datasets, loggers

_OBSERVATION, _ACTION, _STEPS = 17, 6, 1_000
_BATCH = 256
_ROW_BYTES = 4 * (_OBSERVATION + _ACTION + 2) + 3  # as they are stored
_TURNS = 3


@dataclasses.dataclass(frozen=True)
class Options:
  """What is measured.

  Attributes:
    what: the recipes side by side, or whole runs.
    megabytes: of the data sets.
    block_megabytes: of the blocks over which tfacme shuffles.
    seconds: for which each recipe is read, in each of three turns.
    learner_steps: of each run.
    folder: where the data are made.
    out: a JSON file for the numbers.
  """

  what: tyro.conf.Positional[Literal['recipes', 'runs', 'recipe']]
  megabytes: List[int] = dataclasses.field(default_factory=lambda: [1_000])
  block_megabytes: int = datasets.Options().block_megabytes
  seconds: float = 10.0
  learner_steps: int = 20_000
  folder: str = tempfile.gettempdir()
  out: Optional[str] = None
  recipe: str = ''
  data: str = ''


def make(path: str, megabytes: int) -> None:
  """Writes a data set of random numbers."""
  random = np.random.default_rng(0)
  rows = _STEPS + 1
  last = np.arange(rows) == _STEPS
  spec, writer = None, None
  for _ in range(max(1, megabytes * 10**6 // (_ROW_BYTES * rows))):
    episode = core.Step(
      observation=random.standard_normal((rows, _OBSERVATION), np.float32),
      action=random.uniform(-1, 1, (rows, _ACTION)).astype(np.float32),
      reward=np.where(last, 0, random.standard_normal(rows, np.float32)).astype(np.float32),
      discount=np.ones(rows, np.float32),
      first=np.arange(rows) == 0,
      last=last,
    )
    if writer is None:
      spec = datasets.memory([episode]).spec()
      writer = datasets.RLDSWriter(path, spec, shard_bytes=128 << 20)
    writer.write(episode)
  assert writer is not None
  writer.close()


def by_tfacme(path: str, options: Options) -> Iterator[int]:
  """What a learner of tfacme calls."""
  from tfacme.replay import items, readers, recorded

  data = datasets.rlds(path)
  source = recorded.Recorded(
    items.Items(2, observations='ends'), _BATCH, data, options.block_megabytes << 20, data.spec()
  )
  opened = readers.open_source(source, readers.Resources(None, (), 0))
  while True:
    opened.read(600.0, 0)
    yield _BATCH


def by_rlds(path: str, options: Options) -> Iterator[int]:
  """Transitions of the library `rlds`, as its own examples make them."""
  del options
  import rlds
  import tensorflow as tf
  import tensorflow_datasets as tfds

  pairs = lambda episode: rlds.transformations.batch(episode['steps'], size=2, shift=1, drop_remainder=True)
  data: Any = tfds.builder_from_directory(path).as_dataset(split='train', shuffle_files=True)
  data = data.flat_map(pairs).shuffle(10_000).batch(_BATCH).prefetch(tf.data.AUTOTUNE)
  for _ in data.repeat().as_numpy_iterator():
    yield _BATCH


def by_tfds(path: str, options: Options) -> Iterator[int]:
  """A loop over episodes and their steps, of which each and the one before are a transition."""
  del options
  import tensorflow_datasets as tfds

  while True:
    data = tfds.builder_from_directory(path).as_dataset(split='train', shuffle_files=True)
    for episode in tfds.as_numpy(data):
      for number, _ in enumerate(episode['steps']):
        yield int(number > 0)


def by_arrays(path: str, options: Options) -> Iterator[int]:
  """All transitions as arrays in memory, of which rows are drawn."""
  del options
  columns: Dict[str, List[np.ndarray]] = {}
  for step in datasets.rlds(path).episodes():
    parts = {'observation': step.observation[:-1], 'next': step.observation[1:], 'action': step.action[:-1]}
    for name, values in {**parts, 'reward': step.reward[:-1], 'discount': step.discount[:-1]}.items():
      columns.setdefault(name, []).append(values)
  arrays = {}
  for name in list(columns):
    arrays[name] = np.concatenate(columns.pop(name))
  random, count = np.random.default_rng(0), len(arrays['reward'])
  while True:
    rows = random.integers(0, count, _BATCH)
    for values in arrays.values():
      values[rows]  # pylint: disable=pointless-statement
    yield _BATCH


_RECIPES: Dict[str, Callable[[str, Options], Iterator[int]]] = {
  'tfacme': by_tfacme,
  'rlds': by_rlds,
  'tfds': by_tfds,
  'arrays': by_arrays,
}


def measure(options: Options) -> Dict[str, float]:
  """Reads by one recipe: seconds to the first item, then items a second, and the largest memory."""
  begun = time.monotonic()
  stream = _RECIPES[options.recipe](options.data, options)
  count = next(stream)
  first = time.monotonic()
  while (now := time.monotonic()) < first + options.seconds:
    count += next(stream)
  return {
    'items_per_second': count / (now - first),
    'seconds_to_first': first - begun,
    'peak_megabytes': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
  }


def recipes(options: Options, data: str) -> Dict[str, Any]:
  """All recipes in turn, each in a process of its own; the medians."""
  turns: Dict[str, List[Dict[str, float]]] = {name: [] for name in _RECIPES}
  for _ in range(_TURNS):
    for name, found in turns.items():
      arguments = ['recipe', '--recipe', name, '--data', data, '--seconds', str(options.seconds)]
      block = ['--block-megabytes', str(options.block_megabytes)]
      ended = subprocess.run(
        [sys.executable, __file__, *arguments, *block], check=True, stdout=subprocess.PIPE, text=True
      )
      found.append(json.loads(ended.stdout.splitlines()[-1]))
  return {
    name: {key: round(statistics.median(turn[key] for turn in found), 2) for key in found[0]}
    for name, found in turns.items()
  }


def run(options: Options, data: str) -> Dict[str, float]:
  """A run of TD3+BC with networks of 256x256 and batches of 256: how long it takes to start, and how long it waits."""
  with tempfile.TemporaryDirectory() as folder:
    begun = time.time()
    command = [sys.executable, '-m', 'tfacme', 'train', 'td3_bc', '--env', 'gym:HalfCheetah-v5', '--dataset', data]
    options_ = ['--learner-steps', str(options.learner_steps), '--evaluators', '0', '--workdir', f'{folder}/run']
    block = ['--dataset.block-megabytes', str(options.block_megabytes)]
    subprocess.run([*command, *options_, *block], check=True, stdout=subprocess.DEVNULL)
    rows = list(loggers.read(os.path.join(folder, 'run', 'logs', 'learner.csv')))
    return {
      'seconds_to_first_step': round(float(rows[0]['timestamp']) - begun, 1),
      'share_of_time_reading': round(float(rows[-1]['reading']), 4),
      'steps_per_second': round(float(rows[-1]['steps_per_second']), 1),
      'peak_megabytes': round(max(float(row['memory_mb']) for row in rows)),
    }


def main(options: Options) -> None:
  """Measures and prints."""
  if options.what == 'recipe':
    print(json.dumps(measure(options)))
    return
  found = {}
  for megabytes in options.megabytes:
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
      data = os.path.join(folder, 'data')
      make(data, megabytes)
      found[f'{megabytes} MB'] = recipes(options, data) if options.what == 'recipes' else run(options, data)
      print(json.dumps(found, indent=2), flush=True)
  if options.out is not None:
    pathlib.Path(options.out).write_text(json.dumps(found, indent=2) + '\n')


if __name__ == '__main__':
  main(tyro.cli(Options, description=__doc__))
