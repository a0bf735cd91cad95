"""A work done by Stable-Baselines3 or SBX: `python stable_baselines.py sb3|sbx WORK` prints what it took."""

# pyright: reportMissingImports=false

from __future__ import annotations

import json
import sys
from typing import Any, Dict

import works

_STEPS = 10**9  # more than are made


def agent(peer: str, work: works.Work) -> Any:
  """The agent, with the hyperparameters of the work and its own for all else."""
  if peer == 'sbx':
    import sbx as library
  else:
    import stable_baselines3 as library
  make = getattr(library, work.algorithm.upper())
  given: Dict[str, Any] = {'batch_size': work.batch, 'device': 'cpu'}
  if work.algorithm == 'ppo':
    given.update(n_steps=work.rows // work.environments, n_epochs=work.epochs)
  else:
    updates = max(1, work.environments // int(work.steps_per_update))
    rounds = max(1, int(work.steps_per_update) // work.environments)
    given.update(learning_starts=work.warm, train_freq=rounds, gradient_steps=updates, buffer_size=50_000)
    if work.algorithm == 'dqn':
      # As in tfacme: random actions become few in 5,000 steps, so that the network is what acts.
      given.update(exploration_fraction=5_000 / _STEPS, target_update_interval=int(100 * work.steps_per_update))
  if peer == 'sbx':
    del given['device']
  if not work.hidden_sizes:
    return make('CnnPolicy', _environments(work), **given)
  return make('MlpPolicy', _environments(work), policy_kwargs={'net_arch': list(work.hidden_sizes)}, **given)


def _environments(work: works.Work) -> Any:
  from stable_baselines3.common import env_util, vec_env

  if work.hidden_sizes:
    return env_util.make_vec_env(work.environment, work.environments)
  import ale_py
  import gymnasium

  gymnasium.register_envs(ale_py)
  made = env_util.make_atari_env(work.environment.replace('ALE/Pong-v5', 'PongNoFrameskip-v4'), work.environments)
  return vec_env.VecFrameStack(made, 4)


def main(peer: str, name: str) -> None:
  """Runs the work, and prints the seconds, steps and updates that were measured."""
  from stable_baselines3.common import callbacks

  work = works.WORKS[name]
  window = works.Window(work)
  made = agent(peer, work)
  # What counts as an update is a step of Adam; PPO counts epochs, which have as many as there are minibatches.
  each = work.rows // work.batch if work.algorithm == 'ppo' else 1

  class Watch(callbacks.BaseCallback):
    def _on_step(self) -> bool:
      window(self.num_timesteps, made._n_updates * each)
      return not window.over

  made.learn(_STEPS, callback=Watch())
  print(json.dumps(window.result()))


if __name__ == '__main__':
  main(*sys.argv[1:])
