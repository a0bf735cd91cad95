"""R2D2 on the games of Atari: `python programs/atari/r2d2.py --launch local_mp --seed 1`."""

import tfacme
from tfacme import cli, environments
from tfacme.agents import r2d2
from tfacme.environments import wrappers


def experiment(seed: int = 0, steps: int = 2_500_000) -> tfacme.Experiment:
  """Pong, from -21 to 21, with the last actions and rewards in the observation; a step is four frames."""
  period = 40
  config = r2d2.R2D2Config(  # Kapturowski et al. 2019, table 2, for a smaller replay and a shorter run
    burn_in=40,
    trace_length=80,
    sequence_period=period,
    learning_rate=1e-4,
    batch_size=32,
    target_update_period=100,  # of some 8,000 learner steps; the paper's 2,500 are for runs of millions
    samples_per_insert=4.0,
    min_replay_size=max(32, min(500, steps // (10 * period))),
    max_replay_size=2_000,
  )
  return tfacme.Experiment(
    builder=r2d2.R2D2Builder(config),
    networks=r2d2.default_networks(hidden_sizes=(512,), lstm_size=512),
    environment=environments.factory('atari:Pong', kwargs={'stack': 1}).wrapped(wrappers.ObservationActionReward),
    stack=4,  # by the replay and the policy, in the place of the environment: each picture is stored once
    budget=tfacme.Budget(actor_steps=steps),
    layout=tfacme.Layout(actors=4),
    evaluation=tfacme.Evaluation(every=max(1, steps // 5), episodes=2),
    checkpointing=tfacme.Checkpointing(replay=False),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
