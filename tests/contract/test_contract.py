"""The contract carries agents of every kind: each toy learns on every engine, to exactly its steps."""

import dataclasses
import functools
import os
import pathlib
import threading
import time

import cloudpickle
import pytest

import tfacme
from tests.contract import (
  average,
  beside,
  distributional,
  dropout,
  environment,
  hybrid,
  imitation,
  keras_networks,
  masked,
  noisy,
  offline,
  offline_recurrent,
  on_policy,
  planner,
  prefilled,
  recurrent,
  relabelled,
  stubborn,
  two_parts,
)
from tfacme import core, datasets, specs, testing
from tfacme.graph import nodes

TOYS = {
  'on_policy': on_policy.experiment,
  'recurrent': recurrent.experiment,
  'imitation': imitation.experiment,
  'planner': planner.experiment,
  'average': average.experiment,
  'keras': keras_networks.experiment,
  'offline': offline.experiment,
  'offline_recurrent': offline_recurrent.experiment,
  'beside': beside.experiment,
  'relabelled': relabelled.experiment,
  'prefilled': prefilled.experiment,
  'noisy': noisy.experiment,
  'dropout': dropout.experiment,
  'hybrid': hybrid.experiment,
  'masked': masked.experiment,
  'stubborn': stubborn.experiment,
  'two_parts': two_parts.experiment,
  **{f'{head}_critic': functools.partial(distributional.experiment, head) for head in distributional.HEADS},
}
LAYOUT = tfacme.Layout(actors=2, slots=2)
ENOUGH = environment.BEST - 0.5
OTHER_HEADS = ('quantiles_critic', 'mixture_critic')  # differ from the third one in what their values are made of
# Those with which an engine has something of their own to carry are on all three; the others, of which it sees nothing
# but nodes, in one thread and, in turn, on one of those with several nodes at once.
CARRIED = (
  *('on_policy', 'offline', 'offline_recurrent', 'beside', 'relabelled', 'prefilled'),
  *('noisy', 'dropout', 'hybrid', 'masked', 'stubborn', 'two_parts'),
)
OTHERS = [toy for toy in TOYS if toy not in (*CARRIED, *OTHER_HEADS)]
FAST = {('on_policy', 'local_mt'), ('offline', 'local_mp')}
SLOWER = (*OTHER_HEADS, 'discrete_critic', 'keras', 'hybrid', 'two_parts')
QUICK = {*FAST, *((toy, 'inline') for toy in TOYS if toy not in SLOWER)}
RUNS = [
  pytest.param(toy, engine, marks=[] if (toy, engine) in QUICK else [pytest.mark.slow])
  for engine, toys in {
    'inline': list(TOYS),
    'local_mt': [*CARRIED, *OTHERS[::2]],
    'local_mp': [*CARRIED, *OTHERS[1::2]],
  }.items()
  for toy in toys
]
# These keep what DQN keeps, which tests/programs/test_agents.py looks at, or what the first of three heads keeps.
KEPT_ALIKE = ('masked', 'two_parts', 'keras', 'quantiles_critic', 'mixture_critic')
OWN_UPDATES = ('on_policy', 'recurrent', 'imitation', 'planner', 'average', 'beside', 'discrete_critic')


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
  """The folder of an RLDS data set."""
  path = str(tmp_path_factory.mktemp('recording'))
  spec = core.step_spec(specs.environment_spec(environment.TwoStates(seed=0)))
  with datasets.RLDSWriter(path, spec) as writer:
    for episode in environment.record(200, mistakes=0.3, truncates=True):
      writer.write(episode)
  return path


@pytest.fixture
def make(recording):
  """A function from the name of a toy, and changes, to its experiment."""

  def experiment(toy, **changes):
    experiment = TOYS[toy](*([recording] if toy == 'offline' else []))
    return dataclasses.replace(experiment, layout=LAYOUT, **changes)

  return experiment


REPEATED = ('recurrent', 'planner', 'imitation', 'prefilled', 'noisy', 'hybrid', 'offline')


@pytest.mark.parametrize('toy, engine', RUNS)
def test_it_learns_in_exactly_its_steps(toy, engine, make, tmp_path):
  experiment = make(toy)
  run = testing.check_runs(experiment, tmp_path, engine)
  final = testing.logs(tmp_path)['evaluator'][-1]
  assert float(final['episode_return']) >= ENOUGH
  assert int(final[experiment.budget.unit]) == experiment.budget.steps
  if engine == 'inline':  # The policy that it exported; for the other engines it is enough that `check_runs` plays it.
    assert run.evaluate(episodes=10).mean >= ENOUGH
  _check_actors(experiment, tmp_path)
  assert _left(experiment) == []


@pytest.mark.slow
def test_imitation_is_of_the_expert_whatever_the_environment_pays(tmp_path):
  """An expert who does everything wrong is followed as well: nothing comes through from the environment's rewards."""
  experiment = imitation.experiment(mistakes=1.0)
  tfacme.train(experiment, str(tmp_path))
  assert float(testing.logs(tmp_path)['evaluator'][-1]['episode_return']) <= 0.5


@pytest.mark.parametrize('toy', TOYS)
def test_its_nodes_travel(toy, make):
  testing.check_travels(make(toy))


def test_recorded_data_travel_to_the_learner_alone():
  data = datasets.memory(environment.record(1000))
  offline_run = dataclasses.replace(offline.experiment(''), dataset=data)
  with_actors = imitation.experiment()
  builder = dataclasses.replace(with_actors.builder, demonstrations=data)
  with_actors = dataclasses.replace(with_actors, layout=LAYOUT, builder=builder)
  for experiment in (offline_run, with_actors):
    sizes = {n.name: len(cloudpickle.dumps(n.run)) for n in nodes.of_program(tfacme.make_program(experiment))}
    assert sizes.pop('learner') > 200_000
    assert max(sizes.values()) < 100_000


@pytest.mark.slow
@pytest.mark.parametrize('toy', OWN_UPDATES)
def test_what_its_update_keeps_is_saved(toy, make):
  testing.check_update(make(toy))


@pytest.mark.slow
@pytest.mark.parametrize('toy', [toy for toy in TOYS if toy not in KEPT_ALIKE])
def test_it_repeats_inline_and_resumes(toy, make, tmp_path):
  """All that a toy draws, its own actor and the recorded data included, is a function of the seed."""
  unit = make(toy).budget.unit
  experiment = make(toy, budget=tfacme.Budget(**{unit: 200 if toy == 'offline' else 300}))
  whole = testing.check_repeats(experiment, tmp_path / 'repeats') if toy in REPEATED else None
  testing.check_resumes(experiment, tmp_path / 'resumes', whole)


def _check_actors(experiment, run: pathlib.Path) -> None:
  """Checks that the logged episodes are the budget, but for those that its end cut off; an offline run has none."""
  rows = [row for name, rows in testing.logs(run).items() if name.startswith('actor-') for row in rows]
  assert {int(row['episode_length']) for row in rows} <= {environment.LENGTH}
  cut = (experiment.budget.actor_steps or 0) - environment.LENGTH * len(rows)
  assert 0 <= cut < environment.LENGTH * LAYOUT.actors * LAYOUT.slots


def _left(experiment):
  """Which nodes still run, in a thread or in a process, when they have had a moment to go."""
  roles = experiment.builder.workers(specs.environment_spec(experiment.environment(0)))
  names = ['counter', 'replay', 'learner', 'saver', 'evaluator', *(f'actor-{i}' for i in range(LAYOUT.actors))]
  names += [name for role in roles for name in role.node_names()]
  deadline = time.monotonic() + 3
  while (left := _threads(names) + _processes()) and time.monotonic() < deadline:
    time.sleep(0.1)
  return left


def _threads(names):
  return [thread.name for thread in threading.enumerate() if thread.name in names]


def _processes():
  """The names of the children of our children: those of the server that forks nodes, which goes on itself."""
  parents, names = {}, {}
  for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
      stat = pathlib.Path('/proc', pid, 'stat').read_text()
    except OSError:  # It has just ended.
      continue
    names[int(pid)], (state, parent) = stat[stat.index('(') + 1 : stat.rindex(')')], stat.rpartition(')')[2].split()[:2]
    if state != 'Z':
      parents[int(pid)] = int(parent)
  return [names[pid] for pid, parent in parents.items() if parents.get(parent) == os.getpid()]
