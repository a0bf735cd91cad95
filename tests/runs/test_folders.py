"""A run's folder, as it is given."""

import os

import pytest

from tfacme import errors
from tfacme.runs import folders


def test_it_stays_the_same_in_another_current_folder():
  assert folders.absolute('runs/one') == os.path.join(os.getcwd(), 'runs', 'one')


@pytest.mark.parametrize('given', ['gs://bucket/run', 's3://bucket/run'])
def test_what_is_no_path_of_this_host_is_refused(given):
  with pytest.raises(errors.UserError, match=f'--workdir is {given}, and has to be a folder of this host: mount that'):
    folders.absolute(given)
