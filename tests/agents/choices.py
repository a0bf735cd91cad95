"""What holds of each agent that learns from recorded choices."""

import numpy as np

import tfacme
from tfacme import datasets, environments


def check_learns_to_catch(agent, folder, **config):
  """It learns from random episodes of bsuite's catch what these do not show."""
  path, catch = str(folder / 'recorded'), environments.factory('bsuite:catch/0')
  returns = tfacme.record(None, catch(1), 300, path)
  experiment = tfacme.Experiment(
    builder=agent.Builder(agent.Config(batch_size=64, **config)),
    networks=agent.default_networks((32, 32)),
    environment=catch,
    budget=tfacme.Budget(learner_steps=600),
    evaluation=tfacme.Evaluation(every=0),
    dataset=datasets.rlds(path),
  )
  run = tfacme.train(experiment, str(folder / 'run'), progress=False)
  assert np.mean(returns) < -0.3
  assert run.evaluate(20).mean > 0.5
