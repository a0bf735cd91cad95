"""What many actors cost is measured."""

import json

import pytest

from benchmarks import crowd, processes, scale


@pytest.mark.slow
def test_a_layout_is_measured(tmp_path):
  row = processes.apart('scale', 'measure(2, 1, 2, 1.0)')
  assert (row['environments'], row['actors'], row['relays'], row['replays']) == (2, 2, 1, 2)
  assert all(row[column] > 0 for column in scale.COLUMNS)
  scale.report(tmp_path, [row, {**row, 'environments': 4}])
  assert json.loads((tmp_path / 'scale.json').read_text())[0] == row
  assert (tmp_path / 'scale.png').stat().st_size > 10_000


@pytest.mark.slow
def test_a_crowd_is_answered(tmp_path):
  row = processes.apart('crowd', 'measure(20, 1, crowd.Options(seconds=4.0))')
  # 40 of each a second are asked for; the machine has other things to do.
  assert all(0 < row[f'{what}s_per_second'] < 60 for what in ('pull', 'report', 'write'))
  assert set(row['processors']) == {'learner', 'relay-0', 'counter'} and row['processors_of_clients'] > 0
  assert row['learner_steps_per_second'] > 0
  crowd.report(tmp_path, [row, {**row, 'actors': 40}])
  assert json.loads((tmp_path / 'crowd.json').read_text())[0] == row
