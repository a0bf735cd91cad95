"""What AWAC is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='advantage-weighted actor-critic, from data or online; discrete or continuous actions (Nair et al. 2020)',
  trial=Task(
    'tfacme.testing.environments:Reach',
    600,
    config={'min_replay_size': 100, 'batch_size': 16, 'samples_per_insert': 16.0},
  ),
  benchmark=Task('gym:Pendulum-v1', 4_000),
)
