"""What the toys with data learn from: half of it beside actors; the same rewritten rows from actors and from data."""

import dataclasses

import numpy as np
import tree
from dm_env import specs as dm_specs

import tfacme
from tests.contract import beside, environment, relabelled
from tfacme import core, datasets, specs, testing
from tfacme.replay import packing, relabelling


def test_batches_are_half_replay_and_half_data(tmp_path):
  """Data stands beside the rows of the actors, without an age and with zeros for what their policy adds."""
  experiment = dataclasses.replace(beside.experiment(), budget=tfacme.Budget(actor_steps=200))
  tfacme.train(experiment, str(tmp_path))
  rows = testing.logs(tmp_path)['learner']
  assert {(row['recorded'], row['recorded_have_age'], row['recorded_values']) for row in rows} == {
    ('0.5', '0.0', '0.0')
  }
  assert max(float(row['sample_age']) for row in rows) > 0


@dataclasses.dataclass(frozen=True)
class _Rewritten(relabelled.Builder):
  """The toy, for data that an actor has written."""

  def relabel(self, spec):
    return None

  def extras(self, spec):
    return {'return_to_go': dm_specs.Array((), np.float32)}


def test_data_is_rewritten_as_the_rows_of_actors_are(tmp_path):
  """Batch for batch the same comes from what a writer has rewritten and from raw data that is rewritten on reading."""
  recording = environment.record(60, mistakes=0.5)
  parts = {'budget': tfacme.Budget(learner_steps=200), 'dataset': datasets.memory(recording)}
  tfacme.train(relabelled.experiment(**parts), str(tmp_path / 'read'))
  written = dataclasses.replace(relabelled.experiment(**parts), builder=_Rewritten(), dataset=_written(recording))
  tfacme.train(written, str(tmp_path / 'written'))
  logs = [
    [{k: row[k] for k in ('loss', 'return_to_go')} for row in testing.logs(tmp_path / run)['learner']]
    for run in ('read', 'written')
  ]
  assert logs[0] == logs[1] and len(logs[0]) == 101
  assert float(logs[0][-1]['return_to_go']) > 0
  assert tfacme.load_run(str(tmp_path / 'read')).evaluate(episodes=10).mean >= environment.BEST - 0.5


class _Kept:
  """A writer that keeps what it is given."""

  def __init__(self, codec):
    self.rows, self._codec = [], codec

  def append(self, row, last):
    self.rows.append(tree.map_structure(np.array, self._codec.views(row)[0]))

  def flush(self, wait, everything=False):
    return None


def _written(recording):
  """The episodes as an actor's writer writes them."""
  spec = specs.environment_spec(environment.TwoStates(0))
  relabel = relabelled.Builder().relabel(spec)
  taken, given = (packing.Codec(core.step_spec(spec, extras)) for extras in ((), relabel.extras))
  kept = _Kept(given)
  writer = relabelling.Writer(kept, relabel, taken, given)
  columns = taken.rows(1)
  views = tree.flatten(taken.views(columns)[0])
  for step in (row for episode in recording for row in relabelling.rows(episode)):
    for view, leaf in zip(views, tree.flatten(step)):
      view[0] = leaf
    writer.append({name: column[0] for name, column in columns.items()}, bool(step.last))
  ends = [0, *(i + 1 for i, row in enumerate(kept.rows) if row.last)]
  return datasets.memory(datasets.episode(kept.rows[a:b]) for a, b in zip(ends, ends[1:]))
