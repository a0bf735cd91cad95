"""What CRR is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='critic-regularized regression, from data or online; discrete or continuous actions (Wang et al. 2020)',
  trial=Task(
    'tfacme.testing.environments:Reach',
    600,
    config={'min_replay_size': 100, 'batch_size': 16, 'samples_per_insert': 16.0},
  ),
  benchmark=Task('gym:Pendulum-v1', 4_000),
)
