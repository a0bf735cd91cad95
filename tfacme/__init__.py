"""tfacme: reinforcement learning research in TensorFlow 2.

An agent is written once, as a builder; an experiment is compiled into a Launchpad program graph; and that same graph
runs in one thread, in one process, in many processes, or on many hosts.

    run = tfacme.train(experiment, workdir='runs/mine')
    print(run.evaluate(episodes=20).mean)
    policy = tfacme.load_policy('runs/mine')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

from tfacme import startup as startup

__version__ = '0.1.0'

# TensorFlow takes seconds to import, so what needs it is imported when it is used.
__getattr__, __dir__, __all__ = lazy_loader.attach(
  __name__,
  submod_attrs={
    'core': ['Batch', 'Builder', 'Step', 'UpdateOutput'],
    'errors': ['UserError'],
    'experiments.experiment': ['Experiment'],
    'experiments.parts': ['Budget', 'Checkpointing', 'Evaluated', 'Evaluation', 'Layout', 'Logging', 'Stop'],
    'graph.building': ['make_learner'],
    'graph.program': ['make_program'],
    'runs.recording': ['record'],
    'runs.run': ['Run', 'load_policy', 'load_run'],
    'runs.training': ['train'],
    'workers.fitted_q': ['FittedQ'],
  },
)

if TYPE_CHECKING:
  from tfacme.core import Batch as Batch
  from tfacme.core import Builder as Builder
  from tfacme.core import Step as Step
  from tfacme.core import UpdateOutput as UpdateOutput
  from tfacme.errors import UserError as UserError
  from tfacme.experiments.experiment import Experiment as Experiment
  from tfacme.experiments.parts import Budget as Budget
  from tfacme.experiments.parts import Checkpointing as Checkpointing
  from tfacme.experiments.parts import Evaluated as Evaluated
  from tfacme.experiments.parts import Evaluation as Evaluation
  from tfacme.experiments.parts import Layout as Layout
  from tfacme.experiments.parts import Logging as Logging
  from tfacme.experiments.parts import Stop as Stop
  from tfacme.graph.building import make_learner as make_learner
  from tfacme.graph.program import make_program as make_program
  from tfacme.runs.recording import record as record
  from tfacme.runs.run import Run as Run
  from tfacme.runs.run import load_policy as load_policy
  from tfacme.runs.run import load_run as load_run
  from tfacme.runs.training import train as train
  from tfacme.workers.fitted_q import FittedQ as FittedQ
