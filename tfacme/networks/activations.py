"""The activations that a network may be given, by name. Imports no TensorFlow: they are options of the command too."""

from __future__ import annotations

from typing import Literal

# What a hidden layer ends with, by name.
Activation = Literal['relu', 'elu', 'tanh', 'silu', 'gelu']
