"""Ids, factories, seeds, and the sentences that a user reads when an id is wrong."""

import pathlib
import pickle
import subprocess
import sys
import textwrap

import dm_env
import numpy as np
import pytest
import tree

from tfacme import environments, errors
from tfacme.environments import bsuite as bsuite_family
from tfacme.environments import wrappers


def _rollout(factory, seed, num_steps=60):
  """The stream of a run with actions that depend on nothing but the number of the step."""
  environment = factory(seed)
  spec = environment.action_spec()
  random = np.random.RandomState(0)
  timesteps = [environment.reset()]
  for _ in range(num_steps):
    timesteps.append(environment.step(np.int32(random.randint(spec.num_values))))
  return timesteps


def _is_same(one, two):
  leaves = zip(tree.flatten([tuple(step) for step in one]), tree.flatten([tuple(step) for step in two]))
  return all(np.array_equal(a, b) for a, b in leaves)


def _message(environment_id, seed=0):
  """The message of the error for an id, held to be one line."""
  with pytest.raises(errors.UserError) as caught:
    environments.make(environment_id, seed)
  message = str(caught.value)
  assert '\n' not in message and message.rstrip()[-1] in '.?'
  return message


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """A current folder for modules of the user's own, on no path."""
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, 'path', [entry for entry in sys.path if entry])
  modules = set(sys.modules)
  yield tmp_path
  for name in set(sys.modules) - modules:
    if name.startswith('own_'):
      del sys.modules[name]


_OWN = """
import dm_env
import numpy as np

class Coin(dm_env.Environment):
  def __init__(self, seed=-1):
    self.seed = seed
  def reset(self):
    return dm_env.restart(np.zeros(2))
  def step(self, action):
    return dm_env.termination(1., np.ones(2))
  def observation_spec(self):
    return dm_env.specs.Array((2,), float)
  def action_spec(self):
    return dm_env.specs.DiscreteArray(2, dtype=int)

def seeded(seed):
  return Coin(seed)

def unseeded():
  return Coin()

def wrong():
  return {'not': 'an environment'}

def gymnastic():
  import gymnasium
  return gymnasium.make('CartPole-v1')

def choosy(level, seed=0):
  return Coin(seed)

number = 3
"""


class TestFactory:
  def test_importing_is_cheap(self):
    program = """
        import sys
        from tfacme import environments
        environments.factory('bsuite:catch/0')
        heavy = {'tensorflow', 'bsuite', 'gymnasium', 'pandas'} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, '-c', textwrap.dedent(program)], check=True, cwd=pathlib.Path(__file__).parents[2])

  @pytest.mark.parametrize('environment_id', ['bsuite:catch/0', 'gym:CartPole-v1'])
  def test_pickles(self, environment_id):
    factory = environments.factory(environment_id).wrapped(wrappers.FrameStacking, wrappers.EpisodeStatistics)
    copy = pickle.loads(pickle.dumps(factory))
    assert copy == factory and copy.id == environment_id
    assert _is_same(_rollout(copy, 3), _rollout(factory, 3))

  def test_wrapped_returns_a_new_factory_and_keeps_the_order(self):
    plain = environments.factory('bsuite:catch/0')
    wrapped = plain.wrapped(wrappers.FrameStacking).wrapped(wrappers.EpisodeStatistics)
    assert plain.wrappers == ()
    environment = wrapped(0)
    assert isinstance(environment, wrappers.EpisodeStatistics)
    assert isinstance(environment.environment, wrappers.FrameStacking)

  def test_a_wrapper_that_speaks_double_is_put_into_single_precision(self):
    class Doubling(wrappers.EnvironmentWrapper):
      def observation_spec(self):
        return dm_env.specs.Array((3,), np.float64)

      def reset(self):
        return self.environment.reset()._replace(observation=np.zeros(3))

    environment = environments.factory('bsuite:catch/0').wrapped(Doubling)(0)
    assert environment.observation_spec().dtype == np.float32
    assert environment.reset().observation.dtype == np.float32

  @pytest.mark.parametrize('environment_id', ['bsuite:catch/0', 'bsuite:cartpole_noise/3', 'gym:CartPole-v1'])
  def test_everything_is_in_single_precision(self, environment_id):
    for step in _rollout(environments.factory(environment_id), 0):
      leaves = tree.flatten([step.observation, step.reward, step.discount])
      assert {leaf.dtype for leaf in leaves if leaf is not None} <= {np.dtype(np.float32), np.dtype(np.int32)}

  @pytest.mark.parametrize(
    'environment_id',
    [
      'bsuite:catch/0',
      'bsuite:bandit_noise/0',
      'bsuite:cartpole_swingup/0',
      'bsuite:deep_sea_stochastic/0',
      'bsuite:memory_len/5',
      'bsuite:mountain_car/0',
      'bsuite:umbrella_distract/5',
      'bsuite:umbrella_length/5',
      'gym:CartPole-v1',
      'gym:FrozenLake-v1',
    ],
  )
  def test_the_seed_decides_the_episodes(self, environment_id):
    factory = environments.factory(environment_id)
    first = _rollout(factory, 1)
    assert _is_same(first, _rollout(factory, 1))
    assert not _is_same(first, _rollout(factory, 2))

  def test_a_seed_makes_episodes_that_differ_from_each_other(self):
    environment = environments.make('gym:CartPole-v1', seed=1)
    assert not np.array_equal(environment.reset().observation, environment.reset().observation)

  @pytest.mark.parametrize('environment_id', ['bsuite:catch/0', 'gym:CartPole-v1'])
  def test_large_seeds_are_taken(self, environment_id):
    assert environments.make(environment_id, seed=2**63 - 1).reset().first()

  def test_the_task_of_a_bsuite_setting_does_not_depend_on_the_seed(self):
    rewards = []
    for seed in (1, 2):
      environment = environments.make('bsuite:bandit/3', seed)
      rewards.append([environment.step(action).reward for arm in range(11) for action in (0, arm)])
    assert rewards[0] == rewards[1]


@pytest.mark.parametrize('experiment', [name for name in bsuite_family._EXPERIMENTS if 'mnist' not in name])
def test_every_bsuite_experiment_keeps_to_its_specs(experiment):
  environment = environments.make(f'bsuite:{experiment}/0', seed=1)
  timesteps = _rollout(lambda seed: environment, 1, num_steps=150)
  assert timesteps[0].first()
  for timestep in timesteps:
    environment.observation_spec().validate(timestep.observation)
    if not timestep.first():
      environment.reward_spec().validate(timestep.reward)
      environment.discount_spec().validate(timestep.discount)


class TestKnown:
  def test_lists_every_family_once(self):
    names = [name for name, _ in environments.known()]
    assert {'bsuite:catch/0', 'gym:CartPole-v1', 'package.module:function'} <= set(names)
    assert 'gym:CartPole-v0' not in names  # Only the latest version.
    assert 'gym:GymV21Environment-v0' not in names  # It only raises an error.
    assert len(names) == len(set(names))
    assert all(text and '\n' not in text for _, text in environments.known())

  def test_bsuite_is_as_installed(self):
    from bsuite import sweep

    listed = [f'{name}/{i}' for name, (settings, _) in bsuite_family._EXPERIMENTS.items() for i in range(settings)]
    assert sorted(listed) == sorted(sweep.SWEEP)

  def test_without_gymnasium(self, monkeypatch):
    monkeypatch.setitem(sys.modules, 'gymnasium', None)
    assert 'gym:NAME' in [name for name, _ in environments.known()]


class TestMessages:
  def test_no_family(self):
    assert 'did you mean bsuite:catch/0' in _message('catch/0')
    assert 'gym:CartPole-v1' in _message('CartPole-v1')
    assert 'write FAMILY:NAME' in _message('?!')

  def test_unknown_family(self):
    assert _message('bsuit:catch/0') == "There is no environment 'bsuit:catch/0'; did you mean bsuite:catch/0?"
    assert 'neither a family of environments (atari, bsuite, dm_control, gym, minatar)' in _message(
      'no_such_package:make'
    )

  def test_bsuite(self):
    assert 'bsuite:catch/0' in _message('bsuite:cathc/0')
    assert 'bsuite:catch/0 to bsuite:catch/19' in _message('bsuite:catch/20')
    assert 'bsuite:catch/0 to' in _message('bsuite:catch')
    assert 'bsuite:catch/0 to' in _message('bsuite:catch/01')

  def test_gymnasium(self):
    assert 'gym:CartPole-v1' in _message('gym:CartPole-v7')
    assert 'gym:Pendulum-v1' in _message('gym:Pendulum')
    assert 'no_such_module' in _message('gym:no_such_module:Some-v0')

  def test_gymnasium_with_a_module_of_the_current_folder(self, folder):
    (folder / 'own_lakes.py').write_text(
      "import gymnasium\ngymnasium.register('own/Lake-v0', 'gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv')\n"
    )
    try:
      assert environments.make('gym:own_lakes:own/Lake-v0').observation_spec().num_values == 16
      assert 'did you mean gym:own_lakes:own/Lake-v0' in _message('gym:own_lakes:own/Lak-v0')
    finally:
      import gymnasium

      gymnasium.registry.pop('own/Lake-v0', None)
    (folder / 'own_leaky.py').write_text('import own_missing_thing\n')
    assert "own_leaky imports 'own_missing_thing'" in _message('gym:own_leaky:Lake-v0')

  @pytest.mark.parametrize('environment_id', ['bsuite:catch/0', 'gym:CartPole-v1'])
  def test_a_package_that_is_missing(self, environment_id, monkeypatch):
    monkeypatch.setitem(sys.modules, {'bsuite': 'bsuite', 'gym': 'gymnasium'}[environment_id.partition(':')[0]], None)
    with pytest.raises(
      errors.UserError, match=r'not installed: it comes with the extra environments \(requirements/environments.txt'
    ):
      environments.factory(environment_id)

  def test_a_package_that_an_environment_needs_is_missing(self, monkeypatch):
    import gymnasium

    def needs(**kwargs):
      raise gymnasium.error.DependencyNotInstalled('Something is not installed.\nSecond line.')

    spec = gymnasium.envs.registration.EnvSpec('Needs-v0', entry_point=needs)
    monkeypatch.setitem(gymnasium.registry, 'Needs-v0', spec)
    assert _message('gym:Needs-v0') == 'gym:Needs-v0 needs a package that is not installed: Something is not installed.'

  def test_mnist_without_a_network(self, monkeypatch):
    from bsuite.utils import datasets

    def fail(*args):
      raise OSError('no route to host')

    monkeypatch.setattr(datasets, 'load_mnist', fail)
    message = _message('bsuite:mnist/0')
    assert 'needs the MNIST data' in message and 'no route to host' in message

  def test_a_negative_seed(self):
    assert 'at least 0' in _message('bsuite:catch/0', seed=-1)


def test_mnist_with_its_data(monkeypatch):
  from bsuite.utils import datasets

  images = np.random.RandomState(0).randint(0, 127, (50, 28, 28)).astype(np.int8)
  train = (images, np.arange(50, dtype=np.uint8) % 10)
  monkeypatch.setattr(datasets, 'load_mnist', lambda: (train, train))
  environment = environments.make('bsuite:mnist_noise/0', seed=1)
  environment.observation_spec().validate(environment.reset().observation)
  environment.reward_spec().validate(environment.step(np.int32(3)).reward)


class TestCustom:
  @pytest.fixture(autouse=True)
  def _modules(self, folder):
    (folder / 'own_package').mkdir()
    (folder / 'own_package' / 'games.py').write_text(_OWN)
    (folder / 'own_broken.py').write_text('import own_missing_thing\n')

  def test_made_with_the_seed_in_single_precision(self):
    environment = environments.make('own_package.games:seeded', seed=7)
    assert environment.seed == 7
    assert environment.reset().observation.dtype == np.float32
    assert environment.action_spec().dtype == np.int32

  def test_made_without_a_seed(self):
    assert environments.make('own_package.games:unseeded', seed=7).seed == -1

  def test_made_with_keyword_arguments(self):
    assert environments.make('own_package.games:choosy', 7, kwargs={'level': 2}).seed == 7
    with pytest.raises(errors.UserError, match=r"called with seed=, depth= \(missing a required argument: 'level'\)"):
      environments.make('own_package.games:choosy', kwargs={'depth': 2})

  def test_a_class_will_do(self):
    assert environments.make('own_package.games:Coin', seed=7).seed == 7

  def test_the_factory_pickles(self):
    factory = environments.factory('own_package.games:seeded')
    assert pickle.loads(pickle.dumps(factory))(5).seed == 5

  def test_messages(self):
    assert "no module 'own_package.game'" in _message('own_package.game:seeded')
    assert 'did you mean' in _message('own_package.games:seded') and 'seeded' in _message('own_package.games:seded')
    assert 'returned builtins.dict, and it has to be a dm_env.Environment.' in _message('own_package.games:wrong')
    assert 'wrap it as tfacme.environments.gym_adapter.GymEnvironment' in _message('own_package.games:gymnastic')
    message = _message('own_package.games:choosy')
    assert "takes (level, seed=0), and is called with seed= (missing a required argument: 'level')" in message
    assert 'is of type int, and has to be a function' in _message('own_package.games:number')
    assert _message('own_broken:make') == "own_broken imports 'own_missing_thing', which is not installed."

  def test_the_factory_checks_at_once(self):
    with pytest.raises(errors.UserError):
      environments.factory('own_package.games:seded')

  def test_errors_of_the_users_code_are_kept(self, folder):
    (folder / 'own_failing.py').write_text('def make():\n  raise KeyError("a fault of the program")\n')
    with pytest.raises(KeyError):
      environments.make('own_failing:make')
