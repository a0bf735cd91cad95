"""Playing whole episodes: for evaluations, in a run and after it, and a limit for callers that play one at a time."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import Any, Callable, Iterator, List, Mapping, NamedTuple, Sequence, Union

import dm_env
import numpy as np
import tree

from tfacme import core, specs
from tfacme.workers import observing, timesteps

_LOG = logging.getLogger('tfacme')
_PIECE_SECONDS = 0.2  # between two stops: environments may take microseconds or seconds
LONG_SECONDS = 10.0  # a longer episode is worth a line

Act = Callable[[core.Nest, np.ndarray], core.Nest]  # actions [N, ...] for observations [N, ...] and `first` [N]


class Result(NamedTuple):
  """The results of several episodes."""

  returns: np.ndarray  # [episodes], the sum of all parts of the reward
  lengths: np.ndarray  # [episodes], steps
  cut: np.ndarray  # bool [episodes], whether the limit of steps ended it: then its return is that of its first steps
  parts: np.ndarray  # [episodes, ...], the return of each part of the reward; `returns` itself if it has no parts
  observed: Mapping[str, float]  # of each column that observers make, the mean over the episodes that have a number
  observed_errors: Mapping[str, float]  # the standard errors of these

  @property
  def mean(self) -> float:
    """The mean return."""
    return float(self.returns.mean())

  @property
  def standard_error(self) -> float:
    """Of the mean; NaN for a single episode."""
    return observing.standard_error(self.returns)

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

  @property
  def episodes_cut(self) -> int:
    """How many of them were cut off."""
    return int(self.cut.sum())


class Playing(NamedTuple):
  """The progress of episodes that are being played."""

  episodes: int  # that have ended
  steps: int  # of the one that has gone on for longest
  seconds: float  # for which it has


@dataclasses.dataclass
class _Episode:
  """One that is in progress, or has ended."""

  parts: np.ndarray  # the return so far, of each part of the reward
  since: float  # on the monotonic clock
  length: int = 0
  cut: bool = False
  observed: Mapping[str, float] = dataclasses.field(default_factory=dict)


class Player:
  """Plays episodes in N environments at once, with one call of the policy for all."""

  def __init__(
    self,
    name: str,
    environments: Sequence[dm_env.Environment],
    spec: specs.EnvironmentSpec,
    max_steps: int,
    observers: Sequence[Callable[[], Any]] = (),
    first: Sequence[Any] = (),
  ):
    """Initializes the player.

    Args:
      name: who plays, for errors.
      environments: N of them; the caller closes them.
      spec: of the environments.
      max_steps: at which an episode is cut off.
      observers: make observers (see `tfacme.observers`), one of each for each environment.
      first: observers of the first environment alone.
    """
    self._name = name
    self._environments = environments
    self._max_steps = max_steps
    self._spec = spec
    slots = len(environments)
    self._observation = tree.map_structure(lambda s: np.zeros((slots, *s.shape), s.dtype), spec.observations)
    self._intake = timesteps.Intake(spec, tree.flatten(self._observation), self._where)
    self._observed = observing.Observers(name, observers, slots)
    self._observers = self._observed.of
    self._observers[0].extend(first)
    self._now: List[_Episode] = []  # of each environment, the episode in progress

  def play(self, act: Act, episodes: int) -> Iterator[Union[Playing, Result]]:
    """Plays, and yields now and then, so that the caller can be interrupted.

    How many episodes each environment plays is fixed before: to take the first ones that end would favour short ones.

    Args:
      act: chooses the actions.
      episodes: how many in all.

    Yields:
      How far it is, and the result last.
    """
    slots = len(self._environments)
    left = [len(range(slot, episodes, slots)) for slot in range(slots)]
    ended: List[List[_Episode]] = [[] for _ in range(slots)]
    self._now = [self._begin(slot) for slot in range(slots)]
    first = np.ones(slots, np.bool_)
    types = specs.ActionTypes(f'The policy of {self._name}', self._spec.actions)
    until = time.monotonic() + _PIECE_SECONDS
    while any(left):
      actions = act(self._observation, first.copy())
      types.check(tree.flatten(actions))
      first[:] = False
      for slot in filter(left.__getitem__, range(slots)):
        if self._step(slot, tree.map_structure(lambda leaf, i=slot: leaf[i].copy(), actions)):
          ended[slot].append(self._now[slot])
          first[slot] = True
          left[slot] -= 1
          if left[slot]:
            self._now[slot] = self._begin(slot)
      if time.monotonic() > until:
        yield self._how_far(left, episodes)
        until = time.monotonic() + _PIECE_SECONDS
    yield self._result([episode for own in ended for episode in own])

  def _begin(self, slot: int) -> _Episode:
    timestep = self._environments[slot].reset()
    episode = _Episode(np.zeros(self._spec.rewards.shape), time.monotonic())
    self._intake.begin(slot, timestep.observation)
    for observer in self._observers[slot]:
      observer.observe_first(self._environments[slot], timestep)
    return episode

  def _step(self, slot: int, action: core.Nest) -> bool:
    """Steps one environment; whether that ended its episode."""
    episode = self._now[slot]
    timestep = self._environments[slot].step(action)
    episode.length += 1
    self._intake.check_reward(slot, timestep)
    self._intake.observe(slot, timestep.observation, timestep.last())
    episode.parts = episode.parts + timestep.reward
    for observer in self._observers[slot]:
      observer.observe(self._environments[slot], action, timestep)
    episode.cut = not timestep.last() and episode.length >= self._max_steps
    over = episode.cut or timestep.last()
    if over:
      episode.observed = self._observed.columns(slot)
    return over

  def _how_far(self, left: Sequence[int], episodes: int) -> Playing:
    longest = min((self._now[slot] for slot, count in enumerate(left) if count), key=lambda e: e.since, default=None)
    if longest is None:
      return Playing(episodes, 0, 0.0)
    return Playing(episodes - sum(left), longest.length, time.monotonic() - longest.since)

  def _result(self, ended: Sequence[_Episode]) -> Result:
    parts = np.array([episode.parts for episode in ended])
    return Result(
      returns=parts.reshape(len(ended), -1).sum(axis=1) if self._spec.rewards.shape else parts,
      lengths=np.array([episode.length for episode in ended]),
      cut=np.array([episode.cut for episode in ended]),
      parts=parts,
      observed=observing.means([episode.observed for episode in ended]),
      observed_errors=observing.standard_errors([episode.observed for episode in ended]),
    )

  def _where(self, slot: int) -> str:
    step = self._now[slot].length if self._now else 0
    return f'{self._name} at step {step} of an episode, environment {slot}'


def play_all(player: Player, act: Act, episodes: int, max_steps: int) -> Result:
  """Plays episodes to their end, outside of a run; warns of long ones, and of those that were cut off."""
  limit = Limit(max_steps)
  for news in player.play(act, episodes):
    if isinstance(news, Result):
      limit.close(news.episodes_cut, news.episodes)
      return news
    limit.look(news.steps, news.seconds)
  raise AssertionError('play ends with a result')


class Limit:
  """Cuts off episodes that do not end, and warns of it; for callers that play one at a time."""

  def __init__(self, max_steps: int):
    self._max_steps = max_steps
    self._since = time.monotonic()
    self._warned = False
    self.cut = 0  # episodes so far

  def begin(self) -> None:
    """A new episode begins."""
    self._since = time.monotonic()
    self._warned = False

  def reached(self, steps: int) -> bool:
    """Whether an episode of so many steps is cut off here."""
    if steps >= self._max_steps:
      self.cut += 1
      return True
    self.look(steps, time.monotonic() - self._since)
    return False

  def look(self, steps: int, seconds: float) -> None:
    """Warns, once, of a long episode."""
    if seconds >= LONG_SECONDS and not self._warned:
      self._warned = True
      _LOG.warning('%s', long_episode(steps, seconds, self._max_steps))

  def close(self, cut: int, episodes: int) -> None:
    """Warns of episodes that were cut off."""
    if cut:
      _LOG.warning('%s', cut_episodes(cut, episodes, self._max_steps))


def long_episode(steps: int, seconds: float, max_steps: int) -> str:
  """The line on an episode in progress."""
  return f'An episode has gone on for {seconds:.0f} s: {steps:,} steps by now; it is cut off at {max_steps:,}.'


def cut_episodes(cut: int, episodes: int, max_steps: int) -> str:
  """The line on episodes that were cut off."""
  which = 'The episode was' if episodes == 1 else f'{cut} of {episodes} episodes were'
  return f'{which} cut off at {max_steps:,} steps (max_episode_steps): a return there is of these steps alone.'
