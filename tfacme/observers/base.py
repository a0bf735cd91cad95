"""What an observer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Protocol, Union

if TYPE_CHECKING:
  import dm_env


class Observer(Protocol):
  """Watches the episodes of one environment and adds columns to their rows, and the means to those of evaluations.

  An experiment names makers of observers, since each environment of each actor and evaluation needs its own:
  `observers=(observers.ActionNorm, functools.partial(observers.DiscreteActionShare, 3))`.
  """

  def observe_first(self, timestep: dm_env.TimeStep) -> None:
    """A new episode begins."""
    ...

  def observe(self, action: Any, timestep: dm_env.TimeStep) -> None:
    """The action was taken and led to the time step."""
    ...

  def metrics(self) -> Dict[str, Union[int, float]]:
    """What was seen in the episode so far; the same columns each time."""
    ...
