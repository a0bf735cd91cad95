"""Prefilled: demonstrations and random steps stand in the table before actors write, and one table has no others."""

import dataclasses

import tfacme
from tests.contract import beside, environment, layers
from tfacme import datasets
from tfacme.replay import items, sources, tables
from tfacme.workers import prefill

PAIRS = items.Items(length=2)
RECORDED = 40  # episodes
RANDOM = 100  # steps: a whole number of episodes


@dataclasses.dataclass(frozen=True)
class Builder(beside.Builder):
  """Q-learning from a table that three roles write, and one that the demonstrations have to themselves."""

  def tables(self, spec):
    limiter = tables.sample_to_insert_ratio(8.0, 50, error_buffer=50.0)
    both = tables.Table(PAIRS, limiter, 5000, 'replay', written_by=('actor', 'prefill', 'random'))
    return [both, tables.Table(PAIRS, tables.min_size(10), 5000, 'demonstrations', written_by='prefill')]

  def source(self, spec):
    return sources.Mix({sources.Sample('replay', 1): 0.5, sources.Sample('demonstrations', 1): 0.5}, batch_size=32)

  def workers(self, spec):
    return [prefill.Prefill(zeros=['values']), prefill.Prefill('random', steps=RANDOM, zeros=['values'])]


def experiment(seed: int = 0) -> tfacme.Experiment:
  """The demonstrations are the experiment's data set."""
  return tfacme.Experiment(
    Builder(),
    environment.TwoStates,
    layers.linear,
    tfacme.Budget(actor_steps=4000),
    seed,
    dataset=datasets.memory(environment.record(RECORDED, mistakes=0.2)),
  )
