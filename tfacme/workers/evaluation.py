"""Episodes of the evaluation policy on frozen variables."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from typing import Any, Callable, Dict, Generator, Iterator, Mapping, Optional, Sequence, Union

import dm_env
import numpy as np

from tfacme import core, errors, experiments, loggers, specs
from tfacme.workers import counting, drawing, fitted_q, keeping, playing, tallies
from tfacme.workers.environment_loop import close_all, episode_columns
from tfacme.workers.variables import VariableClient

EPISODES = 20  # of the last evaluation, unless told otherwise
_FEWEST = 5  # of one before it: by fewer, no curve shows how much they vary
SHARE = 0.25  # of the steps of a run with actors, that all evaluations before the last ones take
# Counts by which a resumed run goes on where its checkpoint left it. One that was stopped while it was played is due
# anew, since they change when it has ended.
_BEGUN = f'{counting.OWN}evaluation_begun'  # the steps of the run at which the newest one began
_DUE = f'{counting.OWN}evaluation_due'  # those at which one was last due, and was played or postponed
_LAST_EPISODES, _LAST_STEPS = f'{counting.OWN}evaluation_episodes', f'{counting.OWN}evaluation_steps'  # of that one


@dataclasses.dataclass(frozen=True)
class EvaluatorParts:
  """What an evaluator is made of.

  Attributes:
    name: of its node.
    environments: played at once.
    spec: of the environments.
    actor: around the evaluation policy.
    variables: of that policy.
    tally: the node's side of the counter.
    logger: gets a row for each evaluation.
    unit: what `every` counts.
    every: steps between evaluations; 0 is only the last.
    budget: steps of the run.
    episodes: of each evaluation.
    max_episode_steps: at which an episode is cut off.
    share: of the steps of the run, in environment steps, that the evaluations before the last one take at most: they
      have fewer episodes where these are long, and wait until five fit. None is no limit.
    observers: make more columns for the log, the means over the episodes.
    estimates: make more columns for it, of the policy alone.
    camera: draws the first episode of each evaluation, for loggers that take pictures; or None.
    on_evaluation: see `experiments.Experiment`.
    keeper: keeps the policies that it plays with; None where they are not the evaluation policy, or the run leaves
      nothing behind.
    keeps_best: whether the policy of the highest mean return is kept.
    clock: seconds; for the columns that tell the time.
  """

  name: str
  environments: Sequence[dm_env.Environment]
  spec: specs.EnvironmentSpec
  actor: core.Actor
  variables: VariableClient
  tally: tallies.Tally
  logger: loggers.Logger
  unit: str
  every: int
  budget: int
  episodes: int
  max_episode_steps: int
  share: Optional[float] = None
  observers: Sequence[Callable[[], Any]] = ()
  estimates: Sequence[fitted_q.Estimate] = ()
  camera: Optional[drawing.Camera] = None
  on_evaluation: Optional[Callable[[experiments.Evaluated], Optional[experiments.Stop]]] = None
  keeper: Optional[keeping.Keeper] = None
  keeps_best: bool = False
  clock: Callable[[], float] = time.time


class Evaluator:
  """Evaluates when the run has taken enough steps, and finally on the final variables; a `core.Worker`.

  What it plays is a function of the counts of the run, so that in one thread it repeats.
  """

  runs_until_blocked = True  # An evaluation has variables that stay as they are, so in one thread it runs whole.

  def __init__(self, parts: EvaluatorParts):
    self.name = parts.name
    self._parts = parts
    self.tally = parts.tally
    self._done = False
    self._environments = list(parts.environments)
    alone = [] if parts.camera is None else [parts.camera]
    self._player = playing.Player(
      parts.name, self._environments, parts.spec, parts.max_episode_steps, parts.observers, alone
    )
    self._playing: Optional[Generator[Union[playing.Playing, playing.Result], None, None]] = None
    self._is_last = False  # whether what it plays is on the final variables
    self._ends = False  # whether it has ended the run: then only the last one is left to play
    self._started = (0.0, 0, 0)  # seconds, actor steps, steps of the run
    self._played = 0.0  # seconds, when all episodes had ended
    self._episodes = 0  # of what it plays
    self.tally.join(['evaluator_episodes', 'evaluator_steps', _BEGUN, _DUE, _LAST_EPISODES, _LAST_STEPS])
    self._next = self._after(self.tally.counts[_DUE])

  def step(self, wait: float) -> core.Outcome:
    """Plays a piece of an evaluation if one is due."""
    if self._done:
      return core.Progress.DONE
    self.tally.refresh()
    steps = self.tally.total(self._parts.unit)
    last = self.tally.phase >= counting.PHASES.index('evaluator')
    if self._playing is None and not self._begins(steps, last):
      if wait:
        time.sleep(wait)
      return core.Blocked('the next evaluation', idle=True)
    begun = self._parts.clock()
    outcome = self._play()
    self.tally.hold(self._parts.clock() - begun)
    return outcome

  def _begins(self, steps: int, last: bool) -> bool:
    """Begins an evaluation if one is due."""
    if not last and (self._ends or steps < self._next or steps >= self._parts.budget):
      return False  # With the budget spent, only the last one is of variables that nothing else is evaluated on.
    episodes = self._parts.episodes if last else self._affordable(steps)
    if episodes:
      self._is_last, self._episodes = last, episodes
      self._begin(steps)
    else:
      self._count(due=steps)
    return episodes > 0

  def _count(self, due: int, **counts: int) -> None:
    """Counts one that was due, and tells the counter before a checkpoint can be written."""
    self.tally.counts.update({_DUE: due, **counts})
    self.tally.report()
    self._next = self._after(due)

  def _affordable(self, steps: int) -> int:
    """How many episodes take its share of the steps since the last evaluation, if they are as long as those so far.

    None, if that is too few.
    """
    parts, counts = self._parts, self.tally.counts
    if parts.share is None:
      return parts.episodes
    acted = self.tally.total('actor_steps') / max(1, self.tally.total('actor_episodes'))
    length = counts[_LAST_STEPS] / max(1, counts[_LAST_EPISODES])
    fitting = int(parts.share * (steps - counts[_BEGUN]) / max(1.0, acted, length))
    return min(parts.episodes, fitting) if fitting >= _FEWEST else 0

  def _play(self) -> core.Outcome:
    """Plays a piece."""
    news = next(self._playing)  # type: ignore[arg-type]
    if isinstance(news, playing.Playing):
      self._tell(news)
      return core.Progress.PART
    self._playing = None
    self._log(news)
    return self._finish() if self._is_last else core.Progress.DID

  def _after(self, steps: int) -> float:
    """When the next one is due. The one at the end of the budget is the last one, on the final variables."""
    every = self._parts.every
    due = (steps // every + 1) * every if every else math.inf
    return due if due < self._parts.budget else math.inf

  def _begin(self, steps: int) -> None:
    parts = self._parts
    parts.variables.update_and_wait()
    self._started = (parts.clock(), self.tally.total('actor_steps'), steps)

    def act(observation: core.Nest, first: np.ndarray) -> core.Nest:
      return parts.actor.act(observation, first, steps)[0]

    if parts.camera is not None:
      parts.camera.begin()
    self._playing = self._pieces(self._player.play(act, self._episodes), steps)

  def _pieces(
    self, pieces: Iterator[Union[playing.Playing, playing.Result]], steps: int
  ) -> Generator[Union[playing.Playing, playing.Result], None, None]:
    """An evaluation piece by piece: how far it is, and last its result, with the columns of all estimates."""
    for news in pieces:
      if isinstance(news, playing.Playing):
        yield news
        continue
      self._played, columns = self._parts.clock(), {}
      for estimate in self._parts.estimates:
        with contextlib.closing(estimate(steps)) as estimated:
          for made in estimated:
            columns.update(made or {})
            yield playing.Playing(news.episodes, 0, 0.0)
      yield news._replace(observed={**news.observed, **columns})

  def _tell(self, news: playing.Playing) -> None:
    """Reports its progress to displays."""
    parts = self._parts
    self.tally.notes['evaluating'] = {**news._asdict(), 'of': self._episodes, 'max_steps': parts.max_episode_steps}
    self.tally.report()

  def _log(self, result: playing.Result) -> None:
    parts, steps = self._parts, int(result.lengths.sum())
    self.tally.add('evaluator_episodes', result.episodes)
    self.tally.add('evaluator_steps', steps)
    now = parts.clock()
    row: Dict[str, Any] = {
      'actor_steps': self._started[1],
      'actor_episodes': self.tally.total('actor_episodes'),
      'learner_steps': parts.variables.version,
      'evaluator_episodes': self.tally.counts['evaluator_episodes'],
      'evaluator_steps': self.tally.counts['evaluator_steps'],
      **episode_columns(result.parts.mean(axis=0), float(result.lengths.mean())),
      'episode_return_standard_error': result.standard_error,
      'episode_return_minimum': result.minimum,
      'episode_return_maximum': result.maximum,
      'episodes_cut': result.episodes_cut,
      **result.observed,
      'steps_per_second': float(result.lengths.sum()) / max(self._played - self._started[0], 1e-9),
      'timestamp': now,
    }
    parts.logger.write(row)
    if parts.camera is not None:
      loggers.write_image(parts.logger, 'episode', parts.camera.images(), self._started[1] or row['learner_steps'])
    self.tally.notes.update(
      evaluating=None, evaluation_return=result.mean, evaluation_columns=dict(result.observed), evaluation_cut=None
    )
    if result.episodes_cut:
      cut = playing.cut_episodes(result.episodes_cut, result.episodes, parts.max_episode_steps)
      self.tally.notes['evaluation_cut'] = (
        f'{self.name} after {self._started[1] or row["learner_steps"]:,} steps: {cut}'
      )
    begun = self._started[2]
    self._tell_user(begun, row)
    self._count(due=begun, **{_BEGUN: begun, _LAST_EPISODES: result.episodes, _LAST_STEPS: steps})

  def _tell_user(self, steps: int, row: Mapping[str, Any]) -> None:
    """Keeps the best policy, and calls the user's own function, which may end the run."""
    parts = self._parts
    if parts.keeper is not None and parts.keeps_best:
      parts.keeper.keep_if_best(row, steps)
    if parts.on_evaluation is None:
      return

    def keep(name: str) -> None:
      if parts.keeper is None:
        raise errors.UserError(
          f'The evaluation {parts.name!r} can not keep a policy: its run leaves nothing behind, or it plays with the '
          'behaviour policy.'
        )
      parts.keeper.keep(name, row, steps)

    answer = parts.on_evaluation(experiments.Evaluated(parts.name, steps, row, keep))
    if answer is None:
      return
    if not isinstance(answer, experiments.Stop):
      raise errors.UserError(f'on_evaluation returned {answer!r}, and has to return None or a tfacme.Stop(reason).')
    self.tally.counter.end(answer.reason)
    self._ends = True

  def _finish(self) -> core.Outcome:
    self._parts.logger.close()  # Before: once all have finished, the run ends.
    self.tally.report(finished=True)
    self._done = True
    self.close()
    return core.Progress.DONE

  def close(self) -> None:
    """See `core.Worker`."""
    self._parts.logger.close()
    if self._playing is not None:
      self._playing.close()
    close_all(self._environments)
