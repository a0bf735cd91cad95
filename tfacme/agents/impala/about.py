"""What IMPALA is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='actor-critic with V-trace, with memory or without; discrete or continuous actions (Espeholt et al. 2018)',
  trial=Task('bsuite:catch/0', 600, slots=2, config={'unroll_length': 8, 'batch_size': 4}),
  benchmark=Task('bsuite:catch/0', 20_000, slots=8),
)
