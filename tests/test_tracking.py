"""The page on tracking: its code, as a reader would run it, and what is then in each store."""

import subprocess
import sys

import numpy as np
import pytest

from tests import pages
from tests.loggers import stores
from tfacme import loggers

_PAGE = (pages.ROOT / 'docs' / 'tracking.md').read_text(encoding='utf-8')


@pytest.mark.slow
@pytest.mark.parametrize('launch', ['inline', 'local_mp'])
def test_success_and_pictures_in_each_store(launch, tmp_path):
  (code,) = pages.blocks('python', _PAGE)
  assert len(code.splitlines()) < 60
  (tmp_path / 'tracked.py').write_text(code)
  command = [sys.executable, 'tracked.py', '--workdir', 'run', '--launch', launch, '--actors', '2']
  ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=290)
  assert ended.returncode == 0, ended.stderr
  assert 'tfacme:' not in ended.stderr  # No tracker complains.
  logs = tmp_path / 'run' / 'logs'
  (run,) = stores.mlflow(str(tmp_path / 'mlruns'))
  tracked = stores.wandb(str(logs))
  identity = run.tags['tfacme.run_id']
  assert sorted(tracked) == [f'{identity}-{node}' for node in ('actor-0', 'actor-1', 'evaluator', 'learner')]
  assert run.status == 'FINISHED' and all(one.ended and one.group == identity for one in tracked.values())
  for node in ('actor-0', 'actor-1', 'evaluator'):
    rows = loggers.read(str(logs / f'{node}.csv'))
    expected = [(int(row['actor_steps']), float(row['is_success'])) for row in rows]
    assert expected
    scalars = stores.tensorboard(str(logs / node))
    for found in (
      scalars['is_success'],
      run.metrics[f'{node}/is_success'],
      tracked[f'{identity}-{node}'].column('is_success'),
    ):
      np.testing.assert_allclose(sorted(found), sorted(expected), rtol=1e-6)
  assert expected[-1][1] >= 0.5  # It has learned where to go.
  steps = [step for step, _ in expected]
  pictures = scalars['episode']
  assert [step for step, _ in pictures] == steps and all(data.startswith(b'GIF') for _, data in pictures)
  assert sorted(run.artifacts) == sorted({f'evaluator/episode-{step}.gif' for step in steps})
  assert [step for step, _ in tracked[f'{identity}-evaluator'].column('episode/path')] == steps
  assert run.parameters['budget.actor_steps'] == '2000'
  assert tracked[f'{identity}-learner'].config['budget'] == {'actor_steps': 2000}
