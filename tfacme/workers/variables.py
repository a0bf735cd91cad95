"""How the learner's variables reach those who act with them."""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Optional, Sequence

import tensorflow as tf

from tfacme.tensors import compiling


class VariableClient:
  """Keeps a policy's variables up to date with those that an update publishes under a name.

  The request for newer variables is on its way while the actor goes on; where the learner is in the same thread the
  answer is there at once.
  """

  def __init__(self, source: Any, name: str, module: tf.Module, period: int = 1):
    """Initializes the client.

    Args:
      source: a `core.VariableSource`, or a client of one (`remote.begin` tells them apart).
      name: under which the update publishes them.
      module: whose variables are kept up to date.
      period: ask at every so many calls of `update`.
    """
    self._source = source
    self._names = [name]
    self._values = compiling.Values(module.variables)
    self._shapes: Optional[List[Any]] = [tuple(variable.shape) for variable in module.variables]
    self._period = period
    self._calls = 0
    self._pending: Any = None
    self.version = -1

  def update(self) -> None:
    """Takes newer variables if they are there, and asks for more if it is time to."""
    if self.version < 0:  # Nobody acts with variables that the learner never had.
      return self.update_and_wait()
    self._calls += 1
    if self._pending is None and self._calls % self._period == 0:
      self._pending = begin(self._source, 'get', self._names, self.version)
    if self._pending is not None and self._pending.done():
      self._take(self._pending)

  def update_and_wait(self) -> None:
    """Takes the newest variables there are."""
    self._pending = None
    self._take(begin(self._source, 'get', self._names, self.version))

  def _take(self, pending: Any) -> None:
    self._pending = None
    answer = pending.result()
    if answer is not None:
      self.version, (values,) = answer
      if self._shapes is not None:
        self._check([tuple(value.shape) for value in values])
      self._values.write(values)

  def _check(self, shapes: List[Any]) -> None:
    """Holds the first values that come against the variables that take them."""
    if shapes != self._shapes:
      raise ValueError(f'{self._names} has variables of shapes {shapes} in the learner, and {self._shapes} here.')
    self._shapes = None


class _Answered(NamedTuple):
  """The answer of a call that is over, with the two methods of a future that are used."""

  value: Any

  def done(self) -> bool:
    return True

  def result(self) -> Any:
    return self.value


def begin(target: Any, method: str, *args: Any) -> Any:
  """Calls a method, in another node without waiting for the answer, in this one at once."""
  if hasattr(target, 'begin'):
    return target.begin(method, *args)
  return _Answered(getattr(target, method)(*args))


def published_variables(published: Mapping[str, Any]) -> Mapping[str, Sequence[tf.Variable]]:
  """The variables of each published name, in an order that all nodes agree on."""
  return {name: _variables(value) for name, value in published.items()}


def _variables(value: Any) -> List[tf.Variable]:
  return list(value.variables) if isinstance(value, tf.Module) else list(value)
