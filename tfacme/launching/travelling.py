"""The modules of a run that no other host has: those that were imported here, and are installed nowhere."""

from __future__ import annotations

import os
import pathlib
import sys
from types import ModuleType
from typing import List, Set


def modules() -> List[str]:
  """The files, and the folders of packages, of the top-level modules that are the user's own.

  These are the imported ones that lie beside the script that runs, in the current folder, or in a folder of PYTHONPATH,
  and were not installed there. The script itself travels within the nodes.
  """
  places, found = _places(), set()
  main = sys.modules.get('__main__')
  for name, module in list(sys.modules.items()):
    if '.' not in name and name != 'tfacme' and module is not main:
      found |= {path for path in _paths(module) if path.parent in places and path.exists()}
  return sorted(map(str, found))


def _places() -> Set[pathlib.Path]:
  """The folders in which a user's own modules are found."""
  script = getattr(sys.modules.get('__main__'), '__file__', None)
  named = [os.getcwd(), *([os.path.dirname(script)] if script else [])]
  named += [folder for folder in os.environ.get('PYTHONPATH', '').split(os.pathsep) if folder]
  return {folder for folder in (pathlib.Path(folder).resolve() for folder in named) if not _is_of_installer(folder)}


def _paths(module: ModuleType) -> Set[pathlib.Path]:
  """Where a top-level module is: its folder if it is a package, of which there may be several, or its file."""
  file = getattr(module, '__file__', None)
  named = list(getattr(module, '__path__', ())) or ([file] if file and file.endswith('.py') else [])
  # By its own name, whatever that is a link to: that is what it is imported by.
  return {path.parent.resolve() / path.name for path in map(pathlib.Path, named)}


def _is_of_installer(folder: pathlib.Path) -> bool:
  """Whether packages were installed into a folder: into an environment, or by `pip install --target`."""
  return folder.name in ('site-packages', 'dist-packages') or any(folder.glob('*.dist-info'))
