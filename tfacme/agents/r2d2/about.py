"""What R2D2 is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='recurrent Q-learning from sequences in prioritized replay; discrete actions (Kapturowski et al. 2019)',
  trial=Task(
    'bsuite:memory_len/3',
    600,
    config={
      'min_replay_size': 20,
      'batch_size': 4,
      'samples_per_insert': 8.0,
      'trace_length': 8,
      'sequence_period': 4,
    },
  ),
  benchmark=Task('bsuite:memory_len/9', 3_000),
)
