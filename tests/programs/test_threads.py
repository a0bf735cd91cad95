"""A run in the threads of a process that goes on, as in a notebook, leaves none of them."""

import gc
import os
import time

import pytest

import tfacme
from tfacme import environments
from tfacme.agents import dqn


@pytest.mark.slow
def test_runs_in_threads_leave_no_threads():
  _run()  # The libraries' own, which stay.
  time.sleep(5)
  gc.collect()
  before = _count()
  for _ in range(3):
    _run()
  deadline = time.monotonic() + 20
  while _count() > before + 15 and time.monotonic() < deadline:
    time.sleep(0.5)
    gc.collect()
  assert _count() <= before + 15  # A server of Reverb's alone has 35.


def _run():
  experiment = tfacme.Experiment(
    builder=dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=100)),
    networks=dqn.mlp_networks(hidden_sizes=(8,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=500),
    evaluation=tfacme.Evaluation(every=0, episodes=1),
  )
  tfacme.train(experiment, launch='local_mt', progress=False)


def _count():
  return len(os.listdir('/proc/self/task'))
