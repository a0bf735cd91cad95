"""Normalized scores worked by hand, and the returns that D4RL has published."""

import dm_env
import numpy as np
import pytest

from tfacme import errors, observers
from tfacme.runs import naming


def _episode(observer, rewards):
  observer.observe_first(None, dm_env.restart(None))
  for reward in rewards:
    observer.observe(None, 0, dm_env.transition(reward, None))
  return observer.metrics()


def test_an_episode_lies_between_random_actions_and_an_expert():
  observer = observers.NormalizedScore(random=-100.0, expert=300.0)
  for _ in range(2):  # Nothing of an episode is left in the next one.
    assert _episode(observer, [50.0, np.float32(-50.0)]) == {'normalized_score': 25.0}
  assert _episode(observer, [np.array([100.0, 200.0])]) == {'normalized_score': 100.0}
  assert _episode(observer, [-200.0]) == {'normalized_score': -25.0}


def test_returns_between_which_there_is_no_scale_are_refused():
  for random, expert in ((1.0, 1.0), (float('nan'), 1.0), (0.0, float('inf'))):
    with pytest.raises(errors.UserError):
      observers.NormalizedScore(random, expert)


@pytest.mark.parametrize(
  'name, random, expert',
  [
    ('hopper', -20.272305, 3234.3),
    ('HalfCheetah-medium-expert-v2', -280.178953, 12135.0),
    ('antmaze-large-diverse-v2', 0.0, 1.0),
    ('ant-random-v0', -325.6, 3879.7),
    ('maze2d-umaze-v1', 23.85, 161.86),
    ('maze2d-umaze-dense-v1', 68.537689, 193.66285642381482),
    ('pen-human-longhorizon-v1', 96.262799, 3076.8331017826877),
    ('kitchen-mixed-v0', 0.0, 4.0),
  ],
)
def test_returns_that_d4rl_has_published(name, random, expert):
  make = observers.d4rl_score(name)
  assert _episode(make(), [random]) == {'normalized_score': 0.0}
  assert _episode(make(), [expert])['normalized_score'] == pytest.approx(100.0)
  assert naming.name(make) == f'tfacme.observers.scores:NormalizedScore(random={random}, expert={expert})'


def test_a_task_without_published_returns_is_named():
  for name, near in (
    ('hoper-medium-v2', 'hopper-medium'),
    ('hopper-medum-v2', 'hopper-medium'),
    ('hopper-medium-v', 'hopper-medium'),
    ('hopper-human-v1', 'pen-human'),
    ('antmaze-large-v1', 'antmaze-large-'),
    ('maze2d-umaze-expert', 'maze2d-umaze'),
  ):
    with pytest.raises(errors.UserError, match=f"no task of D4RL with published returns '{name}'; did.* {near}"):
      observers.d4rl_score(name)
  for name in ('1', 'catch'):
    with pytest.raises(errors.UserError, match=r'give two numbers, .* \(--score RANDOM EXPERT, or observers.Norm'):
      observers.d4rl_score(name)
