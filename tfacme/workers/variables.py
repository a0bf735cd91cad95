"""How the learner's variables reach actors and evaluators."""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from tfacme import core, errors
from tfacme.tensors import compiling, naming


class Answer(Tuple[int, List[Dict[str, tf.Tensor]]]):
  """What a `core.VariableSource` answers: (version, {variable: value} of each name).

  All who ask for the same names of one version are given the same answer, which is packed but once for them.
  """

  def __new__(cls, version: int, values: Sequence[Mapping[str, tf.Tensor]]):
    answer = super().__new__(cls, (version, list(values)))
    answer._lock = threading.Lock()
    answer._packed = None
    return answer

  def packed(self, pack: Callable[[Any], bytes]) -> bytes:
    """What `pack` makes of it, with arrays in the place of tensors; see `remote.Endpoint`."""
    with self._lock:
      if self._packed is None:
        version, values = self
        self._packed = pack((version, [{name: np.asarray(value) for name, value in each.items()} for each in values]))
      return self._packed


def published(update: core.Update, networks: Any = None) -> Dict[str, Dict[str, tf.Variable]]:
  """What an update publishes, {name: {variable: ...}}, with variables named by their places in the agent's networks.

  Raises:
    UserError: it publishes nothing.
  """
  if not hasattr(update, 'published'):
    raise errors.UserError(
      f"{type(update).__name__} has no `published`, in whose 'policy' actors find what they act by."
    )
  return {name: naming.named(value, networks) for name, value in update.published.items()}


def check(update: core.Update, policy: core.Policy, networks: Any) -> None:
  """Raises a `UserError` unless a policy finds its variables, by name and shape, in what an update publishes."""
  given, name = published(update, networks), pulled(policy)
  if name not in given:
    raise errors.UserError(
      f'{type(policy).__name__} pulls {name!r}, and {type(update).__name__} publishes {", ".join(given) or "nothing"}.'
    )
  _matched(naming.named(policy, networks), given[name], f'{type(policy).__name__} pulls {name!r}')


def pulled(policy: core.Policy) -> str:
  """The name under which what a policy acts by is published."""
  return getattr(policy, 'pulls', 'policy')


def _matched(mine: Mapping[str, Any], theirs: Mapping[str, Any], what: str) -> Sequence[str]:
  """For each variable of `mine` the name in `theirs` of the one that has the same name and shape."""
  matched = naming.match(list(mine), list(theirs))
  if matched is None:
    ours, others = ([n for n in one if n not in other] for one, other in ((mine, theirs), (theirs, mine)))
    raise errors.UserError(
      f'{what}, and acts by variables that are not among those: {errors.listed(ours)}, in place of '
      f'{errors.listed(others)}; publish the module by which it acts, or a copy of it.'
    )
  for name, other in matched.items():
    shapes = tuple(theirs[other].shape), tuple(mine[name].shape)
    if shapes[0] != shapes[1]:
      raise errors.UserError(f'{what}, where {other} has the shape {shapes[0]}, and has {shapes[1]} itself.')
  return list(matched.values())


def assign(policy: core.Policy, networks: Any, values: Mapping[str, Any]) -> None:
  """Gives a policy, within the agent's networks, the values of what an update publishes for it, {variable: value}."""
  mine = naming.named(policy, networks)
  order = _matched(mine, values, f'The policy pulls {pulled(policy)!r}')
  for variable, name in zip(mine.values(), order):
    variable.assign(values[name])


class VariableClient:
  """Keeps a policy's variables up to date with those that an update publishes.

  The request for newer variables is pending while the actor continues; where the learner is in the same thread the
  answer is there at once.
  """

  def __init__(self, source: Any, policy: core.Policy, networks: Any = None, period: int = 1):
    """Initializes the client.

    Args:
      source: a `core.VariableSource`, or a client of one, `remote.Remote`.
      policy: whose variables are kept up to date.
      networks: the agent's, by whose parts variables are named.
      period: ask at every so many calls of `update`.
    """
    self._source = source
    self._begin = getattr(source, 'begin', None)  # starts a call; None of a source in the same thread
    self._name = pulled(policy)
    self._names = [self._name]
    self._variables = naming.named(policy, networks)
    self._values = compiling.Values(list(self._variables.values()))
    self._order: Sequence[str] = ()  # the names of the values for `_variables`, once the first ones are there
    self._period = period
    self._calls = 0
    self._pending: Any = None
    self.version = -1

  def update(self) -> None:
    """Takes newer variables if they are there, and asks for more if it is time to."""
    if self.version < 0:  # Nobody acts with variables that the learner never had.
      return self.update_and_wait()
    self._calls += 1
    due = self._calls % self._period == 0
    if self._begin is None:
      if due:
        self._take(self._source.get(self._names, self.version))
      return
    if due and self._pending is None:
      self._pending = self._begin('get', self._names, self.version)
    if self._pending is not None and self._pending.done():
      pending, self._pending = self._pending, None
      self._take(pending.result())

  def update_and_wait(self) -> None:
    """Takes the newest variables there are."""
    self._pending = None
    self._take(self._source.get(self._names, self.version))

  def _take(self, answer: Optional[Answer]) -> None:
    if answer is not None:
      version, (values,) = answer
      if self.version < 0:
        self._order = _matched(self._variables, values, f'The policy pulls {self._name!r}')
      self._values.write([values[name] for name in self._order])
      self.version = version
