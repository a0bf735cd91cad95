"""Sampling in proportion to weights that change, for many samples and many changes at a time."""

from __future__ import annotations

from typing import Optional

import numpy as np

# A sum tree of two levels. In numpy each level costs a call, whatever it does, and a running sum over a million
# weights' blocks costs no more than two levels of a narrow tree.
_BLOCK = 32


class SumTree:
  """Weights of positions 0, 1, ..., and the sums of their blocks.

  Sums are recomputed, never adjusted, so no rounding error piles up.
  """

  def __init__(self):
    self._weights = np.zeros((1, _BLOCK))
    self._sums = np.zeros(1)
    self._ends: Optional[np.ndarray] = None  # running sum of the blocks, until a weight changes

  @property
  def total(self) -> float:
    """The sum of all weights."""
    return float(self._running()[-1])

  def get(self, positions: np.ndarray) -> np.ndarray:
    """Weights [B] of positions [B]."""
    return self._weights.ravel().take(positions)

  def set(self, positions: np.ndarray, weights: np.ndarray) -> None:
    """Sets the weights [B] of positions [B]; of a position that comes twice, the last one counts."""
    if not len(positions):
      return
    self._reserve(int(np.maximum.reduce(positions)) + 1)  # A method would make a detour through Python.
    self._weights.ravel()[positions] = weights
    blocks = positions // _BLOCK
    self._sums[blocks] = np.add.reduce(self._weights.take(blocks, axis=0), axis=1)
    self._ends = None

  def find(self, shares: np.ndarray) -> np.ndarray:
    """The positions [B] at which the running sum of the weights first exceeds shares [B] in [0, 1) of the total.

    The total has to be positive.
    """
    ends = self._running()
    masses = shares * ends[-1]
    blocks = ends.searchsorted(masses, side='right')
    sums = self._weights.take(blocks, axis=0).cumsum(axis=1)
    # The two levels round differently: stay within the block's own sum, so that no weight of zero is found.
    inside = np.minimum(masses - ends.take(blocks) + self._sums.take(blocks), np.nextafter(sums[:, -1], 0))
    inside = np.maximum(inside, 0)  # Two plain calls cost a fifth of np.clip.
    return blocks * _BLOCK + (sums > inside[:, None]).argmax(axis=1)

  def _running(self) -> np.ndarray:
    if self._ends is None:
      self._ends = self._sums.cumsum()
    return self._ends

  def _reserve(self, size: int) -> None:
    blocks = -(-size // _BLOCK)
    if blocks > len(self._sums):
      more = max(blocks, 2 * len(self._sums)) - len(self._sums)
      self._weights = np.concatenate([self._weights, np.zeros((more, _BLOCK))])
      self._sums = np.concatenate([self._sums, np.zeros(more)])
