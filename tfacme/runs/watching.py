"""Watching a policy, or what was recorded: episodes as an animated GIF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Optional

import numpy as np
import tree

from tfacme import core, errors, experiments, specs
from tfacme.runs import film as film_lib
from tfacme.workers import drawing, playing
from tfacme.workers import episodes as episodes_lib

if TYPE_CHECKING:
  import dm_env

_NEAR = 1e-4  # how far an environment's observations may be from recorded ones, in absolute and relative terms


def watch(
  policy: Callable[[Any], Any],
  environment: dm_env.Environment,
  out: str,
  episodes: int = 1,
  max_frames: int = 1000,
  max_episode_steps: int = experiments.MAX_EPISODE_STEPS,
) -> List[float]:
  """Writes episodes of a policy as an animated GIF, with the step and the return so far under each picture.

  The pictures are what the environment draws (`render()`), or the observation where it is an image or a board.

  Args:
    policy: from an observation to an action, with a `reset()` for the start of an episode (`tfacme.load_policy`).
    environment: where it acts.
    out: the file.
    episodes: how many.
    max_frames: pictures in all; what comes later is not shown.
    max_episode_steps: at which an episode is cut off, with a warning.

  Returns:
    The returns of the episodes.

  Raises:
    errors.UserError: if there is nothing to draw, or the file can't be written.
  """
  errors.count('The number of episodes', episodes)
  errors.count('max_episode_steps', max_episode_steps)
  film, returns, limit = film_lib.Film(out, max_frames), [], playing.Limit(max_episode_steps)
  draw: Optional[drawing.Draw] = None
  spec = specs.environment_spec(environment)
  for _ in range(episodes):
    total = 0.0
    for step, moment in enumerate(episodes_lib.moments(policy, environment, spec, limit, 'The animation')):
      draw = draw or drawing.drawer(environment, moment.observation)
      if step:
        total = _added(total, moment.reward)
      film.add(draw, moment.observation, step, total, moment.over)
    returns.append(total)
  limit.close(limit.cut, episodes)
  film.write()
  return returns


def watch_recorded(dataset: Any, out: str, episodes: int = 1, max_frames: int = 1000, seed: int = 0) -> List[float]:
  """Writes recorded episodes as an animated GIF, whose pictures are the observations.

  Args:
    dataset: the episodes.
    out: the file.
    episodes: how many; all, if there are fewer.
    max_frames: pictures in all; what comes later is not shown.
    seed: of the order of the episodes, the first of which are shown.

  Returns:
    The returns of the episodes.

  Raises:
    errors.UserError: if the observations are neither images nor boards, or the file can't be written.
  """
  errors.count('The number of episodes', episodes)
  film, returns = film_lib.Film(out, max_frames), []
  for _, episode in zip(range(episodes), dataset.episodes(seed)):
    first = _observation(episode, 0)
    draw = drawing.of_observation(first)
    if draw is None:
      raise errors.UserError(
        f'There is nothing to watch: the recorded observations, of shape {drawing.shapes(first)}, are neither images '
        'nor boards; an environment in which the same steps can be taken once more draws them (--env ID, --seed N).'
      )
    returns.append(_add(film, episode, draw, range(len(episode.last))))
  film.write()
  return returns


def watch_again(
  dataset: Any, environment: dm_env.Environment, out: str, episodes: int = 1, max_frames: int = 1000
) -> List[float]:
  """Writes recorded episodes as an animated GIF, drawn by an environment in which the same actions are taken.

  An episode that the environment begins is looked for among the recorded ones, and their observations are compared at
  each step: so the environment has to be made as it was for the recording, with the same seed, and no step of it may
  depend on chance beside that.

  Args:
    dataset: the episodes, in the form of the environment (`datasets.fit`).
    environment: in which the actions are taken.
    out: the file.
    episodes: how many of the environment's, one after the other.
    max_frames: pictures in all; what comes later is not shown.

  Returns:
    The returns of the episodes.

  Raises:
    errors.UserError: if no recorded episode begins as the environment does, or goes on as it does; if there is nothing
      to draw, or the file can't be written.
  """
  errors.count('The number of episodes', episodes)
  film, returns = film_lib.Film(out, max_frames), []
  for number in range(episodes):
    observation = environment.reset().observation
    same = (episode for episode in dataset.episodes(seed=0) if _is_near(_observation(episode, 0), observation))
    episode = next(same, None)
    if episode is None:
      raise errors.UserError(
        f'No recorded episode begins as episode {number} of the environment does, so it can not show one: make it as '
        'for the recording, with the same seed (--seed N; tfacme data says which is known of its episodes).'
      )
    returns.append(_add(film, episode, drawing.drawer(environment, observation), _taken(episode, environment)))
  film.write()
  return returns


def _taken(episode: core.Step, environment: dm_env.Environment) -> Iterator[int]:
  """The rows of an episode, while the environment is at them: takes its actions."""
  spec = environment.action_spec()
  actions = [specs.paths(episode.action)[path] for path in specs.paths(spec)]
  yield 0
  for row in range(len(episode.last) - 1):
    timestep = environment.step(tree.unflatten_as(spec, [leaf[row] for leaf in actions]))
    recorded_last = bool(episode.last[row + 1])
    if not _is_near(_observation(episode, row + 1), timestep.observation) or timestep.last() > recorded_last:
      raise errors.UserError(
        f'The environment is elsewhere than the recorded episode after step {row + 1} of the same actions, so it can '
        'not show it: it depends on chance, or is another one.'
      )
    yield row + 1


def _add(film: film_lib.Film, episode: core.Step, draw: drawing.Draw, rows: Any) -> float:
  """Adds rows of an episode to a film; its return."""
  total = 0.0
  for row in rows:
    if row:
      total = _added(total, episode.reward[row - 1])
    film.add(draw, _observation(episode, row), row, total, bool(episode.last[row]))
  return total


def _observation(episode: core.Step, row: int) -> core.Nest:
  return tree.map_structure(lambda leaf: leaf[row], episode.observation)


def _is_near(recorded: core.Nest, observation: core.Nest) -> bool:
  """Whether observations are the same but for rounding."""
  ours, theirs = specs.paths(recorded), specs.paths(observation)
  return ours.keys() == theirs.keys() and all(np.allclose(ours[k], theirs[k], _NEAR, _NEAR) for k in ours)


def _added(total: float, reward: Any) -> float:
  """A return with one more reward; rounded, since it is shown."""
  return round(total + float(np.sum(reward)), 6)
