"""A run that begins with another one's variables: on every engine, once, and only with what fits."""

import dataclasses
import json
import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

import tfacme
from tests.contract import environment, warm_start
from tfacme import checkpoints, environments, errors, testing
from tfacme.agents import dqn, registry, sac
from tfacme.graph import plan
from tfacme.workers import saved

ENOUGH = environment.BEST - 0.5
ENGINES = ['inline', *(pytest.param(engine, marks=pytest.mark.slow) for engine in ('local_mt', 'local_mp'))]


@pytest.fixture(scope='module')
def learned(tmp_path_factory):
  """The folder of an offline run of DQN."""
  path = str(tmp_path_factory.mktemp('learned'))
  tfacme.train(warm_start.offline(), path, progress=False)
  return path


def _said(caplog):
  return [record.getMessage() for record in caplog.records if 'Nothing will be learned' not in record.getMessage()]


def _last(run, log='evaluator'):
  return testing.logs(run)[log][-1]


def _learner(run):
  return os.path.join(checkpoints.latest(os.path.join(run, 'checkpoints')), 'learner')


def _values(run):
  """{place in the update: value} of the network that acts."""
  learner = saved.Saved(_learner(run))
  return learner.values('policy')


@pytest.mark.parametrize('engine', ENGINES)
def test_actors_and_evaluations_begin_with_what_was_learned_offline(engine, learned, tmp_path, caplog):
  run = tfacme.train(warm_start.online(learned), str(tmp_path), engine, progress=False)
  assert float(_last(tmp_path)['episode_return']) >= ENOUGH and _last(tmp_path)['learner_steps'] == '0'
  assert float(_last(tmp_path, 'actor-0')['episode_return']) >= ENOUGH
  assert run.evaluate(episodes=5).mean >= ENOUGH
  (line,) = _said(caplog)
  assert line.startswith(f'4 of 4 variables begin as in {learned} at step 200: q/') and line.endswith(' and 1 more.')
  theirs, mine = list(_values(learned).values()), list(_values(tmp_path).values())
  assert all((a == b).all() for a, b in zip(theirs, mine)) and len(mine) == 4


def test_targets_begin_with_them_too(learned, tmp_path):
  tfacme.train(warm_start.online(learned), str(tmp_path), progress=False)
  learner = saved.Saved(_learner(tmp_path))
  values = [learner.value(place).tobytes() for place in learner.kinds]
  for value in _values(tmp_path).values():
    assert values.count(value.tobytes()) == 2 or not value.any()


def test_what_another_agent_calls_otherwise_is_found_by_its_place_in_what_acts(tmp_path, caplog):
  """The layers before the last one, which has another form: BC calls its network `policy`, and DQN `q`."""
  cloned, run = str(tmp_path / 'cloned'), str(tmp_path / 'run')
  tfacme.train(warm_start.cloning(), cloned, progress=False)
  tfacme.train(warm_start.online(cloned), run, progress=False)
  lines = _said(caplog)
  assert lines[0].startswith(f'2 of 4 variables begin as in {cloned} at step 200: q/') and len(lines) == 2
  assert lines[1].startswith('2 of 4 variables keep their initial values, since none match them: q/')
  equal = {a.tobytes() for a in _values(cloned).values()} & {a.tobytes() for a in _values(run).values()}
  assert len(equal) == 2


def test_what_does_not_fit_begins_anew_and_that_is_said(learned, tmp_path, caplog):
  networks = dqn.default_networks(hidden_sizes=(16, 8))
  tfacme.train(warm_start.online(learned, networks=networks), str(tmp_path), progress=False)
  lines = _said(caplog)
  assert lines[0].startswith(f'2 of 6 variables begin as in {learned}')
  assert lines[1].startswith('4 of 6 variables keep their initial values, since none match them: q/')
  assert 'float32 (8, 2), and float32 (16, 2) there' in lines[1] and len(lines) == 3
  assert lines[2] == f'The networks of {learned} have hidden_sizes [16] (here [16, 8]): give these the same.'


@pytest.mark.parametrize('start, sentence', [('nothing', 'no checkpoint of a run in'), ('learned', 'No layer of the')])
def test_nothing_at_all_is_a_mistake(start, sentence, learned, tmp_path):
  networks = dqn.default_networks(hidden_sizes=(7,))
  start = learned if start == 'learned' else str(tmp_path)
  with pytest.raises(errors.UserError, match=sentence) as caught:
    tfacme.train(warm_start.online(start, networks=networks), str(tmp_path / 'run'), progress=False)
  assert '\n' not in str(caught.value) and not os.path.exists(tmp_path / 'run')


def test_a_run_that_goes_on_does_not_take_them_again(learned, tmp_path, caplog):
  start, run = shutil.copytree(learned, tmp_path / 'start'), str(tmp_path / 'run')
  config = dqn.DQNConfig(min_replay_size=20, batch_size=8, epsilon=0.5, discount=0.9)
  experiment = warm_start.online(str(start), builder=dqn.DQNBuilder(config))
  tfacme.train(experiment, run, progress=False)
  assert len(_said(caplog)) == 1
  before = _values(run)
  shutil.rmtree(start)
  tfacme.train(dataclasses.replace(experiment, budget=tfacme.Budget(actor_steps=110)), run, progress=False)
  assert len(_said(caplog)) == 1
  assert max(np.abs(before[name] - value).max() for name, value in _values(run).items()) < 0.1


def test_where_a_run_started_is_part_of_what_it_is(learned, tmp_path):
  tfacme.train(warm_start.online(learned), str(tmp_path), progress=False)
  with pytest.raises(errors.UserError, match=f"another experiment, with start '{learned}' where this one has None"):
    tfacme.train(warm_start.online(None), str(tmp_path), progress=False)


def test_a_start_is_a_folder():
  with pytest.raises(errors.UserError, match="start is 7, and has to be a run's folder"):
    warm_start.online(7)


# --- From offline to online ---

_GO_ON = [(one, other) for one, other in (('td3_bc', 'td3'), ('cql', 'sac')) if one in registry.names()]


def _reaching(agent, **changes):
  """A run with actors of an agent for continuous actions, with tiny networks."""
  networks = dataclasses.replace(registry.default_networks(agent), hidden_sizes=(4,), normalize_observations=True)
  parts = {'environment': testing.Reach, 'networks': networks, 'budget': tfacme.Budget(actor_steps=20), **changes}
  return tfacme.Experiment(registry.builder(agent, registry.config(agent)), **parts)


def _left(agent, folder):
  """The folder of a run of an agent, which has left what its learner begins with."""
  learner = tfacme.make_learner(_reaching(agent))
  checkpoints.write(str(folder / agent / 'checkpoints'), lambda path: 0, {'learner': learner.save}, keep=1)
  return str(folder / agent)


@pytest.mark.parametrize('offline, online', _GO_ON)
def test_an_agent_goes_on_from_another_one_that_has_the_same_networks(offline, online, tmp_path):
  start = _left(offline, tmp_path)
  taken = plan.make_plan(_reaching(online, start=start, seed=1)).taken
  count = len(saved.Saved(_learner(start)).networks)
  (line,) = taken.lines
  assert line.startswith(f'{count} of {count} variables begin as in {start} at step 0: ')
  assert len(taken.values) == count > 12  # of a policy and two critics


def test_it_is_said_where_values_are_on_another_scale(tmp_path):
  start = _left('sac', tmp_path)
  config = {'reward_scale': 0.1, 'max_abs_reward': 'Infinity', 'discount': 0.99, 'batch_size': 7}
  (tmp_path / 'sac' / 'experiment.json').write_text(json.dumps({'config': config}))
  _, line = plan.make_plan(_reaching('sac', start=start)).taken.lines
  assert line.endswith(
    'are not those of this run, since reward_scale was 0.1 and is 1.0 here; give the same, unless that is meant.'
  )


def test_of_a_policy_with_another_distribution_all_but_its_last_layer_is_taken(tmp_path):
  start = _left('awac', tmp_path)
  first, second = plan.make_plan(_reaching('sac', start=start, seed=1)).taken.lines
  assert 'variables begin as in' in first
  assert re.match(r'2 of \d+ variables keep their initial values, .*: policy/\S*_linear/', second)


# --- A checkpoint of other variables ---


class _Sized:
  """Networks that are told apart by nothing that a run writes down: an object of a plain class."""

  def __init__(self, size):
    self._make = dqn.default_networks(hidden_sizes=(size,))

  def __call__(self, spec):
    return self._make(spec)


def test_a_run_whose_networks_have_changed_does_not_go_on(tmp_path):
  tfacme.train(warm_start.online(None, networks=_Sized(8)), str(tmp_path), progress=False)
  longer = tfacme.Budget(actor_steps=200)
  with pytest.raises(
    errors.UserError, match=r'float32 \(8, 2\) there and float32 \(9, 2\) here.* more differ'
  ) as caught:
    tfacme.train(warm_start.online(None, networks=_Sized(9), budget=longer), str(tmp_path), progress=False)
  assert '\n' not in str(caught.value) and 'give another work directory' in str(caught.value)
  tfacme.train(warm_start.online(None, networks=_Sized(8), budget=longer), str(tmp_path), progress=False)
  assert _last(tmp_path)['actor_steps'] == '200'


def test_what_was_saved_and_is_missing_is_told_from_what_comes_with_the_first_step(tmp_path):
  class Update(tf.Module):
    def __init__(self, *names):
      super().__init__()
      for name in names:
        setattr(self, name, tf.Variable(0.0))

  tf.train.Checkpoint(update=Update('a', 'b')).write(str(tmp_path / saved.VARIABLES))
  (tmp_path / saved.STATE).write_text('{"variables": {"networks": {}, "published": {}}}')
  learner = saved.Saved(str(tmp_path))
  learner.check(Update('a', 'b'), whole=True)
  learner.check(Update('a'), whole=False)
  with pytest.raises(errors.UserError, match=r'variables: b is float32 \(\) there and missing here; give'):
    learner.check(Update('a'), whole=True)
  with pytest.raises(errors.UserError, match=r'variables: c is missing there and float32 \(\) here; give'):
    learner.check(Update('a', 'b', 'c'), whole=False)


@pytest.mark.slow
def test_every_agent_can_be_started_from_itself(tmp_path):
  """All of its networks, not only what acts."""
  networks = sac.default_networks(hidden_sizes=(4,))
  experiment = tfacme.Experiment(
    sac.SACBuilder(sac.SACConfig(min_replay_size=1000)),
    environments.factory('gym:Pendulum-v1'),
    networks,
    tfacme.Budget(actor_steps=20),
    evaluation=tfacme.Evaluation(every=0, episodes=1, max_episode_steps=10),
  )
  first, second = str(tmp_path / 'first'), str(tmp_path / 'second')
  tfacme.train(experiment, first, progress=False)
  tfacme.train(dataclasses.replace(experiment, start=first, seed=1), second, progress=False)
  one, two = saved.Saved(_learner(first)), saved.Saved(_learner(second))
  assert len(one.networks) > len(one.published['policy']) > 0
  for name, place in one.networks.items():
    assert (one.value(place) == two.value(two.networks[name])).all()
