"""What MBOP is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='planning by models of a data set; continuous actions (Argenson & Dulac-Arnold 2021)',
  trial=Task('tfacme.testing.environments:Reach', 100, config={'batch_size': 16, 'horizon': 3, 'trajectories': 20}),
  benchmark=Task('gym:Pendulum-v1', 1_000),
  recorded=True,
)
