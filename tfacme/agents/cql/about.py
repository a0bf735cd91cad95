"""What CQL is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='conservative Q-learning, from data or online; continuous actions (Kumar et al. 2020)',
  trial=Task(
    'tfacme.testing.environments:Reach',
    300,
    config={'min_replay_size': 100, 'batch_size': 16, 'samples_per_insert': 16.0, 'action_samples': 2},
  ),
  benchmark=Task('gym:Pendulum-v1', 2_000),
)
