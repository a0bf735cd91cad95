"""Names of variables: their places in what holds them, the same in every process.

The names that TensorFlow's variables have of their own are not: Keras counts its layers up, and the order in which a
module lists its variables differs between a model and another one of the same form. The way from attribute to attribute
is the same wherever the same code has made the module. It is what TensorFlow's checkpoints go by, too.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Any, Deque, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import tensorflow as tf

from tfacme import errors


def places(root: Any) -> Dict[str, tf.Variable]:
  """{place: variable} of all variables in a nest of modules: `q/_layers/0/w`; the shortest way to each."""
  found: Dict[str, tf.Variable] = {}
  seen = {id(root): root}  # It holds on to them, since another object may take the place of one that is gone.
  queue: Deque[Tuple[Tuple[str, ...], Any]] = collections.deque([((), root)])
  while queue:
    way, node = queue.popleft()
    if isinstance(node, tf.Variable):
      found['/'.join(way) or 'variable'] = node
      continue
    for name, child in _children(node):
      if id(child) not in seen:
        seen[id(child)] = child
        queue.append(((*way, name), child))
  return found


def _children(node: Any) -> Iterable[Tuple[str, Any]]:
  if hasattr(node, '_trackable_children'):  # All that TensorFlow's checkpoints know, with lists and dicts in modules.
    return tf.train.TrackableView.children(node).items()
  if isinstance(node, Mapping):
    return [(str(key), child) for key, child in node.items()]
  if isinstance(node, (list, tuple)):
    return [(str(index), child) for index, child in enumerate(node)]
  if dataclasses.is_dataclass(node) and not isinstance(node, type):
    return [(field.name, getattr(node, field.name)) for field in dataclasses.fields(node)]
  return ()


def named(holder: Any, within: Any = None) -> Dict[str, tf.Variable]:
  """The variables of a module, or of a nest of modules and variables, by name.

  Args:
    holder: the module, or the nest.
    within: the networks of which it is a part or around which it is. If they hold all of its variables, these are named
      by their places there, however `holder` itself holds them; else, as those of a copy, by their places in `holder`.

  Raises:
    UserError: it holds variables in a place that TensorFlow doesn't see.
  """
  wanted = _variables(holder)
  for root in (within, holder):
    names = {id(variable): place for place, variable in places(root).items()}
    if all(id(variable) in names for variable in wanted):
      return {names[id(variable)]: variable for variable in wanted}
  lost = [variable.name for variable in wanted if id(variable) not in names]
  raise errors.UserError(
    f'{type(holder).__name__} holds variables where TensorFlow neither finds nor saves them: {", ".join(lost)}; put '
    'what holds them into an attribute of a module, by itself or in a list, tuple or dict.'
  )


def _variables(holder: Any) -> List[tf.Variable]:
  """Each once."""
  if isinstance(holder, tf.Module):
    found = holder.variables
  elif isinstance(holder, tf.Variable):
    found = [holder]
  else:
    found = [variable for _, child in _children(holder) for variable in _variables(child)]
  return list({id(variable): variable for variable in found}.values())


def match(names: Sequence[str], others: Sequence[str]) -> Optional[Dict[str, str]]:
  """For each name the one of `others` that is the same.

  Or, of a module and its copy, which are held in different places, the same from where the names in each begin to
  differ; None if there is no such name.
  """
  for view in (list, relative):
    there = dict(zip(view(others), others))
    mine = view(names)
    if all(name in there for name in mine):
      return {name: there[seen] for name, seen in zip(names, mine)}
  return None


def relative(names: Iterable[str]) -> List[str]:
  """The names without the way that they have in common."""
  ways = [name.split('/') for name in names]
  depth = 0
  while ways and all(len(way) > depth + 1 and way[depth] == ways[0][depth] for way in ways):
    depth += 1
  return ['/'.join(way[depth:]) for way in ways]
