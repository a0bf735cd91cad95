from .environments import Reach as Reach
from .environments import TwoStates as TwoStates
