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

  def observe_first(self, environment: dm_env.Environment, timestep: dm_env.TimeStep) -> None:
    """A new episode begins in the environment, which is the actor's own: look at it, and leave it as it is."""
    ...

  def observe(self, environment: dm_env.Environment, action: Any, timestep: dm_env.TimeStep) -> None:
    """The action was taken and led to the time step.

    The environment has its wrappers around it, which pass on attributes of what is inside: `environment.info` is what
    Gymnasium calls so, of this step.
    """
    ...

  def metrics(self) -> Dict[str, Union[int, float]]:
    """What was seen in the episode so far: the same columns each time, which no log of a run has already.

    A number that there is not is NaN; then a method `missing()` may say why, as a phrase for a warning. It is asked
    before the first episode too, for the names of the columns.
    """
    ...
