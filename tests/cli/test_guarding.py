"""Exit codes of commands whose reader, or whose environment, has gone."""

import os
import subprocess
import sys

import pytest

from tfacme.cli import guarding


def test_who_reads_the_output_may_have_enough_of_it():
  code = 'from tfacme.cli import guarding; print(1, flush=True); import time; time.sleep(0.5)\n'
  code += 'sys = __import__("sys"); sys.exit(guarding.guard(lambda: print("x" * 100000, flush=True)))'
  reading, writing = os.pipe()
  process = subprocess.Popen([sys.executable, '-c', code], stdout=writing, stderr=subprocess.PIPE, text=True)
  os.close(writing)
  assert os.read(reading, 1) == b'1'
  os.close(reading)
  process.communicate(timeout=60)
  assert process.returncode in (1, 120)  # 120: Python could not write out the rest either.


def test_a_broken_pipe_of_something_else_is_no_end_without_a_word():
  def talk_to_a_simulator():
    raise BrokenPipeError('the simulator has died')

  with pytest.raises(BrokenPipeError, match='simulator'):
    guarding.guard(talk_to_a_simulator)
