"""The options of the commands that run experiments."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Any, Optional, Type

import tyro
from typing_extensions import Literal

from tfacme import experiments

Engine = Literal['inline', 'local_mt', 'local_mp']

# A comment above a field would be shown to users. The layout has no prefix (--actors, --slots), since it is what one
# changes most; truths are written as values, like all other options.


@dataclasses.dataclass(frozen=True)
class RunOptions:
  """What every run can be told.

  Attributes:
    launch: where the nodes run: in one thread, repeatably (inline), in threads (local_mt) or in processes (local_mp).
    seed: from which all seeds of the run are made.
    workdir: the run's folder; the same command with the same folder goes on from its last checkpoint. None is
      runs/AGENT-ENVIRONMENT-seedSEED.
  """

  launch: Engine = 'inline'
  seed: int = 0
  workdir: Optional[str] = None
  layout: tyro.conf.OmitArgPrefixes[experiments.Layout] = experiments.Layout()
  evaluation: experiments.Evaluation = experiments.Evaluation()
  checkpointing: tyro.conf.FlagConversionOff[experiments.Checkpointing] = experiments.Checkpointing()
  logging: tyro.conf.FlagConversionOff[experiments.Logging] = experiments.Logging()


@dataclasses.dataclass(frozen=True)
class Task:
  """What an agent of the command line is trained on.

  Attributes:
    env: the environment's id, such as bsuite:catch/0 or gym:CartPole-v1; `tfacme envs` lists them.
    steps: environment steps of all actors together, after which the run ends; learner steps if there is a dataset.
    dataset: the folder of an RLDS data set, as `tfacme record` writes one, for an agent that learns from recorded
      data; the environment is then for its evaluations.
  """

  env: str
  steps: int = 30_000
  dataset: Optional[str] = None


def train_options(config_class: Type[Any]) -> Type[Any]:
  """The options of `tfacme train` for an agent: `Task`, `RunOptions` and `--config.FIELD` for each field of its config.

  Args:
    config_class: the dataclass of the agent's numbers.
  """
  summary = (
    "Trains an agent in an environment. The run's folder holds its logs, checkpoints, policy and learning curve."
  )
  config = tyro.conf.FlagConversionOff[config_class]  # type: ignore[valid-type]
  return dataclasses.make_dataclass(
    'TrainOptions',
    [('config', config, dataclasses.field(default_factory=config_class))],
    bases=(RunOptions, Task),
    namespace={'__doc__': docstring(summary, Task, RunOptions)},
    frozen=True,
  )


def docstring(summary: str, *parts: Type[Any], extra: str = '') -> str:
  """One docstring for the fields of several dataclasses, and `extra` ones: tyro reads that of a subclass only."""
  fields = [(part.__doc__ or '').partition('Attributes:\n')[2].rstrip() for part in parts]
  return '\n'.join([summary, '', '  Attributes:', *fields, extra, ''])


def default_workdir(agent: str, environment: str, seed: int) -> str:
  """Where a run goes if the user does not say: the same for the same command, so that it continues."""
  name = re.sub(r'[^\w.]+', '-', f'{agent}-{environment}').strip('-')
  return os.path.join('runs', f'{name}-seed{seed}')
