"""Runs pytest on the files that are named, inside a Bazel test: `pytest_test.bzl` starts it."""

import os
import sys
import tempfile

import pytest


def main(arguments) -> int:
  # Bazel starts a test in the folder that holds this repository's files, with hardly an environment.
  scratch = os.environ.get('TEST_TMPDIR') or tempfile.mkdtemp()
  os.environ.setdefault('HOME', scratch)
  os.environ.setdefault('MPLCONFIGDIR', scratch)
  options = ['-c', 'pyproject.toml', '--rootdir', '.', '-p', 'no:cacheprovider', '--basetemp', f'{scratch}/pytest']
  report = os.environ.get('XML_OUTPUT_FILE')
  if report:
    options += ['--junitxml', report]
  return int(pytest.main(options + arguments))


if __name__ == '__main__':
  code = main(sys.argv[1:])
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(code)  # As the command ends: in the libraries' own tear-down threads may hang.
