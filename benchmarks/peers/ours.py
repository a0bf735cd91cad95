"""A work done by tfacme: `python ours.py WORK [ENGINE ACTORS SLOTS [SHARE]]` prints what it took."""

# pyright: reportMissingImports=false

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import tempfile
from typing import Any, Dict

import works

import tfacme
from tfacme import environments, launching
from tfacme.agents import registry

_IDS = {'CartPole-v1': 'gym:CartPole-v1', 'Pendulum-v1': 'gym:Pendulum-v1', 'ALE/Pong-v5': 'atari:Pong'}


def experiment(work: works.Work, layout: tfacme.Layout) -> tfacme.Experiment:
  """The agent, with the hyperparameters of the work and its own for all else; no evaluations, no checkpoints."""
  make: Any = registry.default_networks(work.algorithm)
  sizes = {'hidden_sizes': work.hidden_sizes or (512,), **({'lstm_size': work.lstm} if work.lstm else {})}
  if work.algorithm == 'r2d2':
    sizes['duelling'] = False  # As the peer's.

  return tfacme.Experiment(
    builder=registry.builder(work.algorithm, registry.config(work.algorithm, **_hyperparameters(work))),
    networks=dataclasses.replace(make, **sizes),
    environment=environments.factory(_IDS.get(work.environment, work.environment)),
    budget=tfacme.Budget(actor_steps=10**9),
    layout=layout,
    checkpointing=tfacme.Checkpointing(every=0),
  )


def _hyperparameters(work: works.Work) -> Dict[str, Any]:
  if work.algorithm == 'ppo':
    minibatches = work.rows // work.batch
    rows = {'unroll_length': work.rows // work.environments, 'batch_size': work.environments}
    return {**rows, 'epochs': work.epochs, 'minibatches': minibatches}
  if work.algorithm == 'impala':
    return {'unroll_length': work.length, 'batch_size': work.batch}
  period = work.length // 2 or 1
  made: Dict[str, Any] = {
    'batch_size': work.batch,
    'samples_per_insert': work.batch * period / work.steps_per_update,
    'min_replay_size': work.warm // period,
    'max_replay_size': 50_000 // period,
  }
  if work.algorithm == 'r2d2':
    made.update(trace_length=work.length, sequence_period=period)
  if work.algorithm == 'dqn':
    made.update({'n_step': 5} if work.prioritized else {'n_step': 1, 'priority_exponent': 0.0, 'double': False})
  return made


def updates_per_learner_step(work: works.Work) -> int:
  """How many steps of Adam one of the learner's makes."""
  return work.epochs * (work.rows // work.batch) if work.epochs else 1


def main(name: str, engine: str = 'inline', actors: str = '1', slots: str = '', share: str = '1') -> None:
  """Runs the work, or a share of its steps, and prints the seconds, steps and updates that were measured."""
  work = works.WORKS[name]
  work = dataclasses.replace(work, steps=int(float(share) * work.steps))
  window, each = works.Window(work), updates_per_learner_step(work)
  made = experiment(work, tfacme.Layout(int(actors), int(slots or work.environments), evaluators=0))

  def watch(status: Dict[str, Any]) -> None:
    if not window.over:
      window(status['totals'].get('actor_steps', 0), each * status['totals'].get('learner_steps', 0))
      if window.over:
        os.kill(os.getpid(), signal.SIGINT)

  with tempfile.TemporaryDirectory() as folder:
    try:
      launching.launch(tfacme.make_program(made, folder), engine, watch)
    except launching.Interrupted:
      pass
  print(json.dumps(window.result()))


if __name__ == '__main__':
  main(*sys.argv[1:])
