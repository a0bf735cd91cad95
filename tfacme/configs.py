"""Hyperparameters that several agents share, as bases of their configs. Imports no TensorFlow.

A field states its range where it is defined, and is checked when the config is made:

    @dataclasses.dataclass(frozen=True)
    class MyConfig(configs.AdamConfig, configs.ReplayConfig):
      margin: float = configs.number(0.8, low=0)
      \"\"\"How far ... (the paper's section 3).\"\"\"

A schedule is a number, or (start, end, steps): linear from start to end over so many steps, or over a share of the run,
such as '50%'.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Callable, ClassVar, Dict, List, Optional, Tuple

from tfacme import errors, schedules
from tfacme.schedules import Schedule


def number(default: Any, **bounds: float) -> Any:
  """A field that holds a number within bounds, those of `errors.in_range`, or None if that is its default."""
  return _field(default, functools.partial(errors.in_range, **bounds))


def count(default: Any, low: int = 1) -> Any:
  """A field that holds a whole number of at least `low`, or None if that is its default."""
  return _field(default, functools.partial(errors.count, low=low))


def schedule(default: Schedule, high: float = math.inf) -> Any:
  """A field that holds a schedule, all of whose values lie between 0 and `high`."""
  return _field(default, functools.partial(schedules.check, low=0, high=high))


def choice(default: str, choices: Any) -> Any:
  """A field that holds one of several words."""
  return _field(default, functools.partial(_check_choice, choices=choices))


def changed(made: Any) -> Dict[str, Any]:
  """The fields of a dataclass that differ from their defaults, by name."""
  default, names = type(made)(), [field.name for field in dataclasses.fields(made)]
  return {name: getattr(made, name) for name in names if getattr(made, name) != getattr(default, name)}


def _field(default: Any, check: Callable[[str, Any], None]) -> Any:
  return dataclasses.field(default=default, metadata={'check': check})


def _check_choice(name: str, value: Any, choices: Any) -> None:
  if value not in choices:
    raise errors.unknown(name, value, choices, f'there are {" and ".join(choices)}.')


@dataclasses.dataclass(frozen=True)
class Config:
  """A config whose fields are checked when it is made.

  Attributes:
    online_only: the fields, of those that a class adds, that count for nothing in a run from recorded data alone.
  """

  online_only: ClassVar[Tuple[str, ...]] = ()

  def __post_init__(self):
    for field in dataclasses.fields(self):
      value, check = getattr(self, field.name), field.metadata.get('check')
      if check is not None and not (value is None and (field.default is None or field.metadata.get('optional'))):
        check(field.name, value)


def idle_offline(config: Config) -> List[str]:
  """The fields that differ from their defaults, and count for nothing in a run from recorded data alone."""
  online_only = {name for base in type(config).__mro__ for name in vars(base).get('online_only', ())}
  return [name for name in changed(config) if name in online_only]


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(Config):
  """Adam along a clipped gradient, for an agent that defines its own step sizes."""

  adam_epsilon: float = number(1e-8, above=0)
  """Added to the root of Adam's second moment (Kingma & Ba 2015, algorithm 1)."""

  max_gradient_norm: float = number(math.inf, above=0)
  """Gradients of a larger global norm are scaled down to it; inf scales none."""


@dataclasses.dataclass(frozen=True)
class AdamConfig(OptimizerConfig):
  """Adam along a clipped gradient, with one step size."""

  learning_rate: Schedule = schedule(1e-3)
  """Adam's step size, a schedule over its steps (Kingma & Ba 2015: alpha)."""


@dataclasses.dataclass(frozen=True)
class NStepConfig(Config):
  """Returns of n steps."""

  discount: float = number(0.99, low=0, high=1)
  """Discount of the next step's value (gamma), in [0, 1]."""

  n_step: int = count(1)
  """Rewards summed before the value of what follows is used, in steps."""


@dataclasses.dataclass(frozen=True)
class ReplayConfig(Config):
  """Learning from a replay table, at a ratio of samples to inserts."""

  online_only = ('min_replay_size', 'max_replay_size', 'samples_per_insert', 'samples_per_insert_tolerance')

  batch_size: int = count(256)
  """Items of one learning step."""

  min_replay_size: int = count(1_000)
  """Items in the replay before the first learning step (Acme: 1,000)."""

  max_replay_size: int = count(1_000_000)
  """Items that the replay holds; the oldest gives way (Mnih et al. 2015, extended data table 1: 1,000,000)."""

  samples_per_insert: float = number(256.0, above=0)
  """Items sampled for each one inserted; with batch_size, how often it learns."""

  samples_per_insert_tolerance: float = number(0.1, low=0)
  """How far samples and inserts may run apart, as a share of samples_per_insert * min_replay_size (Acme: 0.1)."""

  def __post_init__(self):
    super().__post_init__()
    errors.at_least('max_replay_size', self.max_replay_size, 'min_replay_size', self.min_replay_size)


@dataclasses.dataclass(frozen=True)
class SequenceConfig(Config):
  """Learning from overlapping sequences, by networks with memory (Kapturowski et al. 2019, R2D2)."""

  trace_length: Optional[int] = count(None)
  """Steps of a sequence that are learned from, by networks with memory; None learns from single transitions, by
  networks without."""

  burn_in: int = count(0, low=0)
  """Steps at the start of a sequence that only warm up the state (Kapturowski et al. 2019: 40 on Atari)."""

  sequence_period: int = count(10)
  """Steps between the starts of two sequences, which overlap if there are fewer than in one (Kapturowski et al. 2019:
  40)."""

  across_episodes: bool = False
  """Whether sequences run on into the next episode, where the state is reset: for episodes shorter than a sequence,
  each of which is a sequence of its own otherwise, and sampled as often as a long one."""

  def __post_init__(self):
    super().__post_init__()
    if self.trace_length is None:
      idle = [field.name for field in dataclasses.fields(SequenceConfig) if getattr(self, field.name) != field.default]
      if idle:
        raise errors.UserError(
          f'{idle[0]} is of sequences, and without trace_length there are none; set that too, or leave {idle[0]} out.'
        )


@dataclasses.dataclass(frozen=True)
class PrioritizedConfig(Config):
  """Prioritized replay (Schaul et al. 2016)."""

  online_only = ('priority_exponent', 'priority_offset', 'importance_exponent')

  priority_exponent: float = number(0.6, low=0)
  """How much errors count in sampling; 0 is uniform (Schaul et al. 2016, table 3: alpha, 0.6)."""

  priority_offset: float = number(1e-6, above=0)
  """Added to the size of each error, so that every item can be sampled again (Schaul et al. 2016, section 3.3)."""

  importance_exponent: Schedule = schedule(0.4, high=1)
  """How much of the sampling's bias is undone, a schedule over learner steps (Schaul et al. 2016: beta, 0.4 to 1)."""


@dataclasses.dataclass(frozen=True)
class EpsilonConfig(Config):
  """Exploration by random actions."""

  online_only = ('epsilon', 'epsilon_ladder')

  epsilon: Schedule = schedule((1.0, 0.05, 5_000), high=1)
  """Share of random actions of the first slot, a schedule over the actor steps of the run."""

  epsilon_ladder: float = number(0.0, low=0)
  """Slot i of N acts with epsilon^(1 + ladder * i / (N - 1)); 0 is the same for all (Horgan et al. 2018: alpha, 7)."""

  evaluation_epsilon: float = number(0.0, low=0, high=1)
  """Share of random actions in evaluations (0.05 on Atari: Mnih et al. 2015, extended data table 1)."""


@dataclasses.dataclass(frozen=True)
class TargetConfig(Config):
  """How a target network follows: by a period or by a rate."""

  target_update_period: Optional[int] = dataclasses.field(
    default=100, metadata={'check': errors.count, 'optional': True}
  )
  """Learner steps between copies of the online network to the target (Mnih et al. 2015: C); None for a rate instead."""

  target_update_rate: Optional[float] = number(None, above=0, high=1)
  """Share of the way that the target goes to the online network in each learner step (Lillicrap et al. 2016, tau)."""

  def __post_init__(self):
    super().__post_init__()
    if (self.target_update_period is None) == (self.target_update_rate is None):
      raise errors.UserError('Set one of target_update_period and target_update_rate, and the other to None.')


@dataclasses.dataclass(frozen=True)
class ConservativeConfig(OptimizerConfig):
  """Values that are held low where there are no data (Kumar et al. 2020, equation 4).

  The gap of a state, the regularizer of CQL, is the log-sum-exp of the values of all of its actions, minus the value of
  the recorded one.
  """

  conservative_weight: float = number(5.0, low=0)
  """How much the gap counts beside the squared error of the values (twice the alpha of Kumar et al. 2020, where that
  error is halved; the authors' code: min_q_weight); its first value, if it is learned."""

  gap_threshold: Optional[float] = number(None)
  """None leaves the weight as it is; with a number it is learned, so that the mean gap comes down to this (Kumar et al.
  2020, appendix F: tau)."""

  conservative_weight_learning_rate: Schedule = schedule(3e-4)
  """Adam's step size for the logarithm of a learned weight, a schedule over learner steps (the authors' code: 3e-4)."""

  def __post_init__(self):
    super().__post_init__()
    if self.gap_threshold is not None:  # Its logarithm is learned.
      errors.in_range('conservative_weight', self.conservative_weight, above=0)


@dataclasses.dataclass(frozen=True)
class QLearningConfig(TargetConfig, EpsilonConfig, PrioritizedConfig, ReplayConfig, AdamConfig, NStepConfig):
  """Values of discrete actions, learned from prioritized replay with a target network."""

  max_abs_reward: float = number(math.inf, above=0)
  """Rewards are clipped to this size, each before they are summed (1 on Atari: Mnih et al. 2015); inf clips none."""
