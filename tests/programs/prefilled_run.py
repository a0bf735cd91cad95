"""The prefilled toy as a command: `python -m tests.programs.prefilled_run WORKDIR ENGINE STEPS`."""

import dataclasses
import sys

import tfacme
from tests.contract import prefilled


def main(workdir: str, engine: str, steps: str) -> None:
  """Runs it, with a checkpoint at every fiftieth of the run."""
  experiment = dataclasses.replace(
    prefilled.experiment(),
    budget=tfacme.Budget(actor_steps=int(steps)),
    evaluation=tfacme.Evaluation(every=0, episodes=2),
    checkpointing=tfacme.Checkpointing(every=int(steps) // 50),
  )
  tfacme.train(experiment, workdir, launch=engine)


if __name__ == '__main__':
  main(*sys.argv[1:])
