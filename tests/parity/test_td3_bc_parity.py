"""TD3+BC's update against an independent one in JAX."""

import jax
import jax.numpy as jnp
import pytest

from tests.parity import td3 as reference
from tfacme.agents import td3_bc


@pytest.mark.parametrize('alpha, n_step', [(2.5, 1), (0.5, 3)])
def test_the_next_weights_agree(alpha, n_step):
  def policy_loss(q, action, taken):
    weight = jax.lax.stop_gradient(alpha / jnp.mean(jnp.abs(q)))
    return jnp.mean((action - taken) ** 2) - weight * jnp.mean(q)

  rates = {'policy_learning_rate': 1e-2, 'critic_learning_rate': 1e-2, 'target_update_rate': 0.3}
  builder = td3_bc.TD3BCBuilder(td3_bc.TD3BCConfig(alpha=alpha, n_step=n_step, **rates))
  reference.check(builder, td3_bc.default_networks((6, 5), normalize_observations=False), policy_loss)
