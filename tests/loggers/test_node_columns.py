"""The columns that each row has of its node."""

import types

import numpy as np

from tfacme import loggers
from tfacme.loggers import base, node_columns


class Process:
  """Stands for a process; says how often it was looked at."""

  def __init__(self):
    self.looks = 0

  def memory_info(self):
    return types.SimpleNamespace(rss=2**20 * 100 * self.looks)

  def cpu_percent(self):
    self.looks += 1
    return float(self.looks)


def test_they_are_taken_once_a_second_at_most():
  now, inside, process = [10.0], base.MemoryLogger(), Process()
  logger = node_columns.NodeColumns(inside, clock=lambda: now[0], process=process)
  assert process.looks == 1  # what is taken from here on counts
  for time in (10.25, 10.5, 11.2, 11.25, 11.5, 20.0):
    now[0] = time
    logger.write({'loss': 1.0})
  assert [tuple(row) for row in inside.rows] == [('loss', *loggers.COLUMNS)] * 6
  assert [tuple(row.values())[1:] for row in inside.rows] == [
    (0.25, 100.0, 2.0),
    (0.5, 100.0, 2.0),
    (1.2, 100.0, 2.0),
    (1.25, 200.0, 3.0),
    (1.5, 200.0, 3.0),
    (10.0, 300.0, 4.0),
  ]


def test_they_are_those_of_this_process(tmp_path):
  logger = loggers.make_logger((), loggers.Log('learner', str(tmp_path), 'one'))
  block = np.ones((200, 2**20), np.uint8)
  logger.write({'learner_steps': 1})
  logger.close()
  (row,) = loggers.read(tmp_path / 'learner.csv')
  assert block.nbytes / 2**20 <= float(row['memory_mb']) < 2**20
  assert float(row['seconds']) >= 0 and float(row['cpu_percent']) >= 0


def test_pictures_pass(tmp_path):
  seen = []

  class Showing(base.MemoryLogger):
    def write_image(self, name, images, step):
      seen.append((name, images.shape, step))

  log = loggers.Log('evaluator', str(tmp_path), 'one')
  logger = loggers.make_logger((lambda log: base.MemoryLogger(), lambda log: Showing()), log)
  logger.write_image('episode', np.zeros((1, 2, 2, 3), np.uint8), 7)
  logger.close()
  assert seen == [('episode', (1, 2, 2, 3), 7)]
  assert not (tmp_path / 'evaluator.csv').exists()
