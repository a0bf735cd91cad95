"""The back ends of replay."""

import pytest

from tests.replay import replay_testing


@pytest.fixture(scope='session')
def reverb_backend():
  """Servers that stay until all tests are done: with new ones a reader once waited for half a minute."""
  backend = replay_testing.ReverbBackend()
  yield backend
  backend.stop()


@pytest.fixture(params=['numpy', 'beside', 'reverb'])
def backend(request):
  """Each of the back ends in turn."""
  if request.param == 'reverb':
    return request.getfixturevalue('reverb_backend')
  return replay_testing.NumpyBackend() if request.param == 'numpy' else replay_testing.BesideBackend()
