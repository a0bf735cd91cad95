"""What PPO is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='clipped surrogate, generalized advantages; discrete or continuous actions (Schulman et al. 2017)',
  trial=Task('bsuite:catch/0', 600, slots=2, config={'unroll_length': 16, 'batch_size': 4}),
  benchmark=Task('gym:CartPole-v1', 40_000, slots=8),
)
