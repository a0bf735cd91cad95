"""What the README says can be done, can be done."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / 'README.md').read_text()


def _blocks(language):
  return re.findall(rf'```{language}\n(.*?)```', README, flags=re.DOTALL)


def _commands():
  return [line for block in _blocks('sh') for line in block.splitlines() if line.strip()]


def test_its_make_targets_exist():
  targets = [command.split()[1] for command in _commands() if command.startswith('make ')]
  assert targets == ['demo', 'test']
  makefile = (ROOT / 'Makefile').read_text()
  for target in [*targets, 'test-all', 'format', 'build-files', 'lock']:
    assert re.search(rf'^{target}:', makefile, flags=re.MULTILINE), target


def test_its_links_lead_somewhere():
  for text in (README, (ROOT / 'CONTRIBUTING.md').read_text()):
    for link in re.findall(r'\]\((?!http)([^)#]+)\)', text):
      assert (ROOT / link).exists(), link


@pytest.mark.slow
def test_its_commands_run(tmp_path):
  for name in ('programs', 'benchmarks'):
    (tmp_path / name).symlink_to(ROOT / name)
  path = f'{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
  commands = [command for command in _commands() if not command.startswith('make ')]
  assert len(commands) >= 10
  for command in commands:
    ended = subprocess.run(
      command, shell=True, cwd=tmp_path, env={**os.environ, 'PATH': path}, capture_output=True, text=True, timeout=200
    )
    assert ended.returncode == 0, f'{command}\n{ended.stderr}'
  for made in ('curve.png', 'catch.gif', 'graph.svg', 'policy/saved_model.pb', 'page/policy/saved_model.pb'):
    assert (tmp_path / 'runs' / made).exists(), made


@pytest.mark.slow
def test_its_python_runs(tmp_path):
  (block,) = _blocks('python')
  ended = subprocess.run([sys.executable, '-c', block], cwd=tmp_path, capture_output=True, text=True, timeout=200)
  assert ended.returncode == 0, ended.stderr
  assert float(ended.stdout.strip().splitlines()[-1]) >= 0.9
