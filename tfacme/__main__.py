"""`python -m tfacme`: the `tfacme` command."""

import sys

from tfacme import cli

if __name__ == '__main__':
  sys.exit(cli.main())
