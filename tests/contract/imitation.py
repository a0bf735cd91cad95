"""Imitation: a wrapper that rewards any agent for what looks like an expert's doing (Ho & Ermon 2016)."""

import dataclasses
from typing import Any

import sonnet as snt
import tensorflow as tf

import tfacme
from tests.contract import environment
from tfacme import core, datasets, networks, updates
from tfacme.agents import dqn
from tfacme.replay import items, sources


class Update(tf.Module):
  """One step of the discriminator between agent and expert, and one of the agent, whose rewards that one gives."""

  def __init__(self, agent):
    super().__init__()
    self._agent = agent
    self._discriminator = snt.nets.MLP([16, 1])  # from an observation and an action to the logit of the expert
    networks.create_variables(self._discriminator, tf.TensorSpec([5]))
    self._optimizer = updates.Adam(self._discriminator.trainable_variables, 0.01)
    self.published = agent.published

  def __call__(self, batch):
    agent, expert = batch['agent'], batch['expert']
    loss, agent_cost = self._optimizer.minimize(lambda: self._loss(agent, expert)).value
    # The cost of the agent's rows is their reward too.
    output = self._agent(agent._replace(steps=agent.steps._replace(reward=agent_cost)))
    return core.UpdateOutput({**output.metrics, 'discriminator_loss': loss}, {'agent': output.priorities})

  def _loss(self, agent, expert):
    """Of telling them apart, []; and -log(1 - D) of the agent's rows, [B, T]."""
    agent_cost, expert_cost = tf.nn.softplus(self._logits(agent)), tf.nn.softplus(-self._logits(expert))
    return tf.reduce_mean(agent.mask * agent_cost) + tf.reduce_mean(expert.mask * expert_cost), agent_cost

  def _logits(self, batch):
    """Of each row, [B, T]."""
    return self._discriminator(tf.concat([batch.steps.observation, tf.one_hot(batch.steps.action, 2)], axis=2))[..., 0]


@dataclasses.dataclass(frozen=True)
class Builder(core.BuilderWrapper):
  """Any agent with demonstrations beside its own batches; all else is the agent's own."""

  demonstrations: Any = None

  def tables(self, spec):
    # The discriminator looks at each row, also where the agent needs the ends of its items alone.
    return [
      dataclasses.replace(table, items=dataclasses.replace(table.items, observations='all'))
      for table in self.agent.tables(spec)
    ]

  def source(self, spec):
    expert = sources.Data(items.Items(length=2), 32, self.demonstrations)
    return sources.Together({'agent': self.agent.source(spec), 'expert': expert})

  def update(self, networks, spec):
    return Update(self.agent.update(networks, spec))

  def for_acting(self):
    return dataclasses.replace(super().for_acting(), demonstrations=None)


def experiment(seed: int = 0, mistakes: float = 0.0) -> tfacme.Experiment:
  """DQN, as it is, in the place of the agent; it never learns what the environment pays."""
  config = dqn.DQNConfig(
    n_step=3,
    discount=0.9,
    batch_size=32,
    min_replay_size=100,
    samples_per_insert=8.0,
    epsilon=0.2,
    learning_rate=(0.01, 0.001, '100%'),  # Costs that move all the time would move the last values too.
  )
  return tfacme.Experiment(
    Builder(dqn.DQNBuilder(config), demonstrations=datasets.memory(environment.record(50, mistakes))),
    environment.TwoStates,
    dqn.mlp_networks(hidden_sizes=(16,)),
    tfacme.Budget(actor_steps=1500),
    seed,
  )
