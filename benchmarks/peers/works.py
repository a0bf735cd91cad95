"""What tfacme and its peers are compared on: the same environment, sizes, batch, and ratio of updates to steps.

Imports nothing but the standard library: the interpreters of the peers read it too, each in an environment of its own.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Dict, Optional, Tuple


@dataclasses.dataclass(frozen=True)
class Work:
  """What a contender does.

  Attributes:
    algorithm: its name, in lower case.
    environment: of bsuite if it begins so, else of gymnasium.
    peers: whom tfacme is compared with.
    hidden_sizes: units of the fully connected layers; empty for the network of Mnih et al. 2015.
    lstm: units of an LSTM after them; 0 is a network without memory.
    environments: that are stepped at once.
    batch: items of an update; of a policy gradient, transitions of a minibatch.
    steps_per_update: environment steps for each update (for PPO, each of its epochs' minibatches is one).
    rows: of PPO, transitions that it learns from at a time, over all environments.
    epochs: how often it does.
    length: rows of a sequence; for R2D2 those that are learned from.
    prioritized: whether items of DQN are of five steps, and sampled by their errors (else of one, alike).
    counted: what a second is counted in: environment steps, or updates where a step makes more items for one contender
      than for another.
    engines: in which tfacme does it too: (engine, actors, slots of each).
    warm: environment steps before anything is measured; the replay has as many when learning begins.
    steps: environment steps that are measured.
  """

  algorithm: str
  environment: str
  peers: Tuple[str, ...]
  hidden_sizes: Tuple[int, ...] = ()
  lstm: int = 0
  environments: int = 1
  batch: int = 256
  steps_per_update: float = 1.0
  rows: int = 0
  epochs: int = 0
  length: int = 0
  prioritized: bool = False
  counted: str = 'steps'
  engines: Tuple[Tuple[str, int, int], ...] = ()
  warm: int = 1_000
  steps: int = 10_000


def _of(work: Work, **changes: Any) -> Work:
  return dataclasses.replace(work, **changes)


_TWO = (('local_mt', 2, 1), ('local_mp', 2, 1))
_DQN = Work('dqn', 'CartPole-v1', ('sb3', 'sbx'), (64, 64), steps_per_update=8, steps=40_000)
_SAC = Work('sac', 'Pendulum-v1', ('sb3', 'sbx'), (256, 256), steps=3_000)
_PPO = Work('ppo', 'CartPole-v1', ('sb3',), (64, 64), rows=2_048, epochs=10, warm=4_096, steps=61_440)
_PONG = Work('dqn', 'ALE/Pong-v5', ('sb3',), batch=32, steps_per_update=4, steps=3_000)
_LSTM = Work('impala', 'bsuite:catch/0', ('acme',), (64, 64), lstm=20, length=20, counted='updates')
_IMPALA = _of(_LSTM, batch=16, steps_per_update=320, steps=20_000)
WORKS: Dict[str, Work] = {
  'dqn-cartpole': _DQN,
  'dqn-catch': _of(_DQN, environment='bsuite:catch/0', peers=('acme',), prioritized=True, engines=_TWO),
  'sac-pendulum': _SAC,
  'td3-pendulum': _of(_SAC, algorithm='td3'),
  'ppo-cartpole-8': _of(_PPO, environments=8, steps_per_update=2_048 / 80),
  'ppo-cartpole-16': _of(_PPO, environments=16, steps_per_update=2_048 / 80),
  'dqn-pong': _PONG,
  'dqn-pong-8': _of(_PONG, environments=8),
  'impala-catch': _IMPALA,
  'impala-catch-16': _of(
    _IMPALA, peers=(), environments=16, steps=80_000, counted='steps', engines=(('local_mp', 2, 16),)
  ),
  'r2d2-catch': _of(_LSTM, algorithm='r2d2', batch=32, steps_per_update=10, steps=5_000),
}


class Window:
  """Measures from when a run has warmed up, and has learned, until it has made its steps.

  Attributes:
    over: whether it has.
  """

  def __init__(self, work: Work):
    self._work = work
    self._begun: Optional[Tuple[float, int, int]] = None
    self._ended: Optional[Tuple[float, int, int]] = None

  @property
  def over(self) -> bool:
    return self._ended is not None

  def __call__(self, steps: int, updates: int) -> None:
    """Is told how many steps and updates a run has made so far."""
    if self._ended is not None:
      return
    if self._begun is None:
      if steps >= 2 * self._work.warm and updates > 0:
        self._begun = time.perf_counter(), steps, updates
    elif steps >= self._begun[1] + self._work.steps:
      self._ended = time.perf_counter(), steps, updates

  def result(self) -> Dict[str, float]:
    """Seconds, steps and updates between the two moments."""
    if self._begun is None or self._ended is None:
      raise RuntimeError('The run ended before it had made its steps.')
    seconds, steps, updates = (after - before for before, after in zip(self._begun, self._ended))
    return {'seconds': seconds, 'steps': steps, 'updates': updates}
