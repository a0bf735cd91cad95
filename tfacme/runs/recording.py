"""Recording: episodes of any policy, written as an RLDS data set."""

from __future__ import annotations

import os
import signal
from typing import Any, Callable, List, Optional, Sequence

import dm_env
import numpy as np
import tree
from dm_env import specs as dm_specs

from tfacme import core, datasets, errors, experiments, launching, mistakes, specs
from tfacme.datasets import bounds
from tfacme.workers import episodes as episodes_lib
from tfacme.workers import playing, random_policy


def record(
  policy: Optional[Callable[[Any], Any]],
  environment: dm_env.Environment,
  episodes: int,
  out: str,
  seed: int = 0,
  max_episode_steps: int = experiments.MAX_EPISODE_STEPS,
  origin: Optional[datasets.Origin] = None,
  part: Optional[str] = None,
  progress: Callable[[Sequence[float]], None] = lambda returns: None,
) -> List[float]:
  """Writes episodes of a policy as an RLDS data set, which `datasets.rlds(out)` and plain `tfds` read.

  Args:
    policy: from an observation to an action, a function or a trained policy (`tfacme.load_policy`); if it has a
      `reset()`, that is called at the start of each episode. None takes actions at random.
    environment: where it acts.
    episodes: how many.
    out: the folder; episodes are added to those that it has.
    seed: of the random actions.
    max_episode_steps: at which an episode is cut off: it is then recorded as one that was truncated, and a warning says
      so.
    origin: what is told of the episodes beside their steps; None is the name of the policy, and the seed.
    part: the name of a part of the data set, where several recordings write one at the same time.
    progress: called after each episode, with the returns of all so far.

  Returns:
    The returns of the episodes.

  Raises:
    UserError: if the folder holds other data, if an observation, an action or a reward is not finite, or if an action
      is none of the environment's.
    launching.Stopped: Ctrl-C or SIGTERM.
  """
  errors.count('The number of episodes', episodes)
  errors.count('max_episode_steps', max_episode_steps)
  spec, limit = specs.environment_spec(environment), playing.Limit(max_episode_steps)
  origin = origin or datasets.Origin(policy=_called(policy), seed=seed)
  acting = _Acting(random_policy.RandomPolicy(spec.actions, seed) if policy is None else policy, spec)
  returns: List[float] = []
  try:
    with acting.stop, _writer(out, spec, part) as writer:
      for number in range(episodes):
        returns.append(_write(writer, _play(acting, environment, spec, limit, number), origin))
        progress(returns)
  except (KeyboardInterrupt, errors.UserError, errors.NonFiniteError) as error:
    raise _ended(error, len(returns), episodes, out) from error
  limit.close(limit.cut, len(returns))
  return returns


def _writer(out: str, spec: specs.EnvironmentSpec, part: Optional[str]) -> datasets.RLDSWriter:
  """The writer of a folder, which keeps each episode that it is given, whatever ends the recording."""
  path = os.path.abspath(os.path.expanduser(out))  # An environment may go to another folder.
  return datasets.RLDSWriter(path, core.step_spec(spec), metadata=datasets.METADATA, part=part)


def _play(
  acting: _Acting, environment: dm_env.Environment, spec: specs.EnvironmentSpec, limit: playing.Limit, number: int
) -> core.Step:
  """An episode, all of whose numbers are finite."""
  acting.begin(number)
  rows = episodes_lib.play(acting, environment, spec, limit, 'The recording', f'episode {number}')
  acting.check('observation', rows[-1].observation)
  return datasets.episode(rows)


def _write(writer: datasets.RLDSWriter, episode: core.Step, origin: datasets.Origin) -> float:
  """Writes an episode, with what is told of it; its return."""
  about = datasets.metadata_of(episode, origin)
  writer.write(episode, about)
  return about['return']


def _ended(error: BaseException, written: int, episodes: int, out: str) -> BaseException:
  """The error that ends a recording, with what is left of it."""
  left = f'{written} of {episodes} episodes {"is" if written == 1 else "are"} written to {out}'
  if isinstance(error, KeyboardInterrupt):
    return launching.Stopped(getattr(error, 'signum', signal.SIGINT), left)
  said = str(error).rstrip('.')
  return errors.UserError(f'{said}; {left}.' if written else f'{said}.')


class _Acting:
  """A policy whose observations and actions are looked at, and which ends the recording when it is to stop.

  Attributes:
    stop: asks it to.
  """

  def __init__(self, policy: Callable[[Any], Any], spec: specs.EnvironmentSpec):
    self.stop = launching.StopRequest()
    self._policy = policy
    self._spec = spec.actions
    self._types = specs.ActionTypes(policy, spec.actions)
    self._episode = self._row = 0

  def begin(self, episode: int) -> None:
    """Takes the number of the episode to come."""
    self._episode = episode

  def reset(self) -> None:
    """Begins the episode."""
    self._row = 0
    if hasattr(self._policy, 'reset'):
      self._policy.reset()

  def __call__(self, observation: core.Nest) -> core.Nest:
    """The action for one observation, with leaves of its own."""
    if self.stop.signum is not None:
      raise launching.Stopped(self.stop.signum)
    self.check('observation', observation)
    action = self._policy(observation)
    leaves = [np.asarray(leaf) for leaf in self._flat(np.asarray(action) if specs.is_array(self._spec) else action)]
    self._types.check(leaves)
    leaves = [np.array(leaf, spec.dtype) for leaf, spec in zip(leaves, tree.flatten(self._spec))]
    action = tree.unflatten_as(self._spec, leaves)
    self.check('action', action)
    for (path, spec), leaf in zip(specs.paths(self._spec).items(), leaves):
      self._check_action(f'action/{path}' if path else 'action', leaf, spec)
    self._row += 1
    return action

  def check(self, field: str, nest: core.Nest) -> None:
    """Raises a `UserError` if a part of the row is not finite."""
    for path, leaf in specs.paths(nest).items():
      strange = leaf[~np.isfinite(leaf)] if leaf.dtype.kind == 'f' else ()
      if len(strange):
        name = f'{field}/{path}' if path else field
        raise errors.UserError(
          f'In row {self._row} of episode {self._episode} of the recording, {name} is {strange[0]}, and nothing can be '
          f'learned from that: look at the {"environment" if field == "observation" else "policy"}.'
        )

  def _flat(self, action: core.Nest) -> List[Any]:
    """The leaves of an action, in the order of the spec."""
    try:
      tree.assert_same_structure(self._spec, action, check_types=False)
    except (TypeError, ValueError):
      parts = errors.listed(path or 'one array' for path in specs.paths(self._spec))
      raise errors.UserError(
        f'{mistakes.named(self._policy)} gives actions of other parts than the environment takes: {parts}.'
      ) from None
    return tree.flatten(action)

  def _check_action(self, name: str, leaf: np.ndarray, spec: Any) -> None:
    """Raises a `UserError` if an action is none of the environment's."""
    if leaf.shape != spec.shape:
      raise errors.UserError(
        f'{mistakes.named(self._policy)} gives an {name} of shape {leaf.shape}, and the environment takes {spec.shape}.'
      )
    if isinstance(spec, dm_specs.BoundedArray) and any(bounds.beyond(spec, leaf, leaf)):
      clip = '' if specs.is_choice(spec) else ', or clip what it gives'
      raise errors.UserError(
        f'In row {self._row} of episode {self._episode} of the recording, {name} is {leaf}, and the environment has '
        f'those from {np.min(spec.minimum):g} to {np.max(spec.maximum):g}: look at the policy{clip}.'
      )


def _called(policy: Any) -> str:
  """The name of a policy: that of its function or class."""
  if policy is None:
    return 'random'
  return getattr(policy, '__name__', type(policy).__name__)
