"""Recorded data of other formats as RLDS data sets.

    counts = converting.convert('hopper.hdf5', 'data/hopper')     # D4RL's HDF5
    counts = converting.convert('arrays.npz', 'data/arrays')      # NumPy arrays with the same names
    counts = converting.convert('minari:mujoco/hopper/medium-v0', 'data/hopper')

A format is an iterator of `transitions.Episode`; it warns of all it leaves out or makes up.
"""

from tfacme.datasets.converting.convert import Counts as Counts
from tfacme.datasets.converting.convert import convert as convert
