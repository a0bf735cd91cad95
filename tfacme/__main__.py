"""`python -m tfacme`: the `tfacme` command."""

from tfacme import cli

if __name__ == '__main__':
  cli.entry()
