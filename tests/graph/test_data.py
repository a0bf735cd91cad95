"""Recorded data in a run with actors: a share of each batch, what its tables begin with, and what is refused."""

import dataclasses
import itertools

import cloudpickle
import numpy as np
import pytest

import tfacme
from tests.contract import beside, environment, layers, prefilled
from tfacme import datasets, errors, testing
from tfacme.agents import bc, dqn, ppo, r2d2
from tfacme.datasets import layout
from tfacme.graph import nodes, plan, program
from tfacme.replay import ahead, recorded, relabelling, sources

EPISODES = 20
DATA = datasets.memory(environment.record(EPISODES, mistakes=0.3))
SIZES = {'min_replay_size': 20, 'batch_size': 32, 'samples_per_insert': 16.0}
SEQUENCES = r2d2.R2D2Config(burn_in=1, trace_length=3, sequence_period=2, **SIZES)
AGENTS = {
  'dqn': (dqn, dqn.DQNBuilder(dqn.DQNConfig(n_step=3, **SIZES))),
  'r2d2': (r2d2, r2d2.R2D2Builder(SEQUENCES)),
  'continuing': (r2d2, r2d2.R2D2Builder(dataclasses.replace(SEQUENCES, trace_length=7, across_episodes=True))),
  'ppo': (ppo, ppo.PPOBuilder(ppo.PPOConfig(batch_size=4, minibatches=1))),
  'bc': (bc, bc.BCBuilder()),
}


def _experiment(agent='dqn', **changes):
  package, builder = AGENTS[agent]
  parts = {
    'builder': builder,
    'environment': environment.TwoStates,
    'networks': package.default_networks(hidden_sizes=(8,)),
    'budget': tfacme.Budget(actor_steps=400),
    'evaluation': tfacme.Evaluation(every=0, episodes=2),
  }
  return tfacme.Experiment(**{**parts, **changes})


def _plan(agent='dqn', **changes):
  return plan.make_plan(_experiment(agent, **changes))


# --- A share of each batch ---


@pytest.mark.parametrize('agent', ['dqn', 'r2d2', 'continuing'])
def test_a_share_of_each_batch_is_recorded(agent):
  made = _plan(agent, dataset=DATA, dataset_share=0.25)
  (table,) = made.described
  replay, data = made.source.parts
  assert replay == sources.Sample('replay', 24)
  assert isinstance(data, recorded.Recorded) and (data.items, data.batch_size) == (table.items, 8)
  assert data.step_spec == made.step_spec


def test_it_learns_as_often_as_without():
  """Of every 16 items that are sampled for an insert, the data give their share."""
  (plain,), (shared,) = (_plan(**parts).described for parts in ({}, {'dataset': DATA, 'dataset_share': 0.25}))
  assert shared.limiter == plain.limiter.part_of(0.75) and shared.limiter.samples_per_insert == 12.0


@dataclasses.dataclass(frozen=True)
class _Signs(dqn.DQNBuilder):
  """Learns from the signs of rewards."""

  def relabel(self, spec):
    return relabelling.by_row(lambda step: step._replace(reward=np.sign(step.reward)))


def test_the_data_is_rewritten_as_the_rows_of_actors_are():
  _, data = _plan(builder=_Signs(), dataset=DATA, dataset_share=0.5).source.parts
  assert {float(x) for episode in data.episodes() for x in episode.reward} <= {-1.0, 0.0, 1.0}


# --- What tables begin with ---


@pytest.mark.parametrize('agent', ['dqn', 'r2d2', 'continuing'])
def test_tables_begin_with_recorded_data(agent):
  """Its rows are the agent's own, with a state of zeros where that is one of them."""
  (plain,), made = _plan(agent).described, _plan(agent, prefill=DATA)
  (table,), (role,) = made.described, made.roles
  assert table.written_by == ('actor', 'prefill') and role._episodes.step_spec == made.step_spec
  assert role.zeros == table.items.once == (() if agent == 'dqn' else ('state',))
  items = role.inserts()['replay']
  assert table.limiter == plain.limiter.prefilled(items) and items > EPISODES
  assert made.phases[0] == ['prefill']


@pytest.mark.parametrize('agent', ['dqn', 'continuing'])
def test_recorded_data_are_read_once_before_they_are_written(agent, tmp_path, monkeypatch):
  """Where items run on into the next episode, how many there are goes by the order of the episodes."""
  with datasets.RLDSWriter(tmp_path, DATA.spec()) as writer:
    for episode in DATA.steps:
      writer.write(episode)
  read, reads = layout.Layout.read, []
  monkeypatch.setattr(layout.Layout, 'read', lambda *given, **more: reads.append(None) or read(*given, **more))
  ours, theirs = (_plan(agent, prefill=data).roles[0].inserts() for data in (datasets.rlds(tmp_path), DATA))
  assert ours == theirs and len(reads) == EPISODES


def test_both_at_once():
  made = _plan(dataset=DATA, dataset_share=0.5, prefill=datasets.memory(environment.record(3)))
  (table,) = made.described
  (plain,) = _plan().described
  items = 3 * environment.LENGTH
  assert table.limiter == plain.limiter.part_of(0.5).prefilled(items) and table.limiter.prefill == items
  assert isinstance(made.source, sources.Mix)


@pytest.mark.slow
def test_a_run_repeats_and_resumes_bit_for_bit(tmp_path):
  both = {'dataset': DATA, 'dataset_share': 0.5, 'prefill': DATA, 'budget': tfacme.Budget(actor_steps=120)}
  whole = testing.check_repeats(_experiment(**both), tmp_path / 'repeats')
  testing.check_resumes(_experiment(**both), tmp_path / 'resumes', whole)


def test_how_long_data_take_changes_nothing_of_a_run(tmp_path, monkeypatch):
  parts = {'dataset': DATA, 'dataset_share': 0.5, 'budget': tfacme.Budget(actor_steps=60)}
  tfacme.train(_experiment(**parts), str(tmp_path / 'at once'), progress=False)
  ready, there = ahead.Ahead.ready, itertools.cycle([False, False, False, True])
  late = lambda self, wait=None: (wait is None or next(there)) and ready(self, wait)
  monkeypatch.setattr(ahead.Ahead, 'ready', late)
  tfacme.train(_experiment(**parts), str(tmp_path / 'late'), progress=False)
  at_once, later = (testing.logs(tmp_path / name) for name in ('at once', 'late'))
  assert len(at_once['learner']) > 5 and later == at_once


def test_it_is_sent_to_its_own_node_alone():
  large = datasets.memory(environment.record(900))
  made = nodes.of_program(program.make_program(_experiment(prefill=large)))
  sizes = {node.name: len(cloudpickle.dumps(node.run)) for node in made}
  assert sizes.pop('prefill') > max(sizes.values()) + 100_000


def test_a_learner_alone_needs_no_prefill():
  """What it has written is in the replay of a checkpoint: the data may be gone."""

  class Gone:
    def episodes(self, seed=0):
      raise AssertionError('Nobody reads it.')

  tfacme.make_learner(_experiment(prefill=Gone()))


# --- What counts for nothing ---


def test_what_is_of_actors_is_said_to_count_for_nothing_from_data_alone(caplog):
  offline = {'dataset': DATA, 'budget': tfacme.Budget(learner_steps=10)}
  config = dqn.DQNConfig(min_replay_size=20, epsilon=0.5, batch_size=8)
  _plan(builder=dqn.DQNBuilder(dqn.DQNConfig(batch_size=8)), **offline)  # The defaults are nobody's wish.
  _plan(builder=dqn.DQNBuilder(config))
  assert not caplog.messages
  _plan(builder=dqn.DQNBuilder(config), **offline)
  _plan(builder=dqn.DQNBuilder(dqn.DQNConfig(priority_exponent=0.5)), **offline)
  assert caplog.messages == [
    f'A run from recorded data alone has no actors and no replay: {idle} for nothing there.'
    for idle in ('min_replay_size and epsilon count', 'priority_exponent counts')
  ]


# --- What is refused ---

_OFFLINE = tfacme.Budget(learner_steps=10)
_MIXES = {'builder': beside.Builder(), 'networks': layers.linear, 'dataset_share': 0.5}
_FILLS = {'builder': prefilled.Builder(), 'networks': layers.linear, 'prefill': DATA}


@pytest.mark.parametrize(
  'agent, changes, says',
  [
    ('dqn', {'dataset': DATA}, r'reads nothing but replay in a run with actors; .*--dataset-share 0.5.*--prefill'),
    ('dqn', {'dataset': DATA, 'prefill': DATA}, 'reads nothing but replay in a run with actors'),
    ('dqn', {'dataset_share': 0.5}, r'dataset_share .* the experiment has none; give it one \(--dataset\)'),
    ('dqn', {'dataset': DATA, 'dataset_share': 0.5, 'budget': _OFFLINE}, 'from its dataset alone; leave dataset_share'),
    ('dqn', {'dataset': DATA, 'prefill': DATA, 'budget': _OFFLINE}, 'A prefill .* run of learner steps has none'),
    ('dqn', {'dataset': DATA, 'dataset_share': 0.01}, 'leaves a part without an item; make the batch larger'),
    ('ppo', {'dataset': DATA, 'dataset_share': 0.5}, "learns from each item of its 'queue' once"),
    ('ppo', {'prefill': DATA}, 'learns from each item once, by what its newest policy did'),
    ('bc', {'prefill': DATA}, 'no replay tables that actors could fill'),
    ('dqn', {**_MIXES, 'dataset': DATA}, 'into its batches by itself; leave dataset_share out'),
    ('dqn', {**_FILLS, 'dataset': DATA}, "a role 'prefill' of its own"),
    ('dqn', {'dataset': DATA, 'dataset_share': 1.0}, 'dataset_share.* is 1.0, and has to be less than 1'),
    ('dqn', {'dataset': DATA, 'dataset_share': 0}, 'dataset_share.* is 0, and has to be more than 0'),
    ('dqn', {'prefill': 'recordings'}, "prefill is 'recordings', and has to be recorded data, such as datasets.rlds"),
  ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(agent, changes, says):
  with pytest.raises(errors.UserError, match=says) as caught:
    _plan(agent, **changes)
  assert '\n' not in str(caught.value)
