"""TD3's update against an independent one in JAX; DDPG's too, which is the same with other settings."""

import jax.numpy as jnp
import pytest

from tests.parity import td3 as reference
from tfacme.agents import td3

_CONFIGS = {
  'TD3': {},
  'schedules': {'critic_learning_rate': (1e-2, 1e-3, 3), 'policy_learning_rate': (1e-2, 1e-3, 2), 'policy_period': 3},
  'n-step, clipped': {'n_step': 3, 'max_gradient_norm': 0.5, 'target_noise': 1.0, 'target_noise_limit': 0.8},
  'DDPG': {'target_noise': 0.0, 'policy_period': 1},
}


@pytest.mark.parametrize('name', list(_CONFIGS))
def test_the_next_weights_agree(name):
  settings = {'policy_learning_rate': 1e-2, 'critic_learning_rate': 1e-2, 'target_update_rate': 0.3, **_CONFIGS[name]}
  factory = td3.default_networks((6, 5), critics=1 if name == 'DDPG' else 2)
  reference.check(td3.TD3Builder(td3.TD3Config(**settings)), factory, lambda q, action, taken: -jnp.mean(q))
