"""The rows of a run's nodes at what takes them, on each engine."""

import dataclasses
import json
import os
import re

import pytest

import tfacme
from tests.contract import on_policy
from tfacme import launching, loggers, testing

ENGINES = ['inline', *(pytest.param(name, marks=pytest.mark.slow) for name in ('local_mt', 'local_mp'))]


def _keeping(folder):
  """Appends each row to a file of its node."""

  def keep(name, row):
    with open(os.path.join(folder, f'{name}.jsonl'), 'a', encoding='utf-8') as file:
      print(json.dumps({column: str(value) for column, value in row.items()}), file=file)

  return keep


def _experiment(**parts):
  parts = {'layout': tfacme.Layout(actors=2), 'evaluation': tfacme.Evaluation(every=200, episodes=2), **parts}
  return dataclasses.replace(on_policy.experiment(), **parts)


@pytest.mark.parametrize('launch', ENGINES)
def test_each_row_of_each_node(launch, tmp_path):
  kept = tmp_path / 'kept'
  kept.mkdir()
  experiment = _experiment(loggers=[loggers.EachRow(_keeping(str(kept)))])
  run = tfacme.train(experiment, str(tmp_path / 'run'), launch, progress=False)
  nodes = ('actor-0', 'actor-1', 'evaluator', 'learner')
  assert sorted(path.name for path in kept.iterdir()) == [f'{node}.jsonl' for node in nodes]
  assert not (tmp_path / 'run' / 'logs' / 'learner').exists()  # what TensorBoard would have
  for node in nodes:
    rows = loggers.read(os.path.join(run.workdir, 'logs', f'{node}.csv'))
    assert rows == [json.loads(line) for line in (kept / f'{node}.jsonl').read_text().splitlines()]
    assert all(float(row['memory_mb']) > 50 for row in rows)
    seconds = [float(row['seconds']) for row in rows]
    assert seconds == sorted(seconds) and seconds[0] >= 0


def test_a_run_has_an_id_that_it_keeps(tmp_path):
  experiment = _experiment(budget=tfacme.Budget(actor_steps=400))
  run = tfacme.train(experiment, str(tmp_path / 'one'), progress=False)
  other = tfacme.train(experiment, str(tmp_path / 'two'), progress=False)
  longer = dataclasses.replace(experiment, budget=tfacme.Budget(actor_steps=600), loggers=())
  resumed = tfacme.train(longer, str(tmp_path / 'one'), progress=False)
  ids = [one.description['id'] for one in (run, other, resumed)]
  assert ids[0] == ids[2] != ids[1] and all(re.fullmatch('[0-9a-f]{16}', one) for one in ids)
  assert resumed.description['loggers'] == []


def test_comparisons_leave_out_what_tells_of_time_and_machine(tmp_path):
  tfacme.train(_experiment(), str(tmp_path), progress=False)
  for rows in testing.logs(tmp_path).values():
    assert not {'timestamp', 'steps_per_second', *loggers.COLUMNS} & rows[0].keys()


def test_what_a_function_raises_ends_the_run(tmp_path):
  def refuse(name, row):
    raise ZeroDivisionError(f'{name} {row["learner_steps"]}')

  with pytest.raises(launching.NodeFailed, match='ZeroDivisionError: '):
    tfacme.train(_experiment(loggers=[loggers.EachRow(refuse)]), str(tmp_path), progress=False)
