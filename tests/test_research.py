"""What the researcher's page shows, runs: a variant of DQN, TD3 as a package of its own, and the parts of agents."""

from __future__ import annotations

import importlib
import math
import os
import re
import sys
from typing import Any, Dict, List

import numpy as np
import pytest
import tensorflow as tf

import tfacme
from tests import pages
from tests.agents import contexts
from tfacme import checkpoints, testing, updates
from tfacme.agents import dqn
from tfacme.runs import describing
from tfacme.workers import counting

PAGE = (pages.ROOT / 'docs' / 'research.md').read_text()
BLOCKS = pages.blocks('python', PAGE)
FILES = {block.partition('\n')[0][2:]: block for block in BLOCKS if re.match(r'# \w+(/\w+)?\.py\n', block)}
LEARNS = dict(discount=0.9, learning_rate=3e-3, batch_size=64, samples_per_insert=64.0, min_replay_size=200)
RUNS = 'noisy blurred hybrid lasting rewritten mixed halved offline prefilled several warm'.split()


def _lines(block: str) -> int:
  return sum(1 for line in block.splitlines() if line.strip())


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """The folder of a reader who has written down the files of the page; the current one."""
  for name, block in FILES.items():
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(block)
  (tmp_path / 'my_td3' / '__init__.py').touch()
  monkeypatch.chdir(tmp_path)
  monkeypatch.syspath_prepend(str(tmp_path))
  yield tmp_path
  for name in [name for name in sys.modules if name.partition('.')[0] in ('munchausen', 'my_td3')]:
    del sys.modules[name]


@pytest.fixture
def munchausen(folder):
  return importlib.import_module('munchausen')


def test_the_variant_is_short_and_touches_nothing_private():
  block = FILES['munchausen.py']
  assert _lines(block) < 40
  assert not re.search(r'[.\s]_[a-z]', block)


def test_the_loss_of_munchausen_dqn(munchausen):
  # With tau = 0.5, values of 0.5 ln 3 and 0 are probabilities of 3/4 and 1/4, and the soft value of 0.5 ln 2 and 0 is
  # 0.5 ln 3 = 0.549306. The log-policy is 0.5 ln 3/4 = -0.143841 of action 0 and 0.5 ln 1/4 = -0.693147 of action 1.
  first = tf.constant([[0.5 * math.log(3.0), 0.0]] * 2)
  following = tf.constant([[0.5 * math.log(2.0), 0.0]] * 2)
  transition = updates.Transition(
    observation='first',
    action=tf.constant([0, 1]),
    returns=tf.constant([1.0, 0.0]),
    discount=tf.constant([0.9, 0.0]),
    next_observation='following',
    next_action=None,
    next_weight=None,
  )
  online = lambda observation: tf.constant([[0.5, 9.0], [9.0, 0.2]])
  target = {'first': first, 'following': following}.__getitem__
  losses = munchausen.Munchausen(temperature=0.5)(online, target, transition)
  # 1 + 0.9 * -0.143841 + 0.9 * 0.549306 - 0.5, and 0 + 0.9 * -0.693147 + 0 - 0.2.
  np.testing.assert_allclose(losses.errors, [0.864918, -0.823832], rtol=1e-5)
  np.testing.assert_allclose(losses.loss, 0.5 * losses.errors**2, rtol=1e-6)
  np.testing.assert_allclose(losses.metrics['q'], 0.35, rtol=1e-6)
  # Of the log-policy, no more than l_0 is taken: 0.9 * -0.5 - 0.2.
  clipped = munchausen.Munchausen(temperature=0.5, lowest=-0.5)(online, target, transition)
  np.testing.assert_allclose(clipped.errors, [0.864918, -0.65], rtol=1e-5)


def test_its_exploration(munchausen):
  q = tf.tile([[0.0, 0.03 * math.log(3.0)]], [8_000, 1])
  actions = munchausen.Softmax()(q, contexts.context(8_000))
  np.testing.assert_allclose(np.mean(actions), 0.75, atol=0.02)


def test_its_numbers_are_part_of_the_run(munchausen):
  experiment = tfacme.Experiment(
    munchausen.builder, testing.TwoStates, dqn.mlp_networks(), tfacme.Budget(actor_steps=1)
  )
  description = describing.describe(experiment, 'inline')['builder']
  assert description['loss'] == 'Munchausen(scale=0.9, temperature=0.03, lowest=-1.0)'
  assert description['explore'] == 'Softmax(temperature=0.03)'


@pytest.mark.slow
def test_munchausen_dqn_learns(munchausen):
  names = dict(vars(munchausen))
  exec(BLOCKS[BLOCKS.index(FILES['munchausen.py']) + 1], names)  # pylint: disable=exec-used
  assert names['run'].evaluate(episodes=20).mean >= 0.8


def _td3(seed=0, steps=1_500, hidden_sizes=(32, 32), **config) -> tfacme.Experiment:
  agent = importlib.import_module('my_td3.agent')
  return tfacme.Experiment(
    agent.Builder(agent.Config(**config)),
    testing.Reach,
    agent.default_networks(hidden_sizes),
    tfacme.Budget(actor_steps=steps),
    seed,
    evaluation=tfacme.Evaluation(every=0, episodes=5),
  )


def test_td3_is_short():
  assert sum(_lines(block) for name, block in FILES.items() if name.startswith('my_td3/')) < 110


def test_td3_runs(folder):
  config = dict(batch_size=16, samples_per_insert=16.0, min_replay_size=50, random_steps=60)
  run = testing.check_runs(_td3(steps=120, hidden_sizes=(8,), **config), folder / 'run')
  (*_, last) = testing.logs(run.workdir)['learner']
  assert {'loss', 'q', 'critic_gradient_norm', 'policy_loss', 'policy_gradient_norm'} <= set(last)


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(3))
def test_td3_learns(seed, folder):
  # Three seeds came to between -0.59 and -0.71; at random it is -7.9.
  run = tfacme.train(_td3(seed, random_steps=200, **LEARNS), str(folder / 'run'), progress=False)
  assert run.evaluate(20).mean > -1.5


def _commands(what: str) -> List[str]:
  """Those of the page that train on an engine, with what else is done with such a run; or those that test."""
  groups: Dict[str, List[str]] = {'inline': [], 'local_mt': [], 'local_mp': [], 'pytest': []}
  for command in pages.commands(PAGE):
    groups[next((name for name in groups if name in command), 'inline')].append(command)
  return groups[what]


@pytest.mark.slow
@pytest.mark.parametrize('engine', ['inline', 'local_mt', 'local_mp'])
def test_td3_is_trained_by_the_command(engine, folder):
  pages.run_commands(_commands(engine), folder)
  run = tfacme.load_run({'inline': 'runs/td3', 'local_mt': 'runs/td3-mt', 'local_mp': 'runs/td3-mp'}[engine])
  assert run.description['launch'] == engine
  if engine == 'inline':
    assert run.evaluate(20).mean > -1.5
    assert run.description['config']['learning_rate'] == 3e-3
    assert 'hidden_sizes=(32, 32)' in run.description['networks']
    swept = tfacme.load_run('runs/soft').description
    assert swept['builder']['loss'] == 'Munchausen(scale=0.9, temperature=0.1, lowest=-1.0)'
    assert (swept['builder']['explore'], swept['config']['n_step']) == ('Softmax(temperature=0.1)', 3)


@pytest.mark.slow
def test_td3_holds_what_every_agent_has_to(folder):
  pages.run_commands(_commands('pytest'), folder)


@pytest.fixture(scope='module')
def parts(tmp_path_factory) -> Dict[str, Any]:
  """The names that the blocks of the page's last section make."""
  names: Dict[str, Any] = {}
  with pytest.MonkeyPatch.context() as patch:
    patch.chdir(tmp_path_factory.mktemp('parts'))
    for block in pages.blocks('python', PAGE.partition('\n## Parts\n')[2]):
      exec(block, names)  # pylint: disable=exec-used
    yield names


def test_a_learner_alone(parts):
  assert parts['batch'].steps.reward.shape[0] == parts['config'].batch_size
  assert np.isfinite(parts['metrics']['loss'])


def test_all_experiments_of_the_page_are_run(parts):
  assert {name for name, part in parts.items() if isinstance(part, tfacme.Experiment)} == set(RUNS)


@pytest.mark.parametrize(
  'name', [pytest.param(name, marks=[] if name == 'noisy' else pytest.mark.slow) for name in RUNS]
)
def test_a_part_runs(name, parts, tmp_path, caplog):
  run = testing.check_runs(parts[name], tmp_path)
  logs = testing.logs(tmp_path)
  if name == 'several':
    assert {'evaluator', 'exploring', 'truncated'} <= set(logs)
    assert len(logs['exploring']) == 3 and len(logs['truncated']) == 1
  if name == 'prefilled':
    counter = os.path.join(checkpoints.latest(tmp_path / 'checkpoints'), 'counter')
    assert counting.saved_total(counter, 'prefill_episodes') == 20
  if name == 'warm':
    assert 'runs/offline' in caplog.text
  if name == 'hybrid':
    policy = tfacme.load_policy(run.workdir)
    observation = {
      'action_mask': {'choice': np.array([True, False]), 'push': np.array(True)},
      'place': np.array([0, 1, 1], np.float32),
    }
    assert policy(observation)['choice'] == 0
