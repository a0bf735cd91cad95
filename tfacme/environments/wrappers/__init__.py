"""Wrappers: environments around environments. All of them keep dm_env's rules about episodes.

    limit = functools.partial(wrappers.StepLimit, limit=100)
    factory = environments.factory('gym:Pendulum-v1').wrapped(wrappers.CanonicalAction, limit)

Most can be chosen by name: `environments.factory('gym:Pendulum-v1', canonical_action=True, step_limit=100)`.

Where the order matters: ObservationActionReward sees the actions and rewards of what is inside it.
"""

from tfacme.environments.wrappers.action_mask import ActionMask as ActionMask
from tfacme.environments.wrappers.action_repeat import ActionRepeat as ActionRepeat
from tfacme.environments.wrappers.base import EnvironmentWrapper as EnvironmentWrapper
from tfacme.environments.wrappers.canonical_action import CanonicalAction as CanonicalAction
from tfacme.environments.wrappers.episode_statistics import EpisodeStatistics as EpisodeStatistics
from tfacme.environments.wrappers.episode_statistics import Statistics as Statistics
from tfacme.environments.wrappers.frame_stacking import FrameStacking as FrameStacking
from tfacme.environments.wrappers.observation_action_reward import OAR as OAR
from tfacme.environments.wrappers.observation_action_reward import ObservationActionReward as ObservationActionReward
from tfacme.environments.wrappers.single_precision import SinglePrecision as SinglePrecision
from tfacme.environments.wrappers.step_limit import StepLimit as StepLimit
