"""A run in the threads of a process that goes on, as in a notebook, leaves none of them."""

import contextlib
import gc
import os
import time

import pytest

import tfacme
from tests.programs import broken
from tfacme import environments, launching
from tfacme.agents import dqn


@pytest.mark.slow
def test_runs_in_threads_leave_no_threads():
  _run(fails=False)  # The libraries' own, which stay.
  time.sleep(10)
  gc.collect()
  before = _count()
  for fails in (False, True, False, True):
    _run(fails)
  deadline = time.monotonic() + 20
  while _count() > before + 15 and time.monotonic() < deadline:
    time.sleep(0.5)
    gc.collect()
  assert _count() <= before + 15  # Of each run a server of Reverb's has 35 and each of eight clients one.


def _run(fails):
  experiment = tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=100)),
    networks=dqn.mlp_networks(hidden_sizes=(8,)),
    environment=broken.raising if fails else environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=2_000 if fails else 500),
    evaluation=tfacme.Evaluation(every=0, episodes=1),
    checkpointing=tfacme.Checkpointing(every=0),
    layout=tfacme.Layout(restarts=0),
  )
  with pytest.raises(launching.NodeFailed) if fails else contextlib.nullcontext():
    tfacme.train(experiment, launch='local_mt', progress=False)


def _count():
  return len(os.listdir('/proc/self/task'))
