"""What BC is, and what it is tried on."""

from tfacme.agents.about import About, Task

ABOUT = About(
  summary='behaviour cloning from a data set; discrete or continuous actions (Pomerleau 1991)',
  trial=Task('bsuite:catch/0', 600),
  benchmark=Task('gym:CartPole-v1', 3_000),
  recorded=True,
)
