"""Episodes of the evaluation policy on frozen variables."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import dm_env
import numpy as np
import tree

from tfacme import core, errors
from tfacme.loggers import Logger
from tfacme.workers import counting
from tfacme.workers.environment_loop import close_all, episode_columns
from tfacme.workers.variables import VariableClient

_PIECE_SECONDS = 0.2  # between two stops: environments may take microseconds or seconds


class Result(NamedTuple):
  """Returns of several episodes."""

  returns: np.ndarray  # [episodes]
  lengths: np.ndarray  # [episodes], steps

  @property
  def mean(self) -> float:
    """The mean return."""
    return float(self.returns.mean())

  @property
  def standard_error(self) -> float:
    """Of the mean; 0 for a single episode."""
    count = len(self.returns)
    return float(self.returns.std(ddof=1) / math.sqrt(count)) if count > 1 else 0.0

  @property
  def minimum(self) -> float:
    """The lowest return."""
    return float(self.returns.min())

  @property
  def maximum(self) -> float:
    """The highest return."""
    return float(self.returns.max())

  @property
  def episodes(self) -> int:
    """How many there were."""
    return len(self.returns)


def run_episodes(
  environments: Sequence[dm_env.Environment],
  act: Callable[[core.Nest, np.ndarray], core.Nest],
  episodes: int,
) -> Result:
  """Plays episodes, in all environments at once; see `play`."""
  for result in play(environments, act, episodes):
    if result is not None:
      return result
  raise AssertionError('play ends with a result')


def play(
  environments: Sequence[dm_env.Environment],
  act: Callable[[core.Nest, np.ndarray], core.Nest],
  episodes: int,
) -> Iterator[Optional[Result]]:
  """Plays episodes, in all environments at once, and stops now and then, so that whoever plays can be interrupted.

  How many episodes each environment plays is settled before: to take the first ones that end would favour short ones.

  Args:
    environments: N of them.
    act: actions [N, ...] for observations [N, ...] and `first` [N].
    episodes: how many in all.

  Yields:
    None while it plays, and the result last.
  """
  slots = len(environments)
  left = [len(range(slot, episodes, slots)) for slot in range(slots)]
  timesteps: List[Any] = [environment.reset() for environment in environments]
  first = np.ones(slots, np.bool_)
  returns, lengths = np.zeros(slots), np.zeros(slots, np.int64)
  ended: List[List[Tuple[float, int]]] = [[] for _ in range(slots)]
  until = time.monotonic() + _PIECE_SECONDS
  while any(left):
    observation = tree.map_structure(lambda *leaves: np.stack(leaves), *[t.observation for t in timesteps])
    actions = act(observation, first.copy())
    first[:] = False
    for slot in filter(left.__getitem__, range(slots)):
      action = tree.map_structure(lambda leaf, i=slot: leaf[i].copy(), actions)
      timestep = timesteps[slot] = environments[slot].step(action)
      returns[slot] += np.sum(timestep.reward)
      lengths[slot] += 1
      if timestep.last():
        ended[slot].append((returns[slot], lengths[slot]))
        returns[slot], lengths[slot], first[slot] = 0.0, 0, True
        left[slot] -= 1
        if left[slot]:
          timesteps[slot] = environments[slot].reset()
    if time.monotonic() > until:
      yield None
      until = time.monotonic() + _PIECE_SECONDS
  pairs = [pair for own in ended for pair in own]
  yield Result(np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs]))


@dataclasses.dataclass(frozen=True)
class EvaluatorParts:
  """What an evaluator is made of.

  Attributes:
    name: of its node.
    environments: played at once.
    actor: around the evaluation policy.
    variables: of that policy.
    tally: the node's side of the counter.
    logger: gets a row for each evaluation.
    unit: what `every` counts.
    every: steps between evaluations; 0 is only the last.
    budget: steps of the run.
    episodes: of each evaluation.
    clock: seconds; for the columns that tell the time.
  """

  name: str
  environments: Sequence[dm_env.Environment]
  actor: core.Actor
  variables: VariableClient
  tally: counting.Tally
  logger: Logger
  unit: str
  every: int
  budget: int
  episodes: int
  clock: Callable[[], float] = time.time


class Evaluator:
  """Evaluates when the run has come far enough, and once more on the final variables; a `core.Worker`."""

  goes_on = True  # An evaluation has variables that stay as they are, so in one thread it runs whole.

  def __init__(self, parts: EvaluatorParts):
    self.name = parts.name
    self._parts = parts
    self.tally = parts.tally
    self._done = False
    self._environments = list(parts.environments)
    self._playing: Optional[Iterator[Optional[Result]]] = None
    self._is_last = False  # whether what it plays is on the final variables
    self._started = (0.0, 0)  # seconds, actor steps
    self.tally.join(['evaluator_episodes'])
    self._next = self._after(self.tally.total(parts.unit))

  def step(self, wait: float) -> core.Outcome:
    """Plays a piece of an evaluation if one is due."""
    if self._done:
      return core.Progress.DONE
    self.tally.hear()
    steps = self.tally.total(self._parts.unit)
    last = self.tally.phase >= counting.PHASES.index('evaluator')
    if self._playing is None:
      if not last and steps < self._next:
        if wait:
          time.sleep(wait)
        return core.Blocked('the next evaluation', idle=True)
      self._is_last, self._next = last, self._after(steps)
      self._begin()
    result = next(self._playing)  # type: ignore[arg-type]
    if result is None:
      return core.Progress.DID
    self._playing = None
    self._log(result)
    return self._finish() if self._is_last else core.Progress.DID

  def _after(self, steps: int) -> float:
    """When the next one is due. The one at the end of the budget is the last one, on the final variables."""
    every = self._parts.every
    due = (steps // every + 1) * every if every else math.inf
    return due if due < self._parts.budget else math.inf

  def _begin(self) -> None:
    parts = self._parts
    parts.variables.update_and_wait()
    steps = self.tally.total('actor_steps')
    self._started = (parts.clock(), steps)

    def act(observation: core.Nest, first: np.ndarray) -> core.Nest:
      return parts.actor.act(observation, first, steps)[0]

    self._playing = play(self._environments, act, parts.episodes)

  def _log(self, result: Result) -> None:
    parts = self._parts
    if not np.isfinite(result.returns).all():
      raise errors.NonFiniteError(
        f'{self.name} after {self._started[1]} environment steps: a return is {result.mean}. The environment gave a '
        'reward that is not finite; look at its simulation and at the bounds of the actions it is given.'
      )
    self.tally.add('evaluator_episodes', result.episodes)
    now = parts.clock()
    row: Dict[str, Any] = {
      'actor_steps': self._started[1],
      'actor_episodes': self.tally.total('actor_episodes'),
      'learner_steps': parts.variables.version,
      'evaluator_episodes': self.tally.total('evaluator_episodes'),
      **episode_columns(np.array(result.mean), float(result.lengths.mean())),
      'episode_return_standard_error': result.standard_error,
      'episode_return_minimum': result.minimum,
      'episode_return_maximum': result.maximum,
      'steps_per_second': float(result.lengths.sum()) / max(now - self._started[0], 1e-9),
      'timestamp': now,
    }
    parts.logger.write(row)
    self.tally.notes['evaluation_return'] = result.mean

  def _finish(self) -> core.Outcome:
    self.tally.report(finished=True)
    self._done = True
    self.close()
    return core.Progress.DONE

  def close(self) -> None:
    """See `core.Worker`."""
    self._parts.logger.close()
    close_all(self._environments)
