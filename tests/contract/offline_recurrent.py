"""R2D2 offline: sequences of a data set that knows no recurrent state, in an environment that takes memory."""

import tfacme
from tests.contract import environment
from tfacme import datasets
from tfacme.agents import r2d2


def experiment(seed: int = 0) -> tfacme.Experiment:
  """From whole episodes, since zeros are the true state at their first rows alone."""
  config = r2d2.R2D2Config(
    burn_in=0,
    trace_length=environment.LENGTH,
    sequence_period=environment.LENGTH,
    n_step=1,
    discount=0.9,
    batch_size=32,
    learning_rate=0.01,
    target_update_period=20,
  )
  return tfacme.Experiment(
    r2d2.R2D2Builder(config),
    environment.hiding,
    r2d2.default_networks(hidden_sizes=(16,), lstm_size=16),
    tfacme.Budget(learner_steps=600),
    seed,
    dataset=datasets.memory(environment.record(200, mistakes=0.4, hides_cue=True)),
  )
