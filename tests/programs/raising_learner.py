"""A page whose learner raises."""

import functools

from tests.programs import broken
from tfacme import cli

if __name__ == '__main__':
  cli.run_page(functools.partial(broken.experiment, 'raise'))
