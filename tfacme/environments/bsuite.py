"""The environments of bsuite, the behaviour suite for reinforcement learning: `bsuite:EXPERIMENT/SETTING`.

Osband et al., Behaviour Suite for Reinforcement Learning, 2020 (https://arxiv.org/abs/1908.03568).
"""

from __future__ import annotations

from typing import Any, Mapping

import dm_env

from tfacme import errors
from tfacme.environments import keywords, packages

# Importing bsuite takes seconds (it brings pandas and plotting), too long for finding a typo in an id: so its
# experiments are listed here as well: the number of settings and what the experiment is.
_EXPERIMENTS = {
  'bandit': (20, 'an 11-armed bandit'),
  'bandit_noise': (20, 'an 11-armed bandit with noise on its rewards'),
  'bandit_scale': (20, 'an 11-armed bandit with scaled rewards'),
  'cartpole': (20, 'balance a pole on a cart'),
  'cartpole_noise': (20, 'balance a pole on a cart, with noise on the rewards'),
  'cartpole_scale': (20, 'balance a pole on a cart, with scaled rewards'),
  'cartpole_swingup': (20, 'swing a pole up and balance it, with sparse rewards'),
  'catch': (20, 'catch a ball that falls through a 10 x 5 grid'),
  'catch_noise': (20, 'catch a falling ball, with noise on the rewards'),
  'catch_scale': (20, 'catch a falling ball, with scaled rewards'),
  'deep_sea': (21, 'dive through an N x N grid to one treasure: deep exploration'),
  'deep_sea_stochastic': (21, 'dive through a windy N x N grid: deep exploration with noise'),
  'discounting_chain': (20, 'choose between rewards now and later: credit assignment'),
  'memory_len': (23, 'remember one bit for many steps'),
  'memory_size': (17, 'remember many bits for a few steps'),
  'mnist': (20, 'classify digits as a bandit (downloads MNIST)'),
  'mnist_noise': (20, 'classify digits, with noise on the rewards (downloads MNIST)'),
  'mnist_scale': (20, 'classify digits, with scaled rewards (downloads MNIST)'),
  'mountain_car': (20, 'drive an underpowered car up a hill'),
  'mountain_car_noise': (20, 'drive a car up a hill, with noise on the rewards'),
  'mountain_car_scale': (20, 'drive a car up a hill, with scaled rewards'),
  'umbrella_distract': (23, 'decide now on rain later, among distractions'),
  'umbrella_length': (23, 'decide now on rain many steps later'),
}


def check(name: str) -> None:
  """Raises a `UserError` unless bsuite is installed and has the experiment and the setting `name` (`catch/0`)."""
  packages.require('bsuite', f'bsuite:{name}')
  experiment, _, setting = name.partition('/')
  if experiment not in _EXPERIMENTS:
    raise errors.unknown(
      'environment',
      f'bsuite:{name}',
      (f'bsuite:{known_name}/{setting or 0}' for known_name in _EXPERIMENTS),
      'the ids of bsuite are EXPERIMENT/SETTING, such as bsuite:catch/0.',
    )
  settings = _EXPERIMENTS[experiment][0]
  if setting not in map(str, range(settings)):
    raise errors.UserError(
      f'There is no environment {"bsuite:" + name!r}; the settings of {experiment} are '
      f'bsuite:{experiment}/0 to bsuite:{experiment}/{settings - 1}.'
    )


def make(name: str, seed: int, kwargs: Mapping[str, Any]) -> dm_env.Environment:
  """Returns the environment `name` (`catch/0`), in the precision that bsuite gives it.

  Args:
    name: The experiment and the number of its setting.
    seed: Decides what the environment draws. What is part of the task stays that of the setting: which action means
      what (`mapping_seed`).
    kwargs: Of the experiment, in the place of those of the setting.

  Raises:
    errors.UserError: If there is no such environment, or MNIST, which it needs, can't be downloaded.
  """
  check(name)
  from bsuite import bsuite, sweep

  experiment, _ = bsuite.unpack_bsuite_id(name)
  parameters = keywords.names(bsuite.EXPERIMENT_NAME_TO_ENVIRONMENT[experiment])
  keywords.check(f'bsuite:{name}', kwargs, [parameter for parameter in parameters if parameter != 'seed'])
  settings = {**sweep.SETTINGS[name], **kwargs}
  seed %= 2**32  # The range of numpy's RandomState.
  if experiment == 'deep_sea_stochastic':
    return _stochastic_deep_sea(settings, seed)
  if 'seed' in parameters:
    settings['seed'] = seed
  try:
    return bsuite.load(experiment, settings)
  except OSError as error:
    raise errors.UserError(
      f'bsuite:{name} needs the MNIST data, and downloading it failed ({error}): go online, or put its four '
      '*-ubyte.gz files into /tmp/mnist, where bsuite looks for them.'
    ) from error


def known() -> list[tuple[str, str]]:
  """Lists the experiments: (pattern of the ids, what it is)."""
  return [
    (f'bsuite:{experiment}/0', f'{text}; settings 0 to {settings - 1}')
    for experiment, (settings, text) in _EXPERIMENTS.items()
  ]


def _stochastic_deep_sea(settings: dict[str, Any], seed: int) -> dm_env.Environment:
  """Makes a windy deep sea that repeats: bsuite's own loader of it takes no seed for the wind."""
  from bsuite.environments import deep_sea
  from bsuite.experiments.deep_sea_stochastic import sweep

  environment = deep_sea.DeepSea(deterministic=False, seed=seed, **settings)
  environment.bsuite_num_episodes = sweep.NUM_EPISODES
  return environment
