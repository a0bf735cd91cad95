"""What bsuite's own analysis reads: the episodes of an agent in one of its environments, as bsuite records them.

Osband et al., Behaviour Suite for Reinforcement Learning, 2020 (https://arxiv.org/abs/1908.03568), section 2: an agent
is scored by how it does while it learns.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import dm_env

from tfacme import errors
from tfacme.environments import registry
from tfacme.environments.wrappers import base

_FAMILY = 'bsuite:'
_ANOTHER_TASK = ('kwargs', 'action_repeat', 'step_limit')  # Settings with which an environment is not that of its id.
_COLUMNS = 'steps,episode,total_return,episode_len,episode_return\n'  # What bsuite writes of all of its environments.


@dataclasses.dataclass(frozen=True)
class RecordedFactory(registry.EnvironmentFactory):
  """Makes an environment of bsuite which, if it is for an actor, leaves results in a folder.

  It records one stream of episodes, from its beginning: a run needs one actor with one slot, and can't be resumed.

  Attributes:
    results: the folder; one for all ids that an agent is tried on.
  """

  results: str = ''

  def __call__(self, seed: int, role: str = 'spec') -> dm_env.Environment:
    """See `EnvironmentFactory`; only what is made with the role 'actor' is recorded."""
    return super().__call__(seed, role)

  def _make(self, seed: int, role: str) -> dm_env.Environment:
    environment = super()._make(seed, role)
    return _Recorded(environment, self.id.removeprefix(_FAMILY), self.results) if role == 'actor' else environment


def recorded(factory: registry.EnvironmentFactory, results: str) -> RecordedFactory:
  """The factory of the same environment, of which an actor leaves results in a folder.

  Args:
    factory: of an environment of bsuite, with the setting of its id.
    results: the folder.

  Raises:
    errors.UserError: If bsuite could not score that, or the folder has results of this id.
  """
  if not factory.id.startswith(_FAMILY):
    raise errors.UserError(f'bsuite scores its own environments, such as bsuite:catch/0, and not {factory.id}.')
  changed = [name for name in _ANOTHER_TASK if name in factory.options.changed]
  if changed:
    raise errors.UserError(
      f'With another {" and ".join(changed)}, {factory.id} is not the setting that bsuite would score it as; leave '
      'that out, or record no results.'
    )
  _check_new(factory.id.removeprefix(_FAMILY), results)
  return RecordedFactory(factory.id, factory.wrappers, factory.options, os.path.abspath(results))


class _Recorded(base.EnvironmentWrapper):
  """An environment whose episodes are recorded by bsuite itself, before anything else looks at them."""

  def __init__(self, environment: dm_env.Environment, bsuite_id: str, results: str):
    super().__init__(environment)
    from bsuite.logging import csv_logging

    path = _check_new(bsuite_id, results)
    with errors.writing_file('The results', path):
      # At once: two that record one id would write over each other. bsuite itself writes when an episode has ended.
      with open(path, 'x', encoding='utf-8') as file:
        file.write(_COLUMNS)
    self._recording = csv_logging.wrap_environment(environment, bsuite_id, results, overwrite=True)

  def reset(self) -> dm_env.TimeStep:
    """Starts an episode."""
    return self._recording.reset()

  def step(self, action: Any) -> dm_env.TimeStep:
    """Takes a step, or starts an episode if none is going on."""
    return self._recording.step(action)


def _check_new(bsuite_id: str, results: str) -> str:
  """The file of an id's results, which is not there yet."""
  path = os.path.join(results, f'bsuite_id_-_{bsuite_id.replace("/", "-")}.csv')
  if os.path.exists(path):
    raise errors.UserError(
      f'{results} has results of {bsuite_id} ({os.path.basename(path)}), which are those of one run with one actor and '
      'one slot from its beginning, and can not be added to; give another folder, or remove that file and begin the '
      'run anew.'
    )
  return path
