"""What can be set of an environment by name: keyword arguments of what makes it, and the wrappers around it."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Callable, Dict, List, Mapping, Union

import dm_env

from tfacme import configs, errors
from tfacme.environments import wrappers

Wrapper = Callable[[dm_env.Environment], dm_env.Environment]

_COUNTS = ('action_repeat', 'step_limit', 'frame_stack')


@dataclasses.dataclass(frozen=True)
class Options:
  """What an environment is made with, beside its id. The wrappers stand in the order of the fields, innermost first.

  Attributes:
    kwargs: keyword arguments of what makes the environment: of `gymnasium.make`, a bsuite experiment, a dm_control
      task, a MinAtar game, the ALE and its preprocessing (see `environments.atari`), or a function of one's own. A
      command line gives numbers, booleans and strings; code may give whatever that takes.
    action_mask: whether the mask of legal actions is taken out of Gymnasium's `info` into the observation
      (`wrappers.ActionMask`).
    action_repeat: how often each action is taken (`wrappers.ActionRepeat`); 0 leaves the wrapper out.
    step_limit: after how many actions of the agent an episode is cut off (`wrappers.StepLimit`); 0 is never.
    canonical_action: whether continuous actions are scaled from [-1, 1] to their bounds (`wrappers.CanonicalAction`).
    frame_stack: of how many of the last observations one is made (`wrappers.FrameStacking`); 0 leaves the wrapper out.
    observation_action_reward: whether an observation holds the last action and reward too
      (`wrappers.ObservationActionReward`), for agents with a memory.
  """

  kwargs: Mapping[str, Union[bool, int, float, str]] = dataclasses.field(default_factory=dict, hash=False)
  action_mask: bool = False
  action_repeat: int = 0
  step_limit: int = 0
  canonical_action: bool = False
  frame_stack: int = 0
  observation_action_reward: bool = False

  def __post_init__(self):
    if not (isinstance(self.kwargs, Mapping) and all(isinstance(name, str) for name in self.kwargs)):
      raise errors.UserError(
        f'The kwargs of an environment are {self.kwargs!r}, and have to be a dict, such as {{"size": 3}}.'
      )
    # In one order, so that what is the same is called the same.
    object.__setattr__(self, 'kwargs', dict(sorted(self.kwargs.items())))
    for name in _COUNTS:
      errors.count(name, getattr(self, name), low=0)

  @property
  def changed(self) -> Dict[str, Any]:
    """What differs from the defaults, by the names of the fields."""
    return configs.changed(self)

  @property
  def wrappers(self) -> List[Wrapper]:
    """The wrappers, the innermost first."""
    chosen: List[Any] = [
      self.action_mask and wrappers.ActionMask,
      self.action_repeat and functools.partial(wrappers.ActionRepeat, num_repeats=self.action_repeat),
      self.step_limit and functools.partial(wrappers.StepLimit, limit=self.step_limit),
      self.canonical_action and wrappers.CanonicalAction,
      self.frame_stack and functools.partial(wrappers.FrameStacking, num_frames=self.frame_stack),
      self.observation_action_reward and wrappers.ObservationActionReward,
    ]
    return [wrapper for wrapper in chosen if wrapper]
