"""What a run is: an `Experiment` and its parts. Nothing else defines a run.

All of it is plain dataclasses that can be pickled, compared and made from a command line; nothing here imports
TensorFlow.
"""

from tfacme.experiments.experiment import Experiment as Experiment
from tfacme.experiments.experiment import identity as identity
from tfacme.experiments.parts import MAX_EPISODE_STEPS as MAX_EPISODE_STEPS
from tfacme.experiments.parts import ROLES as ROLES
from tfacme.experiments.parts import Budget as Budget
from tfacme.experiments.parts import Checkpointing as Checkpointing
from tfacme.experiments.parts import Evaluated as Evaluated
from tfacme.experiments.parts import Evaluation as Evaluation
from tfacme.experiments.parts import Layout as Layout
from tfacme.experiments.parts import Logging as Logging
from tfacme.experiments.parts import Stop as Stop
from tfacme.experiments.parts import check_node_name as check_node_name
