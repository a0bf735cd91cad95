"""A run with relays and with several replay servers learns as one without."""

import os
import signal

import pytest

import tfacme
from tests.contract import environment
from tests.programs import processes
from tfacme import checkpoints, errors, testing
from tfacme.agents import dqn
from tfacme.graph import nodes, program

_BEST = 4.0  # the return of the best policy there


def _experiment(steps, layout=tfacme.Layout(actors=4, relays=2, replays=2)):
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=100, batch_size=32, samples_per_insert=8.0)),
    networks=dqn.mlp_networks(hidden_sizes=(16,)),
    environment=environment.TwoStates,
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(every=0, episodes=5),
    checkpointing=tfacme.Checkpointing(best=False),
    layout=layout,
  )


def test_the_graph_shares_actors_out():
  made = tfacme.make_program(_experiment(1000))
  names = [node.name for node in nodes.of_program(made)]
  assert names[:6] == ['counter', 'replay-0', 'replay-1', 'learner', 'relay-0', 'relay-1']
  edges = {(edge.source, edge.target): edge.label for edge in program.graph(made).edges}
  assert edges['replay-1', 'learner'] == 'batches' and edges['replay-1', 'saver'] == 'state'
  for index in range(4):
    assert edges[f'actor-{index}', f'replay-{index % 2}'] == 'steps'
    assert edges[f'relay-{index % 2}', f'actor-{index}'] == 'variables'
    assert edges['learner', f'actor-{index}'] == 'variables'  # where a relay does not answer


@pytest.mark.parametrize(
  'engine',
  ['inline', pytest.param('local_mt', marks=pytest.mark.slow), pytest.param('local_mp', marks=pytest.mark.slow)],
)
def test_it_learns_and_goes_on(engine, tmp_path, caplog):
  for steps in (3000, 4000):
    tfacme.train(_experiment(steps), str(tmp_path), launch=engine, progress=False)
    logs = testing.logs(tmp_path)
    row = logs['learner'][-1]
    assert 0.9 * steps < float(row['replay_size']) <= steps  # in both servers together
    assert float(row['replay_samples_per_insert']) == pytest.approx(8.0, rel=0.1)
    assert logs['evaluator'][-1]['actor_steps'] == str(steps)
  assert float(logs['evaluator'][-1]['episode_return']) >= _BEST - 0.5
  assert 'starts with an empty one' not in caplog.text
  assert {'replay-0', 'replay-1'} <= set(os.listdir(checkpoints.latest(str(tmp_path / 'checkpoints'))))
  tfacme.train(_experiment(5000, tfacme.Layout(actors=4)), str(tmp_path), launch=engine, progress=False)
  if engine != 'local_mp':  # There a process of its own says so.
    assert caplog.text.count('was in 2 servers (--replays); this run starts with an empty one') == 1


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


@pytest.mark.parametrize(
  'nodes, says',
  [
    ('relays', '3 relays are more than the 2 actors: take fewer'),
    ('replays', 'Each replay server has as many of the actors, and 2 can not be shared out among 3'),
  ],
)
def test_what_does_not_go_with_the_actors_is_one_sentence(nodes, says):
  with pytest.raises(errors.UserError, match=says):
    tfacme.Layout(actors=2, **{nodes: 3})


def test_what_several_servers_can_not_share_is_one_line(tmp_path):
  ended = processes.tfacme(*'train ppo --env bsuite:catch/0 --actors 2 --replays 2 --workdir'.split(), str(tmp_path))
  ended = ended.wait(100)
  assert ended.code == 2 and "'queue' has a queue, which are in one replay server" in ended.err and not ended.left
