"""Observers: they watch an episode and add columns to its row in the log."""

from tfacme.observers.actions import ActionNorm as ActionNorm
from tfacme.observers.actions import DiscreteActionShare as DiscreteActionShare
from tfacme.observers.base import Observer as Observer
