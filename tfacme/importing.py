"""What a user names as `package.module:object`: in an installed package, or in the current folder."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any

from tfacme import errors


def search_current_folder() -> None:
  """Makes modules of the current folder importable, as `python -m` does; an installed command does not."""
  folder = os.getcwd()
  if '' not in sys.path and folder not in sys.path:
    sys.path.insert(0, folder)


def exists(module: str) -> bool:
  """Whether the top-level package of `module` can be found, in the current folder too; does not import it."""
  search_current_folder()
  package = module.partition('.')[0]
  return package.isidentifier() and (package in sys.modules or importlib.util.find_spec(package) is not None)


def load(reference: str, kind: str = 'object') -> Any:
  """Imports what `reference` names: `package.module:object`, or a module if there is no colon.

  Args:
    reference: as the user wrote it; the module may be in the current folder.
    kind: what the object is to be, for errors: 'function'.

  Raises:
    errors.UserError: if there is no such module, or no such object in it.
  """
  search_current_folder()
  module, _, path = reference.partition(':')
  value = _import(module, reference)
  for attribute in path.split('.') if path else ():
    if not hasattr(value, attribute):
      public = [name for name in dir(value) if not name.startswith('_')]
      raise errors.unknown(f'{kind} in {module}', path, public)
    value = getattr(value, attribute)
  return value


def _import(module: str, reference: str) -> Any:
  """Imports a module, telling a module that is not there from one that lacks something itself."""
  try:
    return importlib.import_module(module)
  except ModuleNotFoundError as error:
    missing = error.name or ''
    if module == missing or module.startswith(missing + '.'):
      raise errors.UserError(
        f'There is no module {missing!r} for {reference!r}; run in its folder, or install its package.'
      ) from error
    raise errors.UserError(f'{module} imports {missing!r}, which is not installed.') from error


def require(package: str, what: str, extra: str) -> None:
  """Raises a `UserError` that says what to install, if `what` needs a `package` of an extra and it is missing."""
  if not installed(package):
    raise errors.UserError(
      f'{what} needs the package {package}, which is not installed: it comes with the extra {extra} '
      f'(requirements/{extra}.txt of a checkout; README, "In a project of your own").'
    )


def installed(package: str) -> bool:
  """Whether the top-level `package` can be imported; does not import it."""
  return importlib.util.find_spec(package) is not None
