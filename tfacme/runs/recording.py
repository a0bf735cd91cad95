"""Recording: episodes of any policy, written as an RLDS data set."""

from __future__ import annotations

import os
from typing import Any, Callable, List, Optional

import dm_env
import numpy as np

from tfacme import core, datasets, errors, experiments, specs
from tfacme.workers import episodes as episodes_lib
from tfacme.workers import playing, random_policy


def record(
  policy: Optional[Callable[[Any], Any]],
  environment: dm_env.Environment,
  episodes: int,
  out: str,
  seed: int = 0,
  max_episode_steps: int = experiments.MAX_EPISODE_STEPS,
) -> List[float]:
  """Writes episodes of a policy as an RLDS data set, which `datasets.rlds(out)` and plain `tfds` read.

  Args:
    policy: from an observation to an action, with a `reset()` for the start of an episode (`tfacme.load_policy`); None
      takes actions at random.
    environment: where it acts.
    episodes: how many.
    out: the folder; episodes are added to those that it has.
    seed: of the random actions.
    max_episode_steps: at which an episode is cut off: it is then recorded as one that was truncated, and a warning says
      so.

  Returns:
    The returns of the episodes.

  Raises:
    UserError: if the folder holds other data.
  """
  errors.count('The number of episodes', episodes)
  errors.count('max_episode_steps', max_episode_steps)
  spec = specs.environment_spec(environment)
  acting: Any = random_policy.RandomPolicy(spec.actions, seed) if policy is None else policy
  out = os.path.abspath(out)  # An environment may go to another folder.
  returns, limit = [], playing.Limit(max_episode_steps)
  with datasets.RLDSWriter(out, core.step_spec(spec)) as writer:
    for _ in range(episodes):
      rows = episodes_lib.play(acting, environment, spec, limit, 'The recording')
      writer.write(datasets.episode(rows))
      returns.append(float(sum(np.sum(row.reward) for row in rows)))
  limit.close(limit.cut, len(returns))
  return returns
