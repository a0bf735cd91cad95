"""The variables of another run, with which a run's networks begin."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, Dict, Mapping, Sequence

import numpy as np

from tfacme import checkpoints, core, errors
from tfacme.tensors import naming
from tfacme.workers import saved

_SCALES = ('reward_scale', 'max_abs_reward', 'discount')  # of a config: what a value depends on beside the rewards


@dataclasses.dataclass(frozen=True)
class Start:
  """What a run takes over from another one.

  Attributes:
    values: of variables of its networks, by their names.
    lines: what there is to be said of that, a sentence each.
  """

  values: Mapping[str, np.ndarray]
  lines: Sequence[str]

  def assign(self, networks: Any) -> None:
    """Gives the networks the values."""
    variables = naming.places(networks)
    for name, value in self.values.items():
      variables[name].assign(value)


def find(run: str, networks: Any, policy: core.Policy, config: Any = None, options: Any = None) -> Start:
  """What networks can take over of another run, from its newest checkpoint.

  Variables are matched by name and shape: first by their names in the networks of both agents; and then, of those by
  which the policies of both act, by their names in what these act by, since agents may call the same network otherwise.
  A layer is taken whole or not at all: the offsets of an output mean nothing behind other weights.

  Args:
    run: the other run's folder.
    networks: of this run's agent, with their variables.
    policy: that acts by them.
    config: of this run's agent; if values mean something else by it than by that of the other run, a line says so.
    options: what makes the networks of this run; if variables do not match and it differs, a line says in what.

  Raises:
    UserError: there is no checkpoint of a run, or nothing in it matches.
  """
  checkpoint = checkpoints.latest(os.path.join(run, 'checkpoints'), 'learner')
  if checkpoint is None:
    raise errors.UserError(f'There is no checkpoint of a run in {run} to start from; give the folder of a run.')
  other = saved.Saved(os.path.join(checkpoint, 'learner'))
  mine = {name: saved.Kind.of(variable) for name, variable in naming.places(networks).items()}
  names = {
    **_of_policies(list(naming.named(policy, networks)), list(other.published.get('policy', ()))),
    **{name: name for name in other.networks},
  }
  pairs = {name: other.networks[names[name]] for name in mine if names.get(name) in other.networks}
  other_kinds = {name: other.kinds[place] for name, place in pairs.items()}
  split = {os.path.dirname(name) for name, kind in mine.items() if other_kinds.get(name) != kind}
  taken = [name for name in mine if os.path.dirname(name) not in split]
  if not taken:
    theirs = errors.listed(f'{name} ({other.kinds[place]})' for name, place in other.networks.items())
    ours = errors.listed(f'{name} ({kind})' for name, kind in mine.items())
    raise errors.UserError(
      f'No layer of the run {run} has the name and the shapes of one of this run: it has {theirs}, and this one '
      f'{ours}; give a run whose networks have a layer in common.'
    )
  steps = checkpoints.manifest(checkpoint)['steps']
  lines = [f'{len(taken)} of {len(mine)} variables begin as in {run} at step {steps:,}: {errors.listed(taken)}.']
  left = _left(mine, taken, other_kinds)
  if left:
    lines.append(
      f'{len(left)} of {len(mine)} variables keep their initial values, since none match them: {errors.listed(left)}.'
    )
    lines += _other_networks(run, options)
  lines += _other_values(run, config)
  return Start({name: other.value(pairs[name]) for name in taken}, lines)


def _left(mine: Mapping[str, saved.Kind], taken: Sequence[str], other_kinds: Mapping[str, saved.Kind]) -> Sequence[str]:
  """The variables that are not taken, in words."""
  return [
    f'{name} ({kind}' + (f', and {other_kinds[name]} there)' if other_kinds.get(name, kind) != kind else ')')
    for name, kind in mine.items()
    if name not in taken
  ]


def _description(run: str, part: str) -> Mapping[str, Any]:
  """A part of what a run was, as its folder says; {} where it does not."""
  path = os.path.join(run, 'experiment.json')
  if not os.path.exists(path):
    return {}
  with open(path, encoding='utf-8') as file:
    return json.load(file).get(part) or {}


def _other_networks(run: str, options: Any) -> Sequence[str]:
  """A line, if the networks there have other options than those here."""
  theirs = _description(run, 'network_options')
  names = [field.name for field in dataclasses.fields(options)] if dataclasses.is_dataclass(options) else []
  ours = {name: getattr(options, name) for name in names if name in theirs}
  ours = {name: list(value) if isinstance(value, tuple) else value for name, value in ours.items()}
  # A function is a name there.
  said = [f'{name} {theirs[name]} (here {v})' for name, v in ours.items() if v != theirs[name] and not callable(v)]
  return [f'The networks of {run} have {" and ".join(said)}: give these the same.'] if said else []


def _other_values(run: str, config: Any) -> Sequence[str]:
  """A line, if values are learned there on another scale than here."""
  theirs = _description(run, 'config')
  ours = {name: getattr(config, name) for name in _SCALES if hasattr(config, name) and name in theirs}
  # What is infinite is a string there.
  differ = [name for name, value in ours.items() if float(value) != float(theirs[name])]
  if not differ:
    return []
  said = ' and '.join(f'{name} was {theirs[name]} and is {ours[name]} here' for name in differ)
  return [f'Values of {run} are not those of this run, since {said}; give the same, unless that is meant.']


def _of_policies(mine: Sequence[str], theirs: Sequence[str]) -> Dict[str, str]:
  """For names of one policy those of another one that are the same from where the names of each begin to differ."""
  there = dict(zip(naming.relative(theirs), theirs))
  return {name: there[seen] for name, seen in zip(mine, naming.relative(mine)) if seen in there}
