"""The tables of a Reverb server, made from their descriptions."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import reverb
import tensorflow as tf

from tfacme.replay import packing, streams, tables


def server_tables(described: Sequence[tables.Table], codec: packing.Codec) -> List[reverb.Table]:
  """The tables of a Reverb server."""
  return [
    reverb.Table(
      name=table.name,
      sampler=_selector(table.sampler),
      remover=_selector(table.remover),
      max_size=table.max_size,
      rate_limiter=_limiter(table.limiter),
      max_times_sampled=table.max_times_sampled,
      signature=signature(table, codec),
    )
    for table in described
  ]


def checkpointer(path: str) -> Any:
  """What a Reverb server writes its checkpoints with; it starts from the newest one in the folder `path`."""
  return reverb.platform.checkpointers_lib.DefaultCheckpointer(path)


def _selector(selector: tables.Selector) -> Any:
  if isinstance(selector, tables.Prioritized):
    return reverb.selectors.Prioritized(selector.exponent)
  plain = {
    tables.Uniform: reverb.selectors.Uniform,
    tables.Fifo: reverb.selectors.Fifo,
    tables.Lifo: reverb.selectors.Lifo,
  }
  return plain[type(selector)]()


def _limiter(limiter: tables.Limiter) -> reverb.rate_limiters.RateLimiter:
  return reverb.rate_limiters.RateLimiter(limiter.samples_per_insert, limiter.min_size, limiter.low, limiter.high)


def signature(table: tables.Table, codec: packing.Codec) -> Dict[str, Any]:
  """The tensors of an item, as the server checks them."""
  tensors: Dict[str, Any] = {}
  for name, count in codec.counts(table.items).items():
    size = codec.columns[name].bytes
    if table.items.length is not None and codec.which(table.items)[name] == 'ends':
      tensors[name] = [tf.TensorSpec([1, size], tf.uint8)] * 2
    else:
      tensors[name] = tf.TensorSpec([count, size], tf.uint8)
  return tensors


def usage(info: Any, table: tables.Table) -> streams.Usage:
  """How much a table is used, by what its server says of it."""
  limiter = info.rate_limiter_info  # A server that is restored from a checkpoint keeps its counts.
  return streams.usage(table, info.current_size, limiter.insert_stats.completed, limiter.sample_stats.completed)
