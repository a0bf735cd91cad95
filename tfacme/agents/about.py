"""What an agent's package says of it, once, for the command, the tests and the benchmarks. Imports no TensorFlow."""

from __future__ import annotations

import dataclasses
from typing import Any, Mapping


@dataclasses.dataclass(frozen=True)
class Task:
  """A run of an agent.

  Attributes:
    environment: the environment's id.
    steps: of the run, in environment steps, or in learner steps of an agent that learns from recorded data alone.
    slots: environments for one call of the policy.
    config: the fields of the agent's config that are not its defaults.
  """

  environment: str
  steps: int
  slots: int = 1
  config: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class About:
  """An agent.

  Attributes:
    summary: a line that says what it is, with the kind of actions that it takes and its paper.
    trial: a run of seconds in which it learns something, for tests that run every agent.
    benchmark: what the framework's cost is measured on, by `benchmarks/loop.py`.
    recorded: whether it learns from recorded data alone, of which random actions will do for the two.
  """

  summary: str
  trial: Task
  benchmark: Task
  recorded: bool = False
