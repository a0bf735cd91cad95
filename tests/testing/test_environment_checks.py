"""The checks of environments find what they are for, and nothing else."""

import os
import re
import subprocess
import sys
import textwrap
import types

import dm_env
import numpy as np
import pytest
from dm_env import specs

from tests import pages
from tests.testing import broken
from tfacme import environments, errors, testing
from tfacme.agents import registry
from tfacme.testing import environment_checks, probing, surroundings

_TWELVE = [
  (broken.Reusing, 'warning', 'observations', 'gives the same array again'),
  (broken.WrongType, 'fault', 'values', 'At step 300: .* is of type float64, and the spec says float32'),
  (broken.NotANumber, 'fault', 'values', 'At step 40: the reward is nan'),
  (broken.Endless, 'warning', 'episodes', 'No episode ended within 1,000 steps'),
  (broken.SameSeed, 'fault', 'seeds', 'with every seed they are the same'),
  (broken.OutOfBounds, 'fault', 'values', 'has 2.0, and the spec says -1.0 to 1.0'),
  (broken.Slow, 'warning', 'time', r'A step takes \d+.* a million steps take'),
  (broken.Printing, 'warning', 'output', "such as 'a new episode'"),
  (broken.Moving, 'warning', 'folder', 'It changes the current folder'),
  (broken.Starting, 'fault', 'processes', r'still run after close\(\): sleep'),
  (broken.Raising, 'fault', 'calls', r'step\(\) raised RuntimeError: the simulator is gone \(.*broken.py, line \d+'),
  (broken.Nothing, 'fault', 'calls', r'At step 100: step\(\) returned None, and has to return a dm_env.TimeStep'),
]
_MORE = [
  (broken.Blind, 'fault', 'values', 'At step 40: the observation has inf'),
  (broken.NoSeed, 'fault', 'seeds', 'draws from something that the seed does not set'),
  (broken.PrintingBelow, 'warning', 'output', "such as 'a new episode'"),
  (broken.Threading, 'warning', 'threads', 'simulator'),
  (broken.Leaving, 'fault', 'calls', r'raised SystemExit: 3 \(.*broken.py, line'),
  (broken.Shared, 'warning', 'observations', 'changes what the environment does next'),
  (broken.Writing, 'warning', 'actions', 'writes into the action'),
  (broken.Stopping, 'warning', 'resets', 'does not begin another one'),
  (broken.Restarting, 'fault', 'resets', r'At step \d+: step\(\) began an episode'),
  (broken.Continuing, 'fault', 'resets', r'reset\(\) returned a .*MID.*, and has to return a FIRST'),
  (broken.Beyond, 'warning', 'bounds', 'has 3.0, and the spec says -1.0 to 1.0'),
  (broken.Worthless, 'warning', 'rewards', 'are 0'),
  (broken.Dear, 'warning', 'rewards', 'scale them'),
  (broken.Unclosing, 'fault', 'close', r'close\(\) raised OSError: the device is busy'),
  (broken.Unmade, 'fault', 'made', 'FileNotFoundError: no level 3'),
  (broken.Texts, 'fault', 'specs', 'experience is numbers'),
]


@pytest.fixture(autouse=True)
def _tidy(monkeypatch):
  """Whatever these environments leave behind is taken away; and is waited for only a moment."""
  monkeypatch.setattr(surroundings, '_LINGER_SECONDS', 0.2)
  broken.Threading.stop.clear()
  yield
  broken.Threading.stop.set()
  for process in broken.PROCESSES:
    process.kill()
    process.wait()
  broken.PROCESSES.clear()


def _wrong(found):
  return [finding for finding in found if finding.mark != 'fine']


@pytest.mark.parametrize('make, mark, name, text', [*_TWELVE, *_MORE], ids=lambda value: getattr(value, '__name__', ''))
def test_a_fault_is_named(make, mark, name, text, capfd):
  folder = os.getcwd()
  steps = 20 if make is broken.Slow else 1_000
  (finding,) = _wrong(testing.check_environment(make, seed=1, steps=steps))
  assert (finding.mark, finding.name) == (mark, name)
  assert re.search(text, finding.text), finding.text
  assert '\n' not in finding.text and finding.text.rstrip()[-1] in '.)'
  assert os.getcwd() == folder
  assert capfd.readouterr().out == ''


def test_a_healthy_one_has_none():
  found = testing.check_environment(broken.Healthy)
  assert not _wrong(found)
  names = [finding.name for finding in found]
  assert len(set(names)) == len(names)
  by_name = {finding.name: finding for finding in found}
  assert 'another one gives others' in by_name['seeds'].text
  assert by_name['calls'].text.startswith('It was played for 1,000 steps; ')
  assert by_name['time'].milliseconds.keys() == {'step', 'reset', 'make'}
  assert 'float32 [3]' in by_name['specs'].text and 'a discrete action with 2 values' in by_name['specs'].text


def test_one_that_draws_nothing_has_none():
  found = testing.check_environment(broken.Same)
  assert not _wrong(found)
  assert any('It draws nothing' in finding.text for finding in found)


@pytest.mark.parametrize('agent', registry.names())
def test_the_agents_own_environments_have_none(agent):
  assert not _wrong(testing.check_environment(environments.factory(registry.about(agent).trial.environment), seed=3))


def test_one_with_a_mask_and_a_nest_of_actions():
  class Masked(broken.Healthy):
    """Whose last observation leaves no action."""

    def observe(self):
      mask = np.zeros(2, bool) if self._left == 0 else np.array([True, self._left % 2 == 0])
      return {'place': super().observe(), 'action_mask': mask}

    def observation_spec(self):
      return {'place': super().observation_spec(), 'action_mask': specs.BoundedArray((2,), bool, False, True)}

  assert not _wrong(testing.check_environment(Masked))


def test_a_slow_one_is_looked_at_for_about_a_minute(monkeypatch):
  now = [0.0]
  for module in (environment_checks, probing):
    monkeypatch.setattr(module, 'time', types.SimpleNamespace(perf_counter=lambda: now[0]))

  class Glacial(broken.Endless):
    """Takes a second for each call, and its episodes do not end."""

    def step(self, action):
      now[0] += 1.0
      return super().step(action)

  lines = []
  found = {finding.name: finding for finding in testing.check_environment(Glacial, tell=lines.append)}
  assert now[0] < 75
  assert found['calls'].text == 'It was played for 10 steps, of 1,000: more take too long here; 1 resets.'
  assert found['seeds'].mark == found['resets'].mark == found['observations'].mark == 'fine'
  assert found['time'].milliseconds['step'] == 1000
  assert [line.split(' by now')[0][-4:] for line in lines] == [' 5 s', '10 s', '20 s', '40 s']


def test_an_episode_that_is_cut_off_by_the_last_step_is_no_other_one():
  class Even(broken.SameSeed):
    """Whose episodes are all the same, and none of which ends where the comparison does."""

    def reset(self):
      timestep = super().reset()
      self._place[:], self._left = 0.5, 7
      return timestep._replace(observation=self.observe())

  (finding,) = [each for each in testing.check_environment(Even, steps=20) if each.name == 'seeds']
  assert finding.mark == 'fine' and 'It draws nothing' in finding.text


def test_by_its_id_it_is_named_too():
  (finding,) = _wrong(testing.check_environment(environments.factory('tests.testing.broken:Nothing')))
  assert finding.mark == 'fault' and 'returned None' in finding.text
  with pytest.raises(errors.UserError, match='returned None from reset'):
    environment = environments.make('tests.testing.broken:Nothing')
    environment.reset()
    for _ in range(200):
      environment.step(np.int32(0))


def test_it_is_told_what_it_is_for():
  roles = []

  def make(seed, role):
    roles.append(role)
    return broken.Healthy(seed)

  testing.check_environment(make, steps=20)
  assert set(roles) == {'actor'}


def test_what_it_is_not_made_for():
  with pytest.raises(errors.UserError, match='number of steps is 0'):
    testing.check_environment(broken.Healthy, steps=0)
  with pytest.raises(errors.UserError, match='seed is -1'):
    testing.check_environment(broken.Healthy, seed=-1)


def test_it_needs_no_tensorflow():
  program = """
    import sys
    from tests.testing import broken
    from tfacme import testing
    assert all(finding.mark == 'fine' for finding in testing.check_environment(broken.Healthy))
    assert not {'tensorflow', 'launchpad', 'reverb'} & set(sys.modules)
  """
  subprocess.run([sys.executable, '-c', textwrap.dedent(program)], check=True, cwd=pages.ROOT)


def test_reach_begins_by_itself():
  environment = testing.Reach(seed=2)
  assert environment.step(np.float32([0])).first()
  steps = [environment.step(np.float32([1])).step_type for _ in range(11)]
  assert steps == [dm_env.StepType.MID] * 9 + [dm_env.StepType.LAST, dm_env.StepType.FIRST]
