"""The packages that families of environments need and tfacme itself does not."""

import importlib.util

from tfacme import errors


def require(package: str, environment_id: str) -> None:
  """Raises a `UserError` that says what to install, if the `package` of an environment is missing."""
  if not installed(package):
    raise errors.UserError(
      f'{environment_id} needs the package {package}, which is not installed: pip install "tfacme[environments]".'
    )


def installed(package: str) -> bool:
  """Whether the top-level `package` can be imported; does not import it."""
  return importlib.util.find_spec(package) is not None
