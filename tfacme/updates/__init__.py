"""What the learning steps of many agents are made of, so that an agent's `update.py` holds what its paper says.

A part of a step that has state (an optimizer, a target network, a periodic step), or that knows what a batch is,
belongs here. What is pure mathematics is in `losses`; what acts is in `networks`.
"""

from tfacme.updates.augmentation import random_shift as random_shift
from tfacme.updates.multipliers import Multiplier as Multiplier
from tfacme.updates.optimizers import Adam as Adam
from tfacme.updates.periodic import Every as Every
from tfacme.updates.priorities import importance_weights as importance_weights
from tfacme.updates.priorities import item_priorities as item_priorities
from tfacme.updates.priorities import sequence_priorities as sequence_priorities
from tfacme.updates.sequences import Sequences as Sequences
from tfacme.updates.sequences import is_seen as is_seen
from tfacme.updates.sequences import sequences as sequences
from tfacme.updates.targets import Target as Target
from tfacme.updates.transitions import Transition as Transition
from tfacme.updates.transitions import n_step_transition as n_step_transition
