"""What discrete CQL is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='conservative Q-learning, from data or online; discrete actions (Kumar et al. 2020)',
  trial=Task('bsuite:catch/0', 600, config={'min_replay_size': 100, 'batch_size': 16, 'samples_per_insert': 16.0}),
  benchmark=Task('bsuite:catch/0', 6_000),
)
