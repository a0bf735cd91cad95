"""Agents by name, for the command line, tests and benchmarks.

An agent is a package or module, or any object, that has three names: `Config`, the dataclass of its hyperparameters,
each with a default; `Builder`, which makes its builder from a config; and `default_networks`, which makes a factory of
networks for any observations, and whose fields, if it is a dataclass, are options of the command too.

Those of tfacme are the packages in this folder, each with a module `about` beside them, and named as their folder is.
An agent of one's own is named `package.module` or `package.module:object`, and need not be installed: modules of the
current folder are found. Nothing here imports TensorFlow, unless an agent of one's own does with its config.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
from typing import Any, Callable, Dict, List

from tfacme import agents, core, environments, errors, experiments, importing, specs
from tfacme.agents.about import About, Task

_EXPORTS = ('Config', 'Builder', 'default_networks')


@functools.cache
def names() -> List[str]:
  """The agents of tfacme."""
  return sorted(module.name for module in pkgutil.iter_modules(agents.__path__) if module.ispkg)


def about(name: str) -> About:
  """The `About` of an agent of tfacme.

  Raises:
    errors.UserError: if there is no such agent; so do all functions here.
  """
  if name not in names():
    raise errors.unknown('agent', name, names(), hint=f'there are {", ".join(names())}.')
  return importlib.import_module(f'tfacme.agents.{name}.about').ABOUT


def summaries() -> Dict[str, str]:
  """All agents of tfacme, each with a line that says what it is."""
  return {name: about(name).summary for name in names()}


def config(name: str, **fields: Any) -> Any:
  """An agent's hyperparameters: the defaults of its dataclass, except for some fields."""
  kind = _find(name).Config
  if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
    raise errors.UserError(
      f'Config of {name} has to be a dataclass, whose fields are the hyperparameters of the agent.'
    )
  bare = [
    field.name for field in dataclasses.fields(kind) if field.default is field.default_factory is dataclasses.MISSING
  ]
  if bare:
    raise errors.UserError(f'Config of {name} needs a default for each of its fields, for {", ".join(bare)} too.')
  return kind(**fields)


def builder(name: str, config: Any) -> core.Builder:
  """An agent's builder with a config of its own."""
  return _find(name).Builder(config)


def default_networks(name: str) -> Callable[[specs.EnvironmentSpec], Any]:
  """What makes an agent's networks from an environment's spec, whatever the observations are."""
  return _find(name).default_networks()


def experiment(name: str, task: Task, **fields: Any) -> experiments.Experiment:
  """An agent of tfacme with its default networks on a task; `fields` are more of the experiment's, or other ones."""
  made = {
    'builder': builder(name, config(name, **task.config)),
    'networks': default_networks(name),
    'environment': environments.factory(task.environment),
    'budget': experiments.Budget(**{'learner_steps' if about(name).recorded else 'actor_steps': task.steps}),
    'layout': experiments.Layout(slots=task.slots),
  }
  return experiments.Experiment(**{**made, **fields})


def _find(name: str) -> Any:
  """The package or object that an agent is."""
  if name in names():
    return importlib.import_module(f'tfacme.agents.{name}')
  if not importing.exists(name.partition(':')[0]):
    hint = f'there are {", ".join(names())}, or package.module:object for one of your own.'
    raise errors.unknown('agent', name, names(), hint)
  agent = importing.load(name, 'agent')
  missing = [export for export in _EXPORTS if not hasattr(agent, export)]
  if missing:
    raise errors.UserError(
      f'{name} has no {" and no ".join(missing)}, and an agent has {", ".join(_EXPORTS[:-1])} and {_EXPORTS[-1]}.'
    )
  return agent
