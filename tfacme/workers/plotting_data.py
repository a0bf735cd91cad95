"""A picture of what is in a data set: how its returns and the lengths of its episodes are spread."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfacme.datasets import summary as summary_lib
from tfacme.workers import plotting

_BINS = 40
_COLORS = ('#3a6fb7', '#c8553d')  # of terminated and of truncated episodes


def picture(summary: summary_lib.Summary, out: str, title: str) -> None:
  """Draws histograms of returns and lengths side by side, terminated and truncated episodes one upon the other.

  Args:
    summary: of the data set.
    out: the picture's file; the ending says which format (.png, .svg, .pdf).
    title: over the picture.

  Raises:
    errors.UserError: if the picture can't be written.
  """
  figure = plotting.figure_of(2)
  figure.suptitle(title, fontsize=11)
  returns, lengths = figure.axes
  _draw(returns, summary.returns, summary.terminated, 'episode return (sum of rewards)')
  _draw(lengths, summary.lengths, summary.terminated, 'steps of an episode')
  returns.set_ylabel('episodes')
  lengths.legend(frameon=False, fontsize=9)
  plotting.save(figure, out)


def _draw(axes: Any, values: np.ndarray, terminated: np.ndarray, label: str) -> None:
  kinds = {'terminated': terminated, 'truncated': ~terminated}
  parts = [values[which & np.isfinite(values)] for which in kinds.values()]
  axes.hist(parts, bins=_BINS, stacked=True, color=_COLORS, label=list(kinds))
  axes.set_xlabel(label)
  for side in ('top', 'right'):
    axes.spines[side].set_visible(False)
