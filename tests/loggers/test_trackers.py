"""MLflow and Weights & Biases, each with a store on the disk."""

import contextlib
import dataclasses
import logging
import threading
import time
import types

import numpy as np
import pytest

from tests.loggers import stores
from tfacme import errors, loggers
from tfacme.loggers import background, mlflow_logger

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
  loggers.wait()
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
  loggers.wait()
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
  loggers.wait()
  time.sleep(1.1)  # Its folders are named by the second.
  _write(make, _log(tmp_path, start=20), (30,)).close()
  loggers.wait()
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
  loggers.wait()
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


class _Tracker:
  """Keeps what it is given; in a method with an error it raises that, in one with an event it waits."""

  def __init__(self, **troubles):
    self.written, self.calls, self._troubles = [], [], troubles

  def begin(self):
    self._come_to('begin')

  def write(self, items):
    self._come_to('write')
    self.written.extend(items)

  def end(self):
    self._come_to('end')

  def abandon(self):
    self._come_to('abandon')

  def _come_to(self, what):
    self.calls.append(what)
    trouble = self._troubles.get(what)
    if isinstance(trouble, threading.Event):
      trouble.wait()
    elif trouble is not None:
      raise trouble


@pytest.mark.parametrize('what', ['begin', 'write', 'end'])
def test_nothing_waits_for_a_tracker(what, caplog):
  event = threading.Event()
  tracker = _Tracker(**{what: event})
  writing = background.Background('The tracker', 'actor-0', tracker)
  with caplog.at_level(logging.WARNING, 'tfacme'):
    for number in range(10):
      writing.put(number)
    writing.close()
    loggers.wait(0.2)
  assert caplog.text.count('The tracker, rows of actor-0: it did not take the last ones in time') == 1
  assert tracker.calls[-1] == 'abandon'
  event.set()  # It comes back when nobody waits any more.
  assert writing.is_over(time.monotonic() + 10)
  assert len(caplog.records) == 1


def test_one_that_is_slow_loses_rows_and_not_the_run(caplog):
  begins, event = threading.Event(), threading.Event()
  tracker = _Tracker(write=event, begin=begins)
  writing = background.Background('The tracker', 'actor-0', tracker)
  with caplog.at_level(logging.WARNING, 'tfacme'):
    for number in range(background._MOST + 100):
      writing.put(number)
  assert caplog.text.count('takes its rows too slowly') == 1 and 'rows of actor-0' in caplog.text
  begins.set()
  event.set()
  writing.close()
  writing.close()
  loggers.wait()
  assert tracker.written == list(range(background._MOST)) and tracker.calls[-1] == 'end'


def test_all_nodes_share_one_deadline(caplog):
  event = threading.Event()
  begun = time.monotonic()
  for number in range(20):
    background.Background('The tracker', f'actor-{number}', _Tracker(begin=event)).close()
  with caplog.at_level(logging.WARNING, 'tfacme'):
    loggers.wait(0.5)
  assert time.monotonic() - begun < 5  # and not 20 times half a second
  assert len(caplog.records) == 20
  event.set()


@pytest.mark.parametrize('finishes', [True, False])
def test_what_is_left_is_written_before_makers_are_told_of_the_end(finishes, tmp_path):
  """Also of a run that is stopped: no resumed run makes the rows before its checkpoint again."""
  tracker, goes = _Tracker(), threading.Event()
  tracker.begin = goes.wait

  class Maker:
    def __call__(self, log):
      writing = background.Background('The tracker', log.name, tracker)
      return types.SimpleNamespace(write=lambda row: writing.put(row['loss']), close=writing.close)

    def ended(self, log, finished):
      tracker.calls.append('finished' if finished else 'stopped')

  logged = loggers.OfRun([Maker()], _log(tmp_path, ''))
  with contextlib.suppress(KeyboardInterrupt), logged.running(stop_seconds=20.0):
    logger = logged.logger('learner')
    for loss in range(3):
      logger.write({'loss': loss})
    logger.close()
    assert not tracker.written
    threading.Timer(0.1, goes.set).start()
    if not finishes:
      raise KeyboardInterrupt
  assert tracker.written == [0, 1, 2]
  assert tracker.calls == ['write', 'end', 'finished' if finishes else 'stopped']


@pytest.mark.parametrize('what', ['begin', 'write', 'end'])
def test_a_tracker_that_fails_ends_no_run(what, caplog):
  tracker = _Tracker(**{what: ConnectionError('gone'), 'abandon': ConnectionError('gone too')})
  with caplog.at_level(logging.WARNING, 'tfacme'):
    writing = background.Background('The tracker', 'learner', tracker)
    writing.put(1)
    while what != 'end' and not caplog.records:
      time.sleep(0.01)
    writing.put(2)
    writing.close()
    loggers.wait()
  assert len(caplog.records) == 1
  assert 'The tracker, rows of learner: it failed (ConnectionError: gone)' in caplog.text
  assert tracker.written == ([1, 2] if what == 'end' else [])
  assert tracker.calls.count('end') == (what != 'begin') and tracker.calls.count('write') == (what != 'begin')


class _GoneWandB:
  """Stands for the library: one of its calls never returns, or raises."""

  run = None

  def __init__(self, what, blocks):
    self._what, self._blocks = what, blocks
    self.calls, self.back = [], threading.Event()

  def init(self, **options):
    self._come_to(f'init {options["id"]}')
    return self

  def define_metric(self, *unused, **options):
    pass

  def log(self, row):
    self._come_to('log')

  def finish(self):
    self._come_to('finish')

  def teardown(self):
    self._come_to('teardown')

  def _come_to(self, call):
    self.calls.append(call)
    if call.startswith(self._what) and not self.back.is_set():
      if not self._blocks:
        raise ConnectionError('gone')
      self.back.wait()


@pytest.mark.parametrize('blocks', [False, True])
@pytest.mark.parametrize('what', ['init', 'log', 'finish', 'teardown'])
def test_wandb_that_is_gone_neither_holds_up_a_run_nor_ends_it(what, blocks, tmp_path, monkeypatch, caplog):
  import wandb

  gone = _GoneWandB(what, blocks)
  for name in ('init', 'teardown'):
    monkeypatch.setattr(wandb, name, getattr(gone, name))
  monkeypatch.setattr(wandb, 'setup', lambda: None)
  with caplog.at_level(logging.WARNING, 'tfacme'):
    nodes = [_write(loggers.WandB(mode='online'), _log(tmp_path, name), (10, 20)) for name in ('actor-0', 'learner')]
    for node in nodes:
      node.close()
    loggers.wait(0.3 if blocks else 20.0)
  # Both in each case; but the last one of a process alone ends the one that sends.
  assert len(caplog.records) == (1 if what == 'teardown' else 2)
  assert ('did not take the last ones in time' if blocks else 'it failed (ConnectionError: gone)') in caplog.text
  assert {'init one-actor-0', 'init one-learner'} <= set(gone.calls)  # Neither waits for the other one's.
  gone.back.set()
  for node in nodes:
    assert node._background.is_over(time.monotonic() + 10)
  assert gone.calls[-1] == 'teardown'


@pytest.mark.parametrize('blocks', [False, True])
def test_mlflow_that_is_gone_holds_up_neither_the_start_nor_the_end(blocks, tmp_path, monkeypatch, caplog):
  back = threading.Event()

  def client(uri):
    back.wait(30.0 if blocks else 0.0)
    raise ConnectionError('gone')

  monkeypatch.setattr(mlflow_logger, '_client', client)
  for name in ('_BEGIN_SECONDS', '_END_SECONDS'):
    monkeypatch.setattr(mlflow_logger, name, 0.2 if blocks else 20.0)
  why = 'there was no answer within 0.2 s' if blocks else 'gone'
  maker = loggers.MLflow(uri='http://localhost:1')
  with pytest.raises(errors.UserError, match=f'MLflow at http://localhost:1 can not be used: {why}'):
    maker.prepared(_log(tmp_path))
  with caplog.at_level(logging.WARNING, 'tfacme'):
    maker.ended(_log(tmp_path), finished=True)
    _write(mlflow_logger.MLflowRun('http://localhost:1', 'run'), _log(tmp_path), (10,)).close()
    loggers.wait(0.2 if blocks else 20.0)
  assert caplog.messages[0] == f'MLflow was not told of the end of the run ({why}).'
  assert 'actor-0: it ' + ('did not take the last ones in time' if blocks else 'failed') in caplog.messages[1]
  back.set()
