"""What BVE is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='values of whoever acted in data, from them or online; discrete actions (Gulcehre et al. 2021)',
  trial=Task(
    'bsuite:catch/0',
    600,
    config={
      **{'min_replay_size': 100, 'batch_size': 16, 'samples_per_insert': 16.0, 'target_update_period': 50},
      'ranking_weight': 0.1,
    },
  ),
  benchmark=Task('bsuite:catch/0', 6_000),
)
