"""The graph is a true Launchpad program."""

import os
import subprocess
import sys

import launchpad as lp
import pytest

import tfacme
from tfacme import environments
from tfacme.agents import dqn
from tfacme.graph import nodes, program
from tfacme.workers import counting

_SCRIPT = """
import sys
from absl import app
import launchpad as lp
import tfacme
from tfacme import environments
from tfacme.agents import dqn

def main(_):
  experiment = tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=200)),
    networks=dqn.mlp_networks(hidden_sizes=(16,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=1000),
    layout=tfacme.Layout(actors=2))
  lp.launch(tfacme.make_program(experiment, sys.argv[1]), 'local_mt', terminal='current_terminal').wait()

app.run(main)
"""


@pytest.mark.slow
def test_plain_launchpad_runs_it_to_the_end(tmp_path):
  script = tmp_path / 'script.py'
  script.write_text(_SCRIPT)
  run = tmp_path / 'run'
  # TensorFlow, which this process has imported, sets it for those that it starts; a user's has none.
  environment = {name: value for name, value in os.environ.items() if name != 'TF2_BEHAVIOR'}
  command = [sys.executable, str(script), str(run)]
  done = subprocess.run(command, timeout=200, capture_output=True, text=True, env=environment)
  assert 'Traceback' not in done.stderr, done.stderr[-5000:]  # Launchpad's own exit code says nothing.
  lines = (run / 'logs' / 'evaluator.csv').read_text().splitlines()
  last = dict(zip(lines[0].split(','), lines[-1].split(',')))
  assert last['actor_steps'] == '1000'
  checkpoint = max(path for path in (run / 'checkpoints').iterdir() if path.name.isdigit())
  counts = counting.saved_counts(str(checkpoint / 'counter'))
  assert sum(own.get('actor_steps', 0) for own in counts.values()) == 1000
  assert (run / 'policy' / 'saved_model.pb').exists() and (run / 'learning_curve.png').exists()


@pytest.mark.slow
@pytest.mark.parametrize('places', [(None, 'reverb'), ('reverb', None)])
def test_a_run_that_goes_on_with_a_replay_of_another_kind_says_so(places, tmp_path, caplog):
  def experiment(steps, place):
    return tfacme.Experiment(
      builder=dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=50, batch_size=16)),
      networks=dqn.mlp_networks(hidden_sizes=(16,)),
      environment=environments.factory('bsuite:catch/0'),
      budget=tfacme.Budget(actor_steps=steps),
      evaluation=tfacme.Evaluation(every=0, episodes=1),
      layout=tfacme.Layout(replay=place),
    )

  for steps, place in zip((100, 200), places):
    assert 'of another kind' not in caplog.text
    tfacme.train(experiment(steps, place), str(tmp_path), launch='local_mt', progress=False)
  assert caplog.text.count('of another kind (--replay); this run starts with an empty one') == 1


@pytest.mark.parametrize('place', [None, 'reverb'])
def test_the_graph_says_what_it_is_made_of(place):
  experiment = tfacme.Experiment(
    builder=dqn.DQNBuilder(),
    networks=dqn.mlp_networks(hidden_sizes=(16,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=1000),
    layout=tfacme.Layout(actors=3, replay=place),
  )
  made = tfacme.make_program(experiment)
  assert isinstance(made, lp.Program)
  names = [node.name for node in nodes.of_program(made)]
  others = ['learner', 'actor-0', 'actor-1', 'actor-2', 'evaluator', 'saver']
  assert names == ['counter', *(['replay'] if place else []), *others]
  graph = program.graph(made)
  assert sorted(node.name for node in graph.nodes) == sorted(['counter', 'replay', *others])
  edges = {(edge.source, edge.target): edge.label for edge in graph.edges}
  assert edges['actor-1', 'replay'] == 'steps'
  assert edges['replay', 'learner'] == 'batches' and edges['replay', 'saver'] == 'state'
  assert edges['learner', 'actor-2'] == edges['learner', 'evaluator'] == 'variables'
  assert edges['actor-0', 'counter'] == edges['learner', 'counter'] == 'counts'
