"""Observers: they watch the episodes of actors and evaluations, and add columns to the rows of the logs."""

from tfacme.observers.actions import ActionNorm as ActionNorm
from tfacme.observers.actions import DiscreteActionShare as DiscreteActionShare
from tfacme.observers.base import Observer as Observer
from tfacme.observers.reading import Info as Info
from tfacme.observers.reading import Reading as Reading
from tfacme.observers.scores import NormalizedScore as NormalizedScore
from tfacme.observers.scores import d4rl_score as d4rl_score
