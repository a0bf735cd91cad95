"""What the page on looking into a run shows, happens."""

from __future__ import annotations

import re

import pytest

from tests import pages

PAGE = (pages.ROOT / 'docs' / 'debugging.md').read_text()
FILES = {block.partition('\n')[0][2:]: block for block in pages.blocks('python', PAGE)}


def _run(command, folder, given=''):
  for name, block in FILES.items():
    (folder / name).write_text(block)
  return pages.run(command, folder, given, PYTHONPATH=str(pages.ROOT))


def _command(what):
  (command,) = [command for command in pages.commands(PAGE) if what in command]
  return command


def test_its_mistake_says_where_it_is(tmp_path):
  ended = _run('python wrong.py', tmp_path)
  line = 1 + FILES['wrong.py'].splitlines().index('    return self._values(tf.reshape(observation, [-1, 7]))')
  assert (ended.returncode, ended.stderr.count('\n')) == (2, 1)
  assert re.match('tfacme: The networks can not be made: ', ended.stderr)
  assert f'{tmp_path}/wrong.py, line {line}, in __call__: return self._values(' in ended.stderr
  shown = _run('python wrong.py --debug', tmp_path)
  assert shown.stderr.startswith('Traceback') and shown.stderr.endswith(ended.stderr)
  assert f'line {line}, in __call__' in PAGE


@pytest.mark.slow
def test_its_loss_is_stepped_through(tmp_path):
  ended = _run(_command('looking.py'), tmp_path, 'p transition.returns.shape\nc\n' + 'c\n' * 10_000)
  line = 1 + FILES['looking.py'].splitlines().index('    return losses')
  assert ended.returncode == 0, ended.stderr
  first = ended.stdout.partition('(Pdb)')[2].partition('(Pdb)')[0]
  assert f'looking.py({line})__call__()' in ended.stdout and f'looking.py({line})__call__()' in PAGE
  assert 'TensorShape([64])' in first


@pytest.mark.slow
def test_its_profile_has_a_table_and_a_trace(tmp_path):
  ended = _run(_command('--profile'), tmp_path)
  assert ended.returncode == 0, ended.stderr
  told = PAGE.partition('| part | |')[2]
  for part in re.findall(
    r'(?:environments|resets|acting|variables|writing rows|learning|evaluation|rest) ', ended.stdout
  ):
    assert f'`{part.strip()}`' in told
  assert 'learning' in ended.stdout and list(tmp_path.glob('runs/profiled/profile/**/*.xplane.pb'))
