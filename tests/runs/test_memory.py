"""Whether a run fits into memory, said before it starts."""

import logging

import launchpad as lp
import pytest

from tfacme import errors
from tfacme.graph import nodes
from tfacme.runs import memory

GB = 10**9


def _program(size):
  program = lp.Program('sized')
  node = nodes.ReplayNode(
    'replay', 0, tables=lambda: [], checkpointer=None, client=None, in_process=None, most_bytes=size
  )
  program.add_node(node, label='replay')
  return program


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
  monkeypatch.setattr(memory, 'available', lambda: 24 * GB)


def test_what_is_small_is_no_line():
  assert memory.check(_program(GB - 1), 'inline', True) is None
  assert memory.check(lp.Program('without replay'), 'inline', True) is None


@pytest.mark.parametrize('launch, more', [('inline', ''), ('local_mp', '; Reverb compresses it')])
def test_what_is_large_is_a_line(launch, more, caplog):
  line = memory.check(_program(8 * GB), launch, True)
  assert line.startswith(f'The replay takes up to 8.0 GB of memory, and there are 24.0 GB here{more}')
  assert not caplog.messages


def test_more_than_half_is_a_warning(caplog):
  with caplog.at_level(logging.WARNING, 'tfacme'):
    assert memory.check(_program(13 * GB), 'inline', True) is None
  assert '13.0 GB' in caplog.text and '--config.max-replay-size' in caplog.text and '--stack' in caplog.text


def test_what_can_not_fit_is_refused_where_that_is_known(caplog):
  with pytest.raises(
    errors.UserError, match='takes up to 28.0 GB of memory, and there are 24.0 GB here; make it small'
  ):
    memory.check(_program(28 * GB), 'inline', True)
  with caplog.at_level(logging.WARNING, 'tfacme'):
    memory.check(_program(28 * GB), 'inline', False)  # Somebody has swap, say.
    memory.check(_program(28 * GB), 'local_mt', True)
  assert len(caplog.messages) == 2


@pytest.mark.parametrize(
  'files, limits',
  [
    ({'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/memory.max': '1000\n'}, [1000]),
    (
      {
        'proc/self/cgroup': '0::/user/job\n',
        'sys/fs/cgroup/user/memory.max': '500\n',
        'sys/fs/cgroup/user/job/memory.max': 'max\n',
      },
      [500],
    ),
    (
      {
        'proc/self/cgroup': '5:cpu:/a\n4:memory,hugetlb:/a:b\n',
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
        'sys/fs/cgroup/memory/a:b/memory.limit_in_bytes': '300\n',
      },
      [9223372036854771712, 300],
    ),
    ({'proc/self/cgroup': ''}, []),
    ({}, []),
  ],
)
def test_limits_of_the_system(files, limits, tmp_path):
  for name, text in files.items():
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
  assert list(memory._limits(str(tmp_path))) == limits


def test_this_machine_has_some(monkeypatch):
  monkeypatch.undo()
  assert 10**8 < memory.available() < 10**16
