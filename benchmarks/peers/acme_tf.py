"""A work done by Acme's TensorFlow agents: `python acme_tf.py WORK` prints what it took."""

# pyright: reportMissingImports=false

from __future__ import annotations

import json
import sys
from typing import Any

import acme
import bsuite
import sonnet as snt
import works
from acme import specs, wrappers
from acme.agents.tf import dqn, impala, r2d2
from acme.tf import networks


class Recurrent(networks.RNNCore):
  """Fully connected layers, an LSTM, and a head."""

  def __init__(self, work: works.Work, head: snt.Module):
    super().__init__()
    self._net = snt.DeepRNN(
      [snt.Flatten(), snt.nets.MLP(work.hidden_sizes, activate_final=True), snt.LSTM(work.lstm), head]
    )

  def __call__(self, inputs: Any, state: Any) -> Any:
    return self._net(inputs, state)

  def initial_state(self, batch_size: int, **kwargs: Any) -> Any:
    return self._net.initial_state(batch_size)

  def unroll(self, inputs: Any, state: Any, sequence_length: int) -> Any:
    return snt.static_unroll(self._net, inputs, state, sequence_length)


def agent(work: works.Work, environment: Any) -> Any:
  """The agent, with the hyperparameters of the work and its own for all else."""
  spec = specs.make_environment_spec(environment)
  actions = spec.actions.num_values
  if work.algorithm == 'dqn':
    network = snt.Sequential([snt.Flatten(), snt.nets.MLP([*work.hidden_sizes, actions])])
    return dqn.DQN(
      spec,
      network,
      batch_size=work.batch,
      samples_per_insert=work.batch / work.steps_per_update,
      min_replay_size=work.warm,
      max_replay_size=50_000,
      n_step=5,
      priority_exponent=0.6,
      checkpoint=False,
    )
  if work.algorithm == 'impala':
    network = Recurrent(work, networks.PolicyValueHead(actions))
    return impala.IMPALA(spec, network, sequence_length=work.length, sequence_period=work.length, batch_size=work.batch)
  network = Recurrent(work, snt.Linear(actions))
  period = work.length // 2
  return r2d2.R2D2(
    spec,
    network,
    burn_in_length=0,
    trace_length=work.length,
    replay_period=period,
    batch_size=work.batch,
    samples_per_insert=work.batch * period / work.steps_per_update,
    min_replay_size=work.warm // period,
    max_replay_size=5_000,
  )


def main(name: str) -> None:
  """Runs the work, and prints the seconds, steps and updates that were measured."""
  work = works.WORKS[name]
  window = works.Window(work)
  environment = bsuite.load_from_id(work.environment.removeprefix('bsuite:'))
  environment = wrappers.SinglePrecisionWrapper(environment)
  made = agent(work, environment)
  updates, step = [0], made._learner.step

  def counted() -> None:
    updates[0] += 1
    step()

  made._learner.step = counted
  loop, steps = acme.EnvironmentLoop(environment, made, logger=acme.utils.loggers.NoOpLogger()), 0
  while not window.over:
    steps += int(loop.run_episode()['episode_length'])
    window(steps, updates[0])
  print(json.dumps(window.result()))


if __name__ == '__main__':
  main(*sys.argv[1:])
