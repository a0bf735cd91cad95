"""What BCQ is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='Q-learning among the actions that data have, from them or online; discrete actions (Fujimoto et al. 2019)',
  trial=Task('bsuite:catch/0', 600, config={'min_replay_size': 100, 'batch_size': 16, 'samples_per_insert': 16.0}),
  benchmark=Task('bsuite:catch/0', 6_000),
)
