"""Randomness inside networks and updates: `draw()` gives a seed wherever a graph is traced.

A noisy layer, dropout, random quantiles, an augmentation or a target's noise draws by

    noise = tf.random.stateless_normal(shape, networks.draw())

In an actor, an evaluation and an exported policy the seed comes from the context of the call; in a learning step from a
counter that is saved with the learner. So a run repeats, resumes as if it had never been stopped, and no two layers
draw the same numbers. `phase()` says which of these it is, for layers that are random in some of them alone.
"""

from __future__ import annotations

import contextlib
import contextvars
import enum
import re
from typing import Any, Callable, Iterator, Optional

import tensorflow as tf

from tfacme import errors


class Phase(enum.Enum):
  """What a network is called for."""

  LEARNING = 'learning'
  ACTING = 'acting'
  EVALUATION = 'evaluation'  # an exported policy too


class _Source:
  """Where the seeds of one trace come from."""

  def __init__(self, make: Callable[[int], tf.Tensor], phase: Phase):
    self.phase = phase
    self._make = make
    self._graph = tf.compat.v1.get_default_graph() if not tf.executing_eagerly() else None
    self.drawn = 0

  def draw(self) -> tf.Tensor:
    self._check_graph()
    self.drawn += 1
    return self._make(self.drawn - 1)

  def _check_graph(self) -> None:
    """Raises a `UserError` within a graph that may run more than once, where each turn would draw the same numbers."""
    graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    while graph is not None and graph is not self._graph:
      if not _runs_once(graph):
        raise errors.UserError(
          f'networks.draw() is called in {graph.name!r}, a loop or tf.function within the step, each turn of which '
          'would draw the same numbers; wrap the body of a loop in `with networks.drawing(networks.fold(seed, i))`, '
          'where the seed was drawn before the loop, and call networks without a tf.function of their own.'
        )
      graph = graph.outer_graph  # type: ignore[attr-defined]


def _runs_once(graph: Any) -> bool:
  """Whether a graph is a branch, of which each call of the step runs one at most."""
  return _BRANCH.search(graph.name) is not None


_DRAWS = 0x64726177
_BRANCH = re.compile(r'_(true|false|branch\d+)(_\d+)?$')  # as TensorFlow names the graphs of branches

_source: contextvars.ContextVar[Optional[_Source]] = contextvars.ContextVar('draws', default=None)


def draw() -> tf.Tensor:
  """A seed, int32 [2], for a stateless random operation; another one at each call.

  Raises:
    errors.UserError: elsewhere than in a policy or an update that tfacme calls (or within `drawing`).
  """
  return _current('networks.draw() has no seed to give').draw()


def phase() -> Phase:
  """What the network that asks is called for: dropout is for learning alone, and a noisy layer for all but evaluations.

  Raises:
    errors.UserError: as `draw`.
  """
  return _current('networks.phase() has no answer').phase


def _current(what: str) -> _Source:
  source = _source.get()
  if source is None:
    raise errors.UserError(
      f'{what} here: it is for networks, policies and updates while tfacme calls them; elsewhere, call them within '
      '`with networks.drawing(seed)`.'
    )
  return source


def fold(seed: tf.Tensor, number: Any) -> tf.Tensor:
  """A seed, int32 [2], derived from another one and a number."""
  return tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int32), number)


@contextlib.contextmanager
def drawing(seed: Any, phase: Optional[Phase] = None) -> Iterator[None]:
  """Within it, `draw` returns seeds that are derived from this one, int32 [2]: for tests, and for the body of a loop.

  Args:
    seed: int32 [2].
    phase: what networks are called for; None is that of the step around it, and learning if there is none.
  """
  around = _source.get()
  phase = phase or (around.phase if around else Phase.LEARNING)
  # Apart from what whoever has the same seed draws by it, or by what it folds into it.
  token = _source.set(_Source(lambda number: fold(fold(seed, _DRAWS), number), phase))
  try:
    yield
  finally:
    _source.reset(token)


class Randomness(tf.Module):
  """The seeds of all learning steps; its count is saved with the learner.

  The n-th draw of a run is (seed, n), however many steps there are in one call.
  """

  def __init__(self, seed: int):
    super().__init__(name='randomness')
    self._seed = seed
    self._count = tf.Variable(0, trainable=False, dtype=tf.int32, name='count')

  def aside(self) -> contextlib.AbstractContextManager[None]:
    """Around what is no learning step, and leaves the draws of those as they are: a look at a batch."""
    return drawing(tf.stack([tf.constant(self._seed, tf.int32), self._count]))

  @contextlib.contextmanager
  def step(self) -> Iterator[None]:
    """Around one learning step."""
    # Read where it is first needed: most updates draw nothing, and shall not pay for it.
    make = lambda number: tf.stack([tf.constant(self._seed, tf.int32), self._count + number])
    source = _Source(make, Phase.LEARNING)
    token = _source.set(source)
    try:
      yield
    finally:
      _source.reset(token)
    if source.drawn:
      self._count.assign_add(source.drawn)
