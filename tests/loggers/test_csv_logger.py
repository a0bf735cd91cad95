"""CSV logs: columns, appending, half-written lines."""

import time

import numpy as np
import pytest

from tfacme import loggers


def test_header_is_the_first_rows_columns(tmp_path):
  path = tmp_path / 'logs' / 'actor-0.csv'
  logger = loggers.CSVLogger(path)
  logger.write({'actor_steps': 10, 'episode_return': np.float32(0.5), 'note': 'a, "b"'})
  logger.write({'note': 'c', 'episode_return': -1.0, 'actor_steps': np.int64(20)})
  assert path.read_text() == 'actor_steps,episode_return,note\n10,0.5,"a, ""b"""\n20,-1.0,c\n'
  logger.close()
  assert loggers.read(path)[0] == {'actor_steps': '10', 'episode_return': '0.5', 'note': 'a, "b"'}


@pytest.mark.parametrize('row', [{'a': 1}, {'a': 1, 'b': 2, 'c': 3}, {'a': 1, 'c': 3}])
def test_other_columns_are_an_error_that_names_them(tmp_path, row):
  logger = loggers.CSVLogger(tmp_path / 'learner.csv')
  logger.write({'a': 1, 'b': 2})
  with pytest.raises(ValueError, match=r'learner\.csv need the same columns.*\[.(b|c).\]'):
    logger.write(row)


def test_an_existing_log_goes_on(tmp_path):
  path = tmp_path / 'learner.csv'
  path.write_text('a,b\n1,2\n3,')
  logger = loggers.CSVLogger(path)
  logger.write({'b': 6, 'a': 5})
  assert path.read_text() == 'a,b\n1,2\n5,6\n'
  with pytest.raises(ValueError, match='same columns'):
    logger.write({'x': 1})


def test_a_half_written_header_is_no_header(tmp_path):
  path = tmp_path / 'learner.csv'
  path.write_text('a,')
  logger = loggers.CSVLogger(path)
  logger.write({'x': 1})
  assert path.read_text() == 'x\n1\n'


def test_keep_until(tmp_path):
  path = tmp_path / 'evaluator.csv'
  path.write_text('actor_steps,episode_return\n100,0.1\n200,0.2\n300,0.3\n40')
  loggers.keep_until(path, 'actor_steps', 200)
  assert path.read_text() == 'actor_steps,episode_return\n100,0.1\n200,0.2\n'
  assert [file.name for file in tmp_path.iterdir()] == ['evaluator.csv']
  loggers.keep_until(tmp_path / 'none.csv', 'actor_steps', 200)
  assert not (tmp_path / 'none.csv').exists()
  with pytest.raises(ValueError, match='no column .learner_steps.'):
    loggers.keep_until(path, 'learner_steps', 200)


def test_reading_leaves_out_a_half_written_line(tmp_path):
  path = tmp_path / 'a.csv'
  path.write_text('a,b\n1,2\n3,4')
  assert loggers.read(path) == [{'a': '1', 'b': '2'}]
  assert loggers.read(tmp_path / 'none.csv') == []


def test_a_row_is_cheap(tmp_path):
  logger = loggers.CSVLogger(tmp_path / 'actor-0.csv')
  row = dict.fromkeys(('actor_steps', 'episodes', 'episode_return', 'episode_length', 'steps_per_second'), 1.25)
  times = []
  for _ in range(20):
    start = time.perf_counter()
    for _ in range(200):
      logger.write(row)
    times.append((time.perf_counter() - start) / 200)
  assert min(times) < 50e-6  # 6 microseconds on a machine at rest


def test_without_a_folder_the_rows_stay_in_memory():
  logger = loggers.MemoryLogger()
  row = {'loss': 1.0}
  logger.write(row)
  row['loss'] = 2.0
  logger.close()
  assert logger.rows == [{'loss': 1.0}]


def test_a_log_without_rows_has_no_file(tmp_path):
  logger = loggers.CSVLogger(tmp_path / 'logs' / 'learner.csv')
  logger.close()
  assert (tmp_path / 'logs').is_dir() and not (tmp_path / 'logs' / 'learner.csv').exists()
  with pytest.raises(ValueError, match='is closed'):
    logger.write({'a': 1})
