"""How soon SAC learns with recorded data: the table by hand, and two ways once, with tiny budgets."""

import json

import pytest

import tfacme
from benchmarks import online
from tfacme import environments


def test_the_table_has_where_an_evaluation_is_good_enough(tmp_path):
  for name, returns in (
    ('alone-seed0', [-900, -90, -300, -80]),
    ('alone-seed1', [-900, -101]),
    ('cql-expert-seed1', [-50]),
  ):
    rows = [f'{250 * i},{value}' for i, value in enumerate(returns)]
    (tmp_path / f'{name}.csv').write_text('\n'.join(['actor_steps,episode_return', *rows, '']))
  lines = online._table(tmp_path, random=-1000.0, expert=0.0).splitlines()
  assert 'a return of -100 or more' in lines[0]
  assert lines[2:] == [
    '| way | seed 0 | seed 1 |',
    '|---|---|---|',
    '| `alone` | 250 (-900; -300; -80 after 750) | - (-900; -101 after 250) |',
    '| `cql-expert` |  | 0 (-50; -50; -50 after 0) |',
  ]


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
