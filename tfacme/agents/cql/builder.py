"""How CQL is put together."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from typing import ClassVar, Optional

from tfacme import core, specs
from tfacme.agents import sac
from tfacme.agents.cql.config import CQLConfig
from tfacme.agents.cql.networks import CQLNetworks
from tfacme.agents.cql.update import CQLUpdate
from tfacme.replay import relabelling

_LOG = logging.getLogger('tfacme')
_WATCHED = 100  # episodes that tell whether there is anything to be calibrated by


class _Watch:
  """Warns, once, if none of the first episodes has terminated."""

  def __init__(self) -> None:
    self._left = _WATCHED

  def __call__(self, terminated: bool) -> None:
    """Takes in the end of an episode."""
    if not self._left:
      return
    self._left = 0 if terminated else self._left - 1
    if not (self._left or terminated):
      _LOG.warning(
        'The first %d episodes all were truncated, so that nobody knows their returns, and calibrated does nothing if '
        'the others end like that: learn from episodes that terminate, or leave it out (--config.calibrated False).',
        _WATCHED,
      )


@dataclasses.dataclass(frozen=True)
class CQLBuilder(sac.SACBuilder):
  """CQL for bounded continuous actions, or nests of those: from recorded data, and on from there with actors.

  Attributes:
    config: its hyperparameters.
  """

  name: ClassVar[str] = 'CQL'
  config: CQLConfig = CQLConfig()

  def relabel(self, spec: specs.EnvironmentSpec) -> Optional[core.Relabel]:
    """Adds the returns that values are not pushed below, if it is calibrated by those."""
    return self._calibration if self.config.calibrated else None

  @functools.cached_property  # All slots of a process have the same one, so that it warns once.
  def _calibration(self) -> core.Relabel:
    # Where an episode was truncated, the sum of what came is no bound from below: what would have come may be negative.
    return relabelling.returns_to_go(self.config.discount, truncated=-math.inf, watch=_Watch())

  def update(self, made: CQLNetworks, spec: specs.EnvironmentSpec) -> CQLUpdate:
    """Critics, policy, temperature, and the weight of the gap."""
    return CQLUpdate(made, self.config, spec.actions)


Builder = CQLBuilder
