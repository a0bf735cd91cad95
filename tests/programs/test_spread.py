"""A run with relays learns as one without."""

import os
import signal

import pytest

import tfacme
from tests.contract import environment
from tests.programs import processes
from tfacme import testing
from tfacme.agents import dqn
from tfacme.graph import nodes, program

_BEST = 4.0  # the return of the best policy there


def _experiment(steps):
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=100, batch_size=32, samples_per_insert=8.0)),
    networks=dqn.mlp_networks(hidden_sizes=(16,)),
    environment=environment.TwoStates,
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(every=0, episodes=5),
    checkpointing=tfacme.Checkpointing(best=False),
    layout=tfacme.Layout(actors=4, relays=2),
  )


def test_the_graph_shares_actors_out():
  made = tfacme.make_program(_experiment(1000))
  names = [node.name for node in nodes.of_program(made)]
  assert names[:5] == ['counter', 'replay', 'learner', 'relay-0', 'relay-1']
  edges = {(edge.source, edge.target): edge.label for edge in program.graph(made).edges}
  for index in range(4):
    assert edges[f'relay-{index % 2}', f'actor-{index}'] == 'variables'
    assert edges['learner', f'actor-{index}'] == 'variables'  # where a relay does not answer


@pytest.mark.parametrize(
  'engine',
  ['inline', pytest.param('local_mt', marks=pytest.mark.slow), pytest.param('local_mp', marks=pytest.mark.slow)],
)
def test_it_learns_and_goes_on(engine, tmp_path):
  for steps in (3000, 4000):
    tfacme.train(_experiment(steps), str(tmp_path), launch=engine, progress=False)
    logs = testing.logs(tmp_path)
    assert logs['evaluator'][-1]['actor_steps'] == str(steps)
  assert float(logs['evaluator'][-1]['episode_return']) >= _BEST - 0.5


@pytest.mark.slow
def test_a_relay_that_is_killed_is_made_anew(tmp_path):
  command = processes.tfacme(
    *f'train dqn --env {environment.__name__}:TwoStates --actors 2 --relays 1 --launch local_mp --workdir'.split(),
    str(tmp_path),
    *'--steps 6000 --evaluation.every 0'.split(),
  )
  command.wait_for(tmp_path / 'logs' / 'learner.csv', 2)
  os.kill(command.named('relay-0'), signal.SIGKILL)
  ended = command.wait(120)
  assert (ended.code, ended.left) == (0, []), ended.err
  assert (
    'The node relay-0 has failed, and is made anew (1 of 3 times in an hour): It was killed by SIGKILL'
    in ' '.join(ended.err.split())
  )
  assert testing.logs(tmp_path)['evaluator'][-1]['actor_steps'] == '6000'


def test_more_relays_than_actors_are_one_line(tmp_path):
  ended = processes.tfacme(*'train dqn --env bsuite:catch/0 --actors 2 --relays 3 --workdir'.split(), str(tmp_path))
  ended = ended.wait(100)
  assert ended.code == 2 and '3 relays are more than the 2 actors' in ended.err and not ended.left
