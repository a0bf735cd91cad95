"""A look at the values of a data set: where they reach, and what is wrong with all episodes together."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional

import numpy as np

from tfacme import errors
from tfacme.datasets import ends, layout, ranges


class Look:
  """What is seen of episodes in a pass over them."""

  def __init__(self, described: layout.Layout, action_spec: Any = None):
    """Initializes the look.

    Args:
      described: the layout of the data set.
      action_spec: as of `ranges.Ranges`.
    """
    self._layout = described
    self._pictures = {path for path, column in described.leaves.items() if not column.is_cheap}
    self._ranges, self._dropped = ranges.Ranges(described.name, action_spec), ends.Dropped()
    self._episodes = 0

  def recorded(self, leaves: Optional[Mapping[str, np.ndarray]]) -> None:
    """Takes in the leaves of an episode as they were recorded, None if it has no row."""
    self._episodes += 1
    if leaves is not None:
      self._dropped.add(leaves, self._layout.options)

  def episode(self, metadata: Mapping[str, Any]) -> None:
    """Takes in the metadata of an episode."""
    environment = metadata.get('environment')
    if environment and isinstance(environment, str):
      self._ranges.environments[environment, metadata.get('environment_options')] = None

  def stream(self, number: int, leaves: Mapping[str, np.ndarray]) -> None:
    """Takes in the leaves of the episode of a number as they are in the stream."""
    self._ranges.add(number, {path: values for path, values in leaves.items() if path not in self._pictures})

  def result(self) -> ranges.Ranges:
    """The ranges of all values but of pictures.

    Raises:
      UserError: if no episode has a transition, if the only rewards are in rows that do not count, for a NaN, or for
        an illegal action.
    """
    name = self._ranges.name
    if not self._ranges.episodes:
      raise errors.UserError(
        f'None of the {self._episodes} episodes of {name} has a transition, so there is nothing to learn from: record '
        'some with at least one step.'
      )
    self._dropped.check(name)
    self._ranges.check()
    return self._ranges

  def findings(self) -> List[str]:
    """What looks wrong at the ends of episodes, and with what they do, in sentences."""
    return [*self._dropped.findings(), *self._ranges.illegal()]

  def warn(self) -> None:
    """Warns of that."""
    self._dropped.warn(self._ranges.name)
