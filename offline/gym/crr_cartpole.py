"""CRR from a DQN half of whose actions are random, on CartPole. From the folder of the repository:

python programs/gym/dqn.py --config.evaluation-epsilon 0.5 --workdir runs/noisy-cartpole
tfacme record --run runs/noisy-cartpole --episodes 100 --out recordings/noisy-cartpole
python offline/gym/crr_cartpole.py --seed 1
"""

import tfacme
from tfacme import cli, datasets, environments
from tfacme.agents import crr


def experiment(seed: int = 0, steps: int = 20_000) -> tfacme.Experiment:
  """100 episodes, whose actions count by how much better they are than the policy's own are on average."""
  return tfacme.Experiment(
    builder=crr.CRRBuilder(),
    # The lower of two values counts: one critic alone thinks too well of what the data hardly hold.
    networks=crr.default_networks(hidden_sizes=(64, 64), critics=2),
    environment=environments.factory('gym:CartPole-v1'),
    budget=tfacme.Budget(learner_steps=steps),
    evaluation=tfacme.Evaluation(episodes=20),
    dataset=datasets.rlds('recordings/noisy-cartpole'),
    seed=seed,
  )


if __name__ == '__main__':
  cli.run_page(experiment)
