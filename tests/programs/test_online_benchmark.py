"""How soon SAC learns with recorded data: the table by hand, and two ways once, with tiny budgets."""

import dataclasses
import json
import pathlib

import pytest

import tfacme
from benchmarks import online
from tests.pages import ROOT
from tfacme import environments
from tfacme.runs import describing


def test_the_table_has_where_an_evaluation_is_good_enough(tmp_path):
  for name, returns in (
    ('alone-seed0', [-900, -90, -300, -80]),
    ('alone-seed1', [-900, -101]),
    ('cql-expert-seed1', [-50]),
  ):
    rows = [f'{250 * i},{value}' for i, value in enumerate(returns)]
    (tmp_path / f'{name}.csv').write_text('\n'.join(['actor_steps,episode_return', *rows, '']))
  lines = online._table(sorted(tmp_path.glob('*.csv')), random=-1000.0, expert=0.0).splitlines()
  assert 'a return of -100 or more' in lines[0]
  assert lines[2:] == [
    '| way | seed 0 | seed 1 |',
    '|---|---|---|',
    '| `alone` | 250 (-900; -300; -80 after 750) | - (-900; -101 after 250) |',
    '| `cql-expert` |  | 0 (-50; -50; -50 after 0) |',
  ]


def test_results_of_other_settings_are_made_anew_and_left_out_of_the_table(tmp_path, monkeypatch, capsys):
  options = online.Options(
    data='nowhere', out=str(tmp_path), ways=('alone', 'cql-half-medium'), seeds=(0,), told=str(tmp_path / 'told.json')
  )
  (tmp_path / 'told.json').write_text(json.dumps({'pendulum': {'random': -1000.0, 'expert': 0.0}}))
  runs = []

  def run(way, seed, options, workdir):
    """Leaves what a run does, at once."""
    runs.append(way)
    experiment, _ = online._experiments(way, seed, options)
    logs = pathlib.Path(workdir) / 'logs'
    logs.mkdir(parents=True, exist_ok=True)
    (logs / 'evaluator.csv').write_text('actor_steps,episode_return\n0,-50\n')
    (logs.parent / 'experiment.json').write_text(json.dumps(describing.describe(experiment, 'inline')))
    return workdir

  monkeypatch.setattr(online, '_run', run)
  online.main(options)
  assert runs == ['alone', 'cql-half-medium']
  online.main(options)
  assert len(runs) == 2 and 'left out' not in capsys.readouterr().out

  alone, cql = ({'path': tmp_path / f'{way}-seed0.json'} for way in options.ways)
  for one in (alone, cql):
    one['told'] = json.loads(one['path'].read_text())
    assert 'nowhere' not in one['path'].read_text()
  older = {**cql['told'], 'layout': {}, 'config': {**cql['told']['config']}}
  del older['config']['max_gradient_norm'], older['start']  # These were not told, and the first has its default.
  cql['path'].write_text(json.dumps(older))
  online.main(options)
  assert len(runs) == 2
  started = cql['told']['start']
  for changed in (
    {'config': {**cql['told']['config'], 'batch_size': 7}},
    {'dataset_share': 0.25},
    {'evaluations': []},
    {'start': {**started, 'budget': {'learner_steps': 7}}},
  ):
    cql['path'].write_text(json.dumps({**cql['told'], **changed}))
    online.main(dataclasses.replace(options, ways=('alone',)))
    assert f'{cql["path"].with_suffix(".csv")} is left out' in capsys.readouterr().out
    assert 'cql-half-medium' not in (tmp_path / 'README.md').read_text()
    online.main(options)
    assert runs.pop() == 'cql-half-medium' and len(runs) == 2
    assert 'cql-half-medium' in (tmp_path / 'README.md').read_text()
  alone['path'].unlink()
  online.main(options)
  assert runs.pop() == 'alone' and json.loads(alone['path'].read_text()) == alone['told']


def test_the_results_are_those_of_the_settings_of_today():
  folder = ROOT / 'benchmarks/results/online-pendulum'
  there = sorted(folder.glob('*.csv'))
  assert len(there) == 27 and all(online._is_there(path, online.Options(data='nowhere')) for path in there)


@pytest.mark.slow
def test_ways_are_run_once(tmp_path):
  tfacme.record(None, environments.make('gym:Pendulum-v1'), 3, str(tmp_path / 'data' / 'pendulum' / 'medium'))
  (tmp_path / 'told.json').write_text(json.dumps({'pendulum': {'random': -1200.0, 'expert': -150.0}}))
  options = online.Options(
    data=str(tmp_path / 'data'),
    out=str(tmp_path / 'results'),
    ways=('half-medium', 'cql-medium'),
    seeds=(0,),
    steps=510,
    offline_steps=10,
    told=str(tmp_path / 'told.json'),
    workdir=str(tmp_path / 'runs'),
  )
  online.main(options)
  page = (tmp_path / 'results' / 'README.md').read_text()
  assert '| `half-medium` | ' in page and '| `cql-medium` | ' in page
  (tmp_path / 'data').rename(tmp_path / 'gone')
  online.main(options)  # Nothing is left to run.
