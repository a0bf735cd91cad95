"""A page whose learner raises."""

import functools

from tests.programs import broken
from tfacme import launching

if __name__ == '__main__':
  launching.main(functools.partial(broken.experiment, 'raise'))
