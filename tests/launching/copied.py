"""What a node does whose environment has processes of its own."""

import multiprocessing
import os
import pathlib


def work(path: str) -> None:
  """Writes the name of the process that this one was forked from, and how processes of its own could be started."""
  parent = pathlib.Path(f'/proc/{os.getppid()}/comm').read_text().strip()
  pathlib.Path(path).write_text(f'{parent}\n')
  for way in ('fork', 'forkserver', 'spawn'):
    process = multiprocessing.get_context(way).Process(target=_tell, args=(path, way))
    process.start()
    process.join(60)


def _tell(path: str, way: str) -> None:
  with open(path, 'a', encoding='utf-8') as file:
    file.write(f'{way}\n')
