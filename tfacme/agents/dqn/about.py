"""What DQN is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='double Q-learning, n-step returns, prioritized replay; discrete actions (Mnih et al. 2015)',
  trial=Task('bsuite:catch/0', 600, config={'min_replay_size': 100, 'batch_size': 16, 'samples_per_insert': 16.0}),
  benchmark=Task('bsuite:catch/0', 6_000),
)
