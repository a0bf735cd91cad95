"""MLflow and Weights & Biases, each with a store on the disk."""

import dataclasses
import logging
import threading
import time

import numpy as np
import pytest

from tests.loggers import stores
from tfacme import errors, loggers
from tfacme.loggers import background

_TOLD = {'id': 'one', 'agent': 'dqn', 'environment': 'catch', 'seed': 3, 'config': {'n_step': 5, 'sizes': [64, 32]}}


def _log(folder, name='actor-0', **parts):
  return loggers.Log(name, str(folder), 'one', _TOLD, **parts)


def _write(make, log, steps):
  logger = make(log)
  for step in steps:
    logger.write({'actor_steps': step, 'episode_return': step / 10, 'note': 'text', 'timestamp': 1e9 + step})
  return logger


def test_all_nodes_log_into_one_run_of_mlflow(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  maker = loggers.MLflow(uri='stored', experiment='mine')
  make = maker.prepared(_log(tmp_path))
  monkeypatch.chdir('/')  # Another process may be anywhere.
  nodes = [_write(make, _log(tmp_path, name), steps) for name, steps in (('actor-0', (10, 20)), ('evaluator', (15,)))]
  nodes[1].write_image('episode', np.zeros((2, 4, 4, 3), np.uint8), 15)
  for node in nodes:
    node.close()
  monkeypatch.chdir(tmp_path)
  (run,) = stores.mlflow(str(tmp_path / 'stored'), 'mine')
  assert run.status == 'RUNNING' and run.tags['tfacme.run_id'] == 'one'
  assert run.tags['mlflow.runName'] == 'dqn on catch, seed 3'
  assert run.parameters['config.n_step'] == '5' and run.parameters['config.sizes'] == '[64, 32]'
  assert run.metrics['actor-0/episode_return'] == [(10, 1.0), (20, 2.0)]
  assert run.metrics['evaluator/episode_return'] == [(15, 1.5)]
  columns = ('actor_steps', 'episode_return')  # neither texts nor the time
  assert set(run.metrics) == {f'{node}/{name}' for node in ('actor-0', 'evaluator') for name in columns}
  assert run.artifacts == ['evaluator/episode-15.gif']
  maker.ended(_log(tmp_path), finished=False)
  assert stores.mlflow(str(tmp_path / 'stored'), 'mine')[0].status == 'KILLED'
  again = maker.prepared(_log(tmp_path, start=20))  # The run goes on there too.
  _write(again, _log(tmp_path), (30,)).close()
  maker.ended(_log(tmp_path), finished=True)
  (run,) = stores.mlflow(str(tmp_path / 'stored'), 'mine')
  assert run.metrics['actor-0/episode_return'] == [(10, 1.0), (20, 2.0), (30, 3.0)]
  assert run.status == 'FINISHED'


def test_mlflow_that_is_not_there(tmp_path):
  with pytest.raises(errors.UserError, match='MLflow at nowhere://x can not be used'):
    loggers.MLflow(uri='nowhere://x').prepared(_log(tmp_path))


def test_each_node_is_a_run_of_wandb_in_one_group(tmp_path):
  """Several at once in one process, and one that goes on."""
  make = loggers.WandB(project='mine', mode='offline').prepared(_log(tmp_path))
  nodes = [_write(make, _log(tmp_path, name), steps) for name, steps in (('actor-0', (10, 20)), ('evaluator', (15,)))]
  nodes[1].write_image('episode', np.zeros((2, 4, 4, 3), np.uint8), 15)
  for node in nodes:
    node.close()
    node.close()
  time.sleep(1.1)  # Its folders are named by the second.
  _write(make, _log(tmp_path, start=20), (30,)).close()
  runs = stores.wandb(str(tmp_path))
  assert sorted(runs) == ['one-actor-0', 'one-evaluator']
  assert runs['one-actor-0'].column('episode_return') == [(10, 1.0), (20, 2.0), (30, 3.0)]
  assert runs['one-evaluator'].column('episode_return') == [(15, 1.5)]
  assert 'note' not in runs['one-actor-0'].rows[0]
  for run in runs.values():
    assert run.group == 'one' and run.ended
    assert run.config['config'] == _TOLD['config'] and run.config['seed'] == 3
  (picture,) = tmp_path.glob('wandb/offline-run-*/files/media/videos/*.gif')
  assert picture.read_bytes().startswith(b'GIF')


def test_runs_of_wandb_that_begin_at_once(tmp_path):
  """As the nodes of a run in threads: all share one process that writes, and none is cut short when the last ends."""
  make = loggers.WandB(mode='offline').prepared(_log(tmp_path))
  names = [f'actor-{i}' for i in range(4)]

  def work(name):
    _write(make, _log(tmp_path, name), range(10, 50)).close()

  threads = [threading.Thread(target=work, args=(name,)) for name in names]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  runs = stores.wandb(str(tmp_path))
  assert sorted(runs) == [f'one-{name}' for name in names]
  assert all(run.ended and run.column('episode_return')[-1] == (49, 4.9) for run in runs.values())


def test_wandb_without_a_key(tmp_path, monkeypatch):
  for name in ('WANDB_API_KEY', 'WANDB_MODE'):
    monkeypatch.delenv(name, raising=False)
  monkeypatch.setenv('NETRC', str(tmp_path / 'none'))
  with pytest.raises(errors.UserError, match=r'wandb login.*WANDB_MODE=offline'):
    loggers.WandB().prepared(_log(tmp_path))
  monkeypatch.setenv('WANDB_MODE', 'offline')
  assert loggers.WandB().prepared(_log(tmp_path)) == dataclasses.replace(loggers.WandB(), mode='offline')


def test_nothing_waits_for_a_tracker(caplog):
  written, begins, goes = [], threading.Event(), threading.Event()

  def write(items):
    begins.set()
    goes.wait()
    written.extend(items)

  writing = background.Background('The tracker', 'actor-0', write)
  writing.put(0)
  begins.wait()
  with caplog.at_level(logging.WARNING, 'tfacme'):
    for number in range(1, background._MOST + 100):
      writing.put(number)
  assert caplog.text.count('takes its rows too slowly') == 1 and 'rows of actor-0' in caplog.text
  goes.set()
  writing.close()
  writing.close()
  assert written == list(range(background._MOST + 1))


def test_a_tracker_that_fails_ends_no_run(caplog):
  calls = []

  def write(items):
    calls.append(list(items))
    raise ConnectionError('gone')

  writing = background.Background('The tracker', 'learner', write)
  with caplog.at_level(logging.WARNING, 'tfacme'):
    writing.put(1)
    while not caplog.records:
      time.sleep(0.01)
    writing.put(2)
    writing.close()
  assert calls == [[1]]
  assert 'The tracker, rows of learner: it failed (ConnectionError: gone)' in caplog.text
