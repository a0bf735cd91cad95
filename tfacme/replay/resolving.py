"""Resolves a builder's source for a run: which tables, which data, which rows."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from tfacme import core, errors, specs
from tfacme.datasets.several import block_bytes
from tfacme.replay import recorded, sources, tables


@dataclasses.dataclass(frozen=True)
class Given:
  """What a run gives its source.

  Attributes:
    described: the builder's tables.
    step_spec: the spec of one row of the agent's own stream.
    dataset: the experiment's recorded data, or None.
    offline: whether there are no actors and no replay: what is sampled then comes from the experiment's data.
    fit: checks a data set and brings it into the form of the environment; raises a `UserError` where it can't. It is
      told whether the data have to have rewards.
    relabel: how the agent's rows are rewritten before they come into its tables, or None.
    environment: makes the environment from a seed; for those who play in it.
    spec: of the environment.
    seed: of the run.
    counts: of each node in the checkpoint to resume from, if that has the replay.
    share: with actors, how much of what would be sampled from their tables is read from the experiment's data instead;
      None is nothing.
  """

  described: Sequence[tables.Table]
  step_spec: core.Step
  dataset: Any
  offline: bool
  fit: Callable[[Any, bool], Any]
  relabel: Optional[core.Relabel] = None
  environment: Any = None
  spec: Optional[specs.EnvironmentSpec] = None
  seed: int = 0
  counts: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
  share: Optional[float] = None


def resolve(source: sources.Source, given: Given) -> Any:
  """A source with `recorded.Recorded` in the place of all that is read from recorded data.

  Raises:
    UserError: if it names what is not there, could never be filled, or does not fit the environment.
  """
  if given.share is not None and any(isinstance(leaf, sources.Data) for leaf in sources.leaves(source)):
    raise errors.UserError(
      'dataset_share is for agents that learn from replay alone, and this one takes recorded data into its batches by '
      'itself; leave dataset_share out.'
    )
  return _resolve(source, given, None)


def _resolve(source: Any, given: Given, extras: Optional[core.Nest]) -> Any:
  """Args: extras: the spec of what its rows have to have, or None if that is left to it."""
  if isinstance(source, sources.Sample):
    return _resolve_sample(source, given)
  if isinstance(source, sources.Data):
    return resolve_data(source, given, extras)
  if isinstance(source, sources.Map):
    return dataclasses.replace(source, source=_resolve(source.source, given, extras))
  if isinstance(source, sources.Mix):
    return _resolve_mix(source, given, extras)
  return sources.Together({name: _resolve(part, given, None) for name, part in source.sources.items()})


def _resolve_sample(source: sources.Sample, given: Given) -> Any:
  table = tables.find(given.described, source.table)
  # A state that is recorded is of the network that acted there, not of the one that learns; all else has to be there.
  data = sources.Data(table.items, source.batch_size, zeros=table.items.once, relabel=given.relabel)
  if given.offline:
    return resolve_data(data, given, given.step_spec.extras)
  if given.share is not None and 'actor' in table.written_by:
    return _resolve_mix(_mixed(source, data, table, given.share), dataclasses.replace(given, share=None), None)
  tables.check_batch(table, source.batch_size)
  return source


def _mixed(source: sources.Sample, data: sources.Data, table: tables.Table, share: float) -> sources.Mix:
  """A batch of which a share is recorded (Ball et al. 2023, section 4.1: symmetric sampling, with one half).

  Within each part an item has a probability of its own, and a weight that makes up for it. So what is learned from is
  what a uniform sample of the table and one of the data would be in these shares, also where the table is prioritized.
  """
  if table.is_queue:
    raise errors.UserError(
      f'dataset_share is for agents that learn from old items again, and this one learns from each item of its '
      f'{table.name!r} once, by what its newest policy did; leave dataset_share out, or take an off-policy agent.'
    )
  return sources.Mix([(source, 1 - share), (data, share)], source.batch_size)


def resolve_data(source: sources.Data, given: Given, extras: Optional[core.Nest]) -> recorded.Recorded:
  """Recorded data as it is read; `extras` is the spec of what its rows have to have, None those that were recorded."""
  dataset = given.dataset if source.dataset is None else source.dataset
  if dataset is None:
    raise errors.UserError('This agent learns from recorded data; give the experiment a dataset (--dataset).')
  if source.items.length is None:
    raise errors.UserError('Whole episodes can be sampled from a replay table, but not from recorded data.')
  shuffle_bytes = block_bytes(dataset) if source.shuffle_bytes is None else source.shuffle_bytes
  dataset = given.fit(dataset, source.rewards)
  has, relabel = dataset.spec().extras, source.relabel
  if relabel is not None:
    has = with_extras(has, relabel)
  known = _named(given.step_spec.extras)
  zeros = {name: known[name] for name in source.zeros if name in known}
  if extras is None:
    extras = {**_named(has), **zeros} if zeros else has
  _check_extras(extras, has, source.zeros, getattr(dataset, 'left_out', ()))
  step_spec = given.step_spec._replace(extras=extras)
  return recorded.Recorded(source.items, source.batch_size, dataset, shuffle_bytes, step_spec, relabel, tuple(zeros))


def _resolve_mix(source: sources.Mix, given: Given, extras: Optional[core.Nest]) -> sources.Mix:
  if extras is None:
    extras = given.step_spec.extras if sources.samples(source) else _shared(source, given)
  parts = [_resolve(part, given, extras) for part in source.parts]
  mix = sources.Mix([(part, share) for part, (_, share) in zip(parts, source.shares)], source.batch_size)
  _check_alike([_items(leaf, given) for leaf in sources.leaves(mix)])
  return mix


def _shared(source: sources.Mix, given: Given) -> Dict[str, Any]:
  """The extras that all of several data sets have."""
  has = [_named(leaf.step_spec.extras) for part in source.parts for leaf in sources.leaves(_resolve(part, given, None))]
  return {name: spec for name, spec in has[0].items() if all(name in own for own in has)}


def with_extras(extras: core.Nest, relabel: Optional[core.Relabel]) -> core.Nest:
  """The extras of rows once they are rewritten."""
  added = relabel.extras if relabel is not None else {}
  if added and not (isinstance(extras, Mapping) or extras == ()):
    raise errors.UserError(f'A relabeller adds {sorted(added)} to extras that have no names; make them a dict.')
  return {**(extras or {}), **added} if added else extras


def _named(extras: core.Nest) -> Dict[str, Any]:
  """The extras by their names."""
  if isinstance(extras, Mapping):
    return dict(extras)
  return {str(i): part for i, part in enumerate(extras)} if isinstance(extras, (tuple, list)) else {'': extras}


def _check_extras(wanted: core.Nest, has: core.Nest, zeros: Sequence[str], left_out: Sequence[str]) -> None:
  """Raises a `UserError` unless the extras of recorded rows are what is wanted, but for those that are zeros.

  Args:
    wanted, has: specs of both.
    zeros: names of those that are zeros.
    left_out: what is not read of the data, in words.
  """
  wanted = {path: spec for path, spec in specs.paths(wanted).items() if path.partition('/')[0] not in zeros}
  has = specs.paths(has)
  missing = sorted({path.partition('/')[0] for path in wanted if path not in has})
  if missing:
    known = [what for what in left_out if what.startswith('extras/')]
    raise errors.UserError(
      f'The data set has no extras {missing}{f" (not read of it: {errors.listed(known)})" if known else ""}, which the '
      'rows of this agent have: its own policy adds them as it acts, so that what others have recorded is not for it; '
      'or name them in `zeros` of the source (sources.Data) if zeros will do.'
    )
  for path, spec in wanted.items():
    theirs = has.get(path, spec)
    if tuple(theirs.shape) != tuple(spec.shape) or theirs.dtype != spec.dtype:
      raise errors.UserError(
        f'The extras {path!r} of the data set are {theirs.dtype} {list(theirs.shape)}, and those of this agent are '
        f'{spec.dtype} {list(spec.shape)}; record them anew, or leave them out of the data.'
      )


def _items(leaf: Any, given: Given) -> Dict[str, Any]:
  """What the rows of an item are, whichever of them start one."""
  items = leaf.items if isinstance(leaf, recorded.Recorded) else tables.find(given.described, leaf.table).items
  fields = {field.name: getattr(items, field.name) for field in dataclasses.fields(items)}
  return {name: value for name, value in fields.items() if name not in ('period', 'end')}


def _check_alike(items: List[Dict[str, Any]]) -> None:
  """Raises a `UserError` if the items of several sources differ, so that no batch can hold items of all."""
  for name in items[0]:
    found = [own[name] for own in items]
    if any(own != found[0] for own in found):
      raise errors.UserError(f'The parts of a Mix have items with different {name}, {found}; give them the same.')
  if items[0]['length'] is None:
    raise errors.UserError('The parts of a Mix have items of one length, and whole episodes have none.')
