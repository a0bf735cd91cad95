"""What TD3+BC is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='TD3 from a data set, held near its actions; continuous actions (Fujimoto & Gu 2021)',
  trial=Task('tfacme.testing.environments:Reach', 600, config={'batch_size': 16}),
  benchmark=Task('gym:Pendulum-v1', 3_000),
  recorded=True,
)
