"""Agents by name, for the command line. Imports an agent when it is asked for, and no TensorFlow for its config."""

from __future__ import annotations

import importlib
import types
from typing import Any, Callable, Dict, Type

from tfacme import core, errors, specs

# Each agent's package `tfacme.agents.NAME` exports `Config`, `Builder` and `default_networks`.
_AGENTS = {
  'bc': 'behaviour cloning from a data set; discrete or continuous actions (Pomerleau 1991)',
  'dqn': 'double Q-learning, n-step returns, prioritized replay; discrete actions (Mnih et al. 2015)',
  'impala': 'actor-critic with V-trace, off a queue, with memory or without; discrete actions (Espeholt et al. 2018)',
  'ppo': 'clipped surrogate, generalized advantages; discrete or continuous actions (Schulman et al. 2017)',
  'r2d2': 'recurrent Q-learning from sequences in prioritized replay; discrete actions (Kapturowski et al. 2019)',
  'sac': 'soft actor-critic, twin critics, learned temperature; continuous actions (Haarnoja et al. 2018)',
}


def names() -> Dict[str, str]:
  """All agents, each with a line that says what it is."""
  return dict(_AGENTS)


def config_class(name: str) -> Type[Any]:
  """The dataclass of an agent's numbers.

  Raises:
    errors.UserError: if there is no such agent; so do all functions here.
  """
  return _package(name).Config


def builder(name: str, config: Any) -> core.Builder:
  """An agent's builder with a config of its `config_class`."""
  return _package(name).Builder(config)


def default_networks(name: str) -> Callable[[specs.EnvironmentSpec], Any]:
  """What makes an agent's networks from an environment's spec, whatever the observations are."""
  return _package(name).default_networks()


def _package(name: str) -> types.ModuleType:
  if name not in _AGENTS:
    raise errors.unknown('agent', name, _AGENTS, hint=f'there are {", ".join(_AGENTS)}.')
  return importlib.import_module(f'tfacme.agents.{name}')
