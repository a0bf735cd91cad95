"""One episode of a policy after the other: for animations, for recordings, and for a prefilled replay."""

from __future__ import annotations

from typing import Any, Iterator, List, NamedTuple, Optional

import dm_env
import numpy as np
import tree

from tfacme import core, specs
from tfacme.workers import playing, timesteps


class Moment(NamedTuple):
  """Where an episode has come to, before the next action is chosen."""

  observation: core.Nest
  action: core.Nest  # that led here; None where the episode begins, as are the reward and the discount
  reward: Any
  discount: Any
  over: bool  # whether the episode ends here, or is cut off


def moments(
  policy: Any,
  environment: dm_env.Environment,
  spec: specs.EnvironmentSpec,
  limit: playing.Limit,
  name: str,
  episode: str = 'an episode',
) -> Iterator[Moment]:
  """Plays one episode, step by step, checked against the spec.

  Args:
    policy: from an observation to an action, with a `reset()`.
    environment: where it acts. While a moment is looked at, it is at that moment.
    spec: of the environment.
    limit: of the episode.
    name: who plays, for errors.
    episode: which one, for errors.
  """
  steps, action = 0, None
  seen = tree.map_structure(lambda s: np.zeros((1, *s.shape), s.dtype), spec.observations)
  intake = timesteps.Intake(spec, tree.flatten(seen), lambda _: f'{name} at step {steps} of {episode}')
  policy.reset()
  limit.begin()
  timestep = environment.reset()
  intake.begin(0, timestep.observation)
  while True:
    observation = tree.map_structure(lambda leaf: leaf[0].copy(), seen)
    over = timestep.last() or limit.reached(steps)
    yield Moment(observation, action, timestep.reward, timestep.discount, over)
    if over:
      return
    action = policy(observation)
    timestep = environment.step(action)
    intake.check_reward(0, timestep)
    intake.observe(0, timestep.observation, timestep.last())
    steps += 1


def play(
  policy: Any,
  environment: dm_env.Environment,
  spec: specs.EnvironmentSpec,
  limit: playing.Limit,
  name: str,
  episode: str = 'an episode',
) -> List[core.Step]:
  """The rows of one episode, the last of which holds the final observation; `moments` has the arguments."""
  rows: List[core.Step] = []
  before: Optional[Moment] = None
  for moment in moments(policy, environment, spec, limit, name, episode):
    if before is not None:
      reward, discount = (np.array(x, np.float32) for x in (moment.reward, moment.discount))
      rows.append(core.Step(before.observation, moment.action, reward, discount, not rows, False))
    before = moment
  assert before is not None  # An episode has a first moment.
  final = tree.map_structure(lambda s: np.zeros(s.shape, s.dtype), core.step_spec(spec))
  rows.append(final._replace(observation=before.observation, last=True))
  return rows
