"""What an experiment is, as plain values, and in what two experiments differ."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import sys
from importlib import metadata
from typing import Any, Dict, Mapping, Optional, Tuple

from tfacme import core, errors, experiments
from tfacme.runs import naming

FILE = 'experiment.json'  # in a run's folder
_PACKAGES = ('tensorflow', 'dm-reverb', 'dm-launchpad-nightly', 'dm-sonnet', 'numpy')


def read(workdir: str) -> Dict[str, Any]:
  """What `experiment.json` says of the run in a folder.

  Raises:
    UserError: it has none.
  """
  path = os.path.join(workdir, FILE)
  if not os.path.exists(path):
    exported = os.path.exists(os.path.join(workdir, 'saved_model.pb'))
    hint = '; it is an exported policy, which tf.saved_model.load opens.' if exported else '.'
    raise errors.UserError(f'{workdir} is not the folder of a run: it has no {FILE}{hint}')
  with open(path, encoding='utf-8') as file:
    return json.load(file, parse_constant=str)


def describe(experiment: experiments.Experiment, launch: str) -> Dict[str, Any]:
  """An experiment as plain values, with the versions of the packages."""
  builder = experiment.builder
  description = {
    'agent': experiment.agent,
    'config': _config(builder),
    'builder': _builder(builder),
    'environment': naming.name(experiment.environment),
    'networks': naming.name(experiment.networks),
    'network_options': _options(experiment.networks),
    'stack': experiment.stack,
    'seed': experiment.seed,
    'dataset': None if experiment.dataset is None else naming.name(experiment.dataset),
    'dataset_share': experiment.dataset_share,
    'prefill': None if experiment.prefill is None else naming.name(experiment.prefill),
    'loggers': [naming.name(logger) for logger in experiment.loggers],
    'observers': [naming.name(observer) for observer in experiment.observers],
    'estimators': [naming.name(estimator) for estimator in experiment.estimators] or None,
    'on_evaluation': None if experiment.on_evaluation is None else naming.name(experiment.on_evaluation),
    'start': None if experiment.start is None else os.fspath(experiment.start),
    'record': experiment.record,
    'budget': {experiment.budget.unit: experiment.budget.steps},
    'launch': launch,
    **{part: core.describe(getattr(experiment, part)) for part in ('layout', 'checkpointing', 'logging')},
    'evaluations': [_describe_evaluation(evaluation) for evaluation in experiment.evaluations],
    'command': sys.argv,
    'versions': {
      'python': platform.python_version(),
      **{package: metadata.version(package) for package in _PACKAGES},
    },
  }
  # What is infinite is a string there: JSON has no such number, and not every reader takes Python's.
  return json.loads(json.dumps(description, default=naming.name), parse_constant=str)


def _builder(builder: core.Builder) -> Dict[str, Any]:
  """What a builder is made of beside its config, by the names of its fields."""
  fields = {field.name: getattr(builder, field.name) for field in dataclasses.fields(builder)}
  fields.pop('config', None)
  return {'type': type(builder).__name__, **{name: _part(part) for name, part in fields.items()}}


def _part(part: Any) -> Any:
  """A field of a builder, which may be a builder itself: with its config then, if it has one."""
  return {'config': _config(part), **_builder(part)} if isinstance(part, core.Builder) else part


def _config(builder: core.Builder) -> Dict[str, Any]:
  return core.describe(getattr(builder, 'config', None))


def _options(networks: Any) -> Optional[Dict[str, Any]]:
  """What networks are made with, for those who make such again; None if that can't be told."""
  if not dataclasses.is_dataclass(networks) or isinstance(networks, type):
    return None
  return {field.name: _plain(getattr(networks, field.name)) for field in dataclasses.fields(networks)}


def _plain(value: Any) -> Any:
  """A value as JSON has it; what that has not is called by its name."""
  if isinstance(value, (list, tuple)):
    return [_plain(part) for part in value]
  return value if value is None or isinstance(value, (bool, int, float, str)) else naming.name(value)


def _describe_evaluation(evaluation: experiments.Evaluation) -> Dict[str, Any]:
  environment = evaluation.environment
  numbers = core.describe(dataclasses.replace(evaluation, environment=None))
  return {**numbers, 'environment': None if environment is None else naming.name(environment)}


def what_differs(there: Mapping[str, Any], here: Mapping[str, Any]) -> Optional[str]:
  """What makes one experiment another than the one that is there, as the end of a sentence; None if nothing does.

  Args:
    there: the description of a run that was.
    here: of the one that would go on with it.
  """
  before, now = experiments.identity(there), experiments.identity(here)
  for key in now:
    difference = _difference(key, before[key], now[key])
    if difference:
      name, old, new = difference
      return (
        f'{name} {_shorten(repr(old))} where this one has {_shorten(repr(new))}; give another folder.'
        f'{_why(old, new, there["budget"] != here["budget"])}'
      )
  return None


def _why(old: Any, new: Any, extended: bool) -> str:
  """What may be behind a difference that the user did not ask for: a page may compute where a schedule ends."""
  if not (extended and _is_line(old) and _is_line(new) and old[:2] == new[:2]):
    return ''
  return " (The steps of the run differ too: a schedule that ends at a share of them, such as '100%', stays the same.)"


def _is_line(value: Any) -> bool:
  """Whether a plain value is a schedule with a start, an end and a length."""
  return isinstance(value, list) and len(value) == 3 and all(isinstance(part, (int, float)) for part in value)


def _difference(name: str, old: Any, new: Any) -> Optional[Tuple[str, Any, Any]]:
  """The innermost name under which two nests of plain values differ, with both values; None if they are the same."""
  if not (isinstance(old, dict) and isinstance(new, dict)):
    return None if old == new else (name, old, new)
  differences = (_difference(f'{name}.{key}', old.get(key), new.get(key)) for key in {**old, **new})
  return next((difference for difference in differences if difference), None)


def _shorten(text: str) -> str:
  return text if len(text) < 200 else text[:200] + ' ...'
