"""Recorded actions that are illegal by the `action_mask` of their own observation; see `specs`."""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence

import numpy as np

from tfacme import specs


class Illegal(NamedTuple):
  """An action, and where it is.

  Attributes:
    row: of the episode.
    value: what was chosen.
    name: which of several choices it is, in words behind the name of the action; nothing if there is but one.
  """

  row: int
  value: int
  name: str = ''

  def told(self, path: str, place: str) -> str:
    """What is wrong with it, in a sentence.

    Args:
      path: of the action in its nest; empty of a single one.
      place: the row and the episode, in words.
    """
    return (
      f'In {place} the {f"action {path}".rstrip()}{self.name} is {self.value}, which is illegal by the action_mask of '
      'the same row, and nothing can be learned from that: leave the episode out, or record it anew.'
    )


def first(mask: np.ndarray, actions: np.ndarray, sizes: Sequence[int]) -> Optional[Illegal]:
  """The first illegal action of an episode; None if there is none, or if the mask is not of so many values.

  Where a mask leaves no value of a choice it says nothing, as for networks (`networks.masked`); and what is no value of
  a choice at all is not judged here.

  Args:
    mask: of T rows, [T, sum of sizes].
    actions: whole numbers of n choices, [T, ...], without the row of the final observation.
    sizes: how many values each choice has, [n].
  """
  ends = np.cumsum(sizes)
  chosen = actions.reshape(len(actions), -1)
  if not len(actions) or mask.shape != (len(actions), ends[-1]) or chosen.shape[1] != len(ends):
    return None
  legal, starts = mask != 0, ends - sizes
  is_value = (0 <= chosen) & (chosen < sizes)
  places = starts + np.where(is_value, chosen, 0)
  judged = is_value & np.logical_or.reduceat(legal, starts, axis=1)
  wrong = judged & ~np.take_along_axis(legal, places, axis=1)
  if not wrong.any():
    return None
  row, choice = np.argwhere(wrong)[0].tolist()
  return Illegal(row, int(chosen[row, choice]), f' [{choice}]' if actions.ndim > 1 else '')


def in_leaves(leaves: Mapping[str, np.ndarray], action_spec: Any = None) -> Dict[str, Illegal]:
  """{path of an action: the first illegal one} of an episode.

  Args:
    leaves: by their paths, [T + 1, ...].
    action_spec: of the environment, which says of several choices at once which part of the mask is whose; a single
      choice has all of it. None leaves out the former.
  """
  found: Dict[str, Illegal] = {}
  masks = _masks(leaves)
  if not masks:
    return found
  choices = {path: spec for path, spec in specs.paths(action_spec).items() if specs.is_choice(spec)}
  for path, mask in masks.items():
    actions = leaves.get(f'action/{path}'.rstrip('/'))
    if actions is None or actions.dtype.kind not in 'iu' or mask.ndim != 2:
      continue
    sizes = np.ravel(choices[path].num_values) if path in choices else mask.shape[1:]
    illegal = first(mask[:-1], actions[:-1], sizes)
    if illegal is not None:
      found[path] = illegal
  return found


def _masks(leaves: Mapping[str, np.ndarray]) -> Dict[str, np.ndarray]:
  """The masks of actions, by the paths of those."""
  # The last action and reward may stand beside an observation.
  within = 'observation/observation' if 'observation/reward' in leaves else 'observation'
  start = f'{within}/{specs.ACTION_MASK}/'
  return {path[len(start) :]: leaf for path, leaf in leaves.items() if f'{path}/'.startswith(start)}
