"""What all tests share."""

import gc
import os

import hypothesis
import pytest

# JAX, of which the parity tests take their reference, would set it to 1 here, and so for processes that tests start.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile('any machine', deadline=None)
hypothesis.settings.load_profile('any machine')


@pytest.fixture(scope='module', autouse=True)
def _what_stays():
  """TensorFlow keeps the graphs of all tests: the garbage collector looks through those of one module alone."""
  yield
  gc.collect()
  gc.freeze()
