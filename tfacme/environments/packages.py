"""The packages that families of environments need and tfacme itself does not."""

from tfacme import importing


def require(package: str, environment_id: str) -> None:
  """Raises a `UserError` that says what to install, if the `package` of an environment is missing."""
  importing.require(package, environment_id, 'environments')
