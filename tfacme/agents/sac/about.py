"""What SAC is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='soft actor-critic, twin critics, learned temperature; continuous actions (Haarnoja et al. 2018)',
  trial=Task(
    'tfacme.testing.environments:Reach',
    600,
    config={'min_replay_size': 100, 'batch_size': 16, 'samples_per_insert': 16.0},
  ),
  benchmark=Task('gym:Pendulum-v1', 4_000),
)
