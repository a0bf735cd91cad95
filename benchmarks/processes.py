"""What benchmarks of runs share: a process that measures alone, those of a run by name, and a row of plots."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any, Dict, Iterator, Mapping, Sequence

_LONGEST_SECONDS = 600.0  # that a measurement may take
_STORY = 3000  # characters of what a command writes of its failure


def apart(module: str, call: str) -> Any:
  """What a call of a module in this package returns, as plain values, from a process and a session of its own."""
  code = f'import json; from benchmarks import {module}; print(json.dumps({module}.{call}))'
  return told([sys.executable, '-c', code], f'{module}.{call}', _LONGEST_SECONDS)


def told(command: Sequence[str], what: str, seconds: float, **options: Any) -> Any:
  """The plain values in the last line that a command says, which has a session of its own.

  Args:
    command: what is run.
    what: it is, for errors.
    seconds: that it may take.
    options: more of `subprocess.Popen`; what it writes to standard error, if that is a pipe, is in the error.
  """
  process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, **options)
  try:
    said, wrong = process.communicate(timeout=seconds)
  finally:
    end_session(process.pid)
    process.wait()
  if process.returncode:
    why = f':\n{wrong[-_STORY:]}' if wrong else '.'
    raise RuntimeError(f'{what} ended with exit code {process.returncode}{why}')
  return json.loads(said.splitlines()[-1])


def end_as_by_interrupt() -> None:
  """Has SIGTERM end this process as Ctrl-C does, so that it ends what it has started."""
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def end_session(session: int) -> None:
  """Ends all of its processes."""
  for pid in list(of_session(session)):
    with contextlib.suppress(ProcessLookupError):
      os.kill(pid, signal.SIGKILL)


def of_session(session: int) -> Iterator[int]:
  """Those of a session that run."""
  for pid in map(int, filter(str.isdigit, os.listdir('/proc'))):
    with contextlib.suppress(OSError):
      if os.getsid(pid) == session and _fields(pid)[0] != 'Z':
        yield pid


def nodes(session: int) -> Dict[str, int]:
  """Those of a session by their names, which are those of its nodes where a process is one's own."""
  named = {}
  for pid in of_session(session):
    with contextlib.suppress(OSError):
      named[pathlib.Path(f'/proc/{pid}/comm').read_text(encoding='utf-8').strip()] = pid
  return named


def seconds(pid: int) -> float:
  """The processor time that one has taken."""
  fields = _fields(pid)
  return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def _fields(pid: int) -> list[str]:
  """What `/proc` says of one, from its state on."""
  return pathlib.Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()


def report(
  path: pathlib.Path,
  results: Sequence[Mapping[str, Any]],
  rows: Sequence[Mapping[str, Any]],
  label: str,
  columns: Mapping[str, str],
) -> None:
  """Writes results, and draws rows: a plot for each column, a line for each `label` of theirs, against their `x`.

  Args:
    path: of both files, without what their names end with.
    results: as they were measured.
    rows: what is drawn of them, in the order of `x`.
    label: what `x` is.
    columns: {name in the rows: title}.
  """
  import matplotlib

  matplotlib.use('Agg')
  from matplotlib import pyplot

  path.parent.mkdir(parents=True, exist_ok=True)
  path.with_suffix('.json').write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')
  figure, axes = pyplot.subplots(1, len(columns), figsize=(3 * len(columns), 3), layout='constrained')
  for axis, (column, title) in zip(axes, columns.items()):
    for name in dict.fromkeys(row['label'] for row in rows):
      line = [row for row in rows if row['label'] == name]
      axis.plot([row['x'] for row in line], [row[column] for row in line], 'o-', label=name)
    axis.set(xscale='log', xlabel=label, title=title, ylim=(0, None))
  axes[0].legend()
  figure.savefig(path.with_suffix('.png'), dpi=100)
