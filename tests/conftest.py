"""What all tests share."""

import fcntl
import gc
import os
import pathlib
import shutil

import hypothesis
import pytest

# JAX, of which the parity tests take their reference, would set it to 1 here, and so for processes that tests start.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

# Commands that are tested have no JAX, as users have none: TensorFlow imports it where it is, for a tenth of a start.
_SHADOWS = str(pathlib.Path(__file__).parent / 'without_jax')
os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, [_SHADOWS, os.environ.get('PYTHONPATH')]))

gc.set_threshold(50_000)  # As in the processes of commands (`startup.collect_less`).

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile('any machine', deadline=None)
hypothesis.settings.load_profile('any machine')


def pytest_collection_modifyitems(items):
  """Slow tests come first in what each process is given: at the end, where they take tests over, those are short."""
  processes = int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', '1'))
  slow = [item for item in items if item.get_closest_marker('slow')]
  fast = [item for item in items if not item.get_closest_marker('slow')]
  share = lambda tests, i: tests[len(tests) * i // processes : len(tests) * (i + 1) // processes]
  items[:] = [item for i in range(processes) for tests in (slow, fast) for item in share(tests, i)]


@pytest.fixture(scope='session')
def made_once(tmp_path_factory):
  """A function from a name, and what fills a folder, to the folder: the first test that asks fills it for all."""
  base = tmp_path_factory.getbasetemp()
  shared = base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base

  def folder(name, make):
    path = shared / f'made-once-{name}'
    with open(f'{path}.made', 'a+', encoding='utf-8') as made:
      fcntl.flock(made, fcntl.LOCK_EX)
      if not made.tell():  # Nobody has, or it failed.
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        make(path)
        made.write('made')
    return path

  return folder


@pytest.fixture(scope='module', autouse=True)
def _what_stays():
  """TensorFlow keeps the graphs of all tests: the garbage collector looks through those of one module alone."""
  yield
  gc.collect()
  gc.freeze()
