"""Noise that lasts an episode: drawn from its seed where it begins, the same throughout, another one in all others."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import tfacme
from tests.agents import contexts
from tests.contract import environment, stubborn
from tfacme import core, networks, specs, testing

SPEC = specs.environment_spec(environment.TwoStates(0))
STATES = np.array([[1, 0, 0], [1, 0, 1]], np.float32)  # one slot is in state 0, the other one in state 1


class _NoVariables:
  """Stands for a client of the learner."""

  version = 0

  def update(self):
    pass


class _Always(networks.MemorylessPolicy):
  """Takes action 1."""

  def __call__(self, observation, state, context):
    return tf.ones_like(context.index), state, {}


def _actor(seed=7, first_index=0):
  """Of two slots among four."""
  parts = core.ActorParts(
    policy=_Always(),
    environments=[None, None],  # type: ignore[list-item]
    environment_spec=SPEC,
    variables=_NoVariables(),  # type: ignore[arg-type]
    seed=seed,
    first_index=first_index,
    slots=4,
    evaluation=False,
  )
  return stubborn.Builder(probability=0.3).actor(parts)


def _act(actor, firsts):
  """Noise [T, 2, 2] and actions [T, 2] of two slots; `firsts` say where episodes begin."""
  told = [actor.act(STATES, np.array(first), 0) for first in firsts]
  return np.stack([extras['noise'] for _, extras in told]), np.stack([actions for actions, _ in told])


def test_it_is_constant_within_an_episode_and_differs_between_episodes_and_slots():
  noise, actions = _act(_actor(), [[True, True], [False, False], [False, True], [False, False], [True, False]])
  first_slot, second_slot = noise[:, 0].tolist(), noise[:, 1].tolist()
  assert first_slot[:4] == [first_slot[0]] * 4  # It goes on where the other slot begins an episode.
  assert second_slot[:2] == [second_slot[0]] * 2 and second_slot[2:] == [second_slot[2]] * 3
  assert len(np.unique([first_slot[0], first_slot[4], second_slot[0], second_slot[2]])) == 8
  in_its_state = np.stack([noise[:, 0, 0], noise[:, 1, 1]], axis=1)
  assert actions.tolist() == np.where(in_its_state < 0.3, 0, 1).tolist()


def test_it_is_a_function_of_the_seed_and_differs_between_actors():
  episodes = [[True, True]] * 200
  noise, _ = _act(_actor(), episodes)
  np.testing.assert_array_equal(noise, _act(_actor(), episodes)[0])
  others = _act(_actor(seed=8), episodes)[0], _act(_actor(first_index=2), episodes)[0]
  assert len(np.unique([noise, *others])) == 3 * noise.size
  np.testing.assert_allclose(noise.mean(axis=0), 0.5, atol=0.08)  # uniform: four standard errors


def test_it_is_drawn_from_the_seed_of_the_episode_where_that_begins():
  policy = stubborn.Turned(_Always(), probability=0.3)
  context = contexts.context(2)._replace(first=tf.constant([True, False]), episode_seed=tf.constant([[1, 2], [3, 4]]))
  state = {'policy': (), 'noise': tf.constant([[0.25, 0.75], [0.75, 0.25]])}
  actions, state, _ = policy(STATES, state, context)
  drawn = tf.random.stateless_uniform([2], [1, 2])
  np.testing.assert_array_equal(state['noise'], [drawn, [0.75, 0.25]])
  assert actions.numpy().tolist() == [int(drawn[0] >= 0.3), 0]


@pytest.mark.parametrize(
  'engine', ['inline', *(pytest.param(engine, marks=pytest.mark.slow) for engine in ('local_mt', 'local_mp'))]
)
def test_rows_of_an_episode_have_one_noise_on_every_engine(engine, tmp_path):
  layout = tfacme.Layout(actors=2, slots=2)
  tfacme.train(dataclasses.replace(stubborn.experiment(steps=300), layout=layout), str(tmp_path), engine)
  rows = testing.logs(tmp_path)['learner']
  assert {float(row['noise_within']) for row in rows} == {0.0}
  assert min(float(row['noise_between']) for row in rows) > 0.1
