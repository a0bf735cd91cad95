"""A user's mistake is answered with one line that names the thing and the fix, before any node starts."""

import dataclasses
import os
import threading

import numpy as np
import pytest
import sonnet as snt
from dm_env import specs as dm_specs

import tfacme
from tests.programs import processes
from tfacme import cli, environments, errors, specs
from tfacme.agents import dqn, ppo, registry
from tfacme.replay import items, sources, tables
from tfacme.runs import memory

_CATCH = ['train', 'dqn', '--env', 'bsuite:catch/0']


@pytest.mark.parametrize(
  'arguments, says',
  [
    (['train', 'dqm', '--env', 'bsuite:catch/0'], "agent 'dqm'; did you mean dqn"),
    (['train', 'dqn', '--env', 'bsuite:cach/0'], 'did you mean bsuite:catch/0'),
    (['train', 'dqn', '--env', 'gym:CartPol-v1'], 'CartPole-v1'),
    (['train', 'dqn', '--env', 'gym:Pendulum-v1'], 'DQN needs a single discrete action'),
    ([*_CATCH, '--steps', '0'], 'steps is 0, and has to be at least 1'),
    ([*_CATCH, '--steps', '-5'], 'steps is -5, and has to be at least 1'),
    ([*_CATCH, '--actors', '0'], 'actors is 0, and has to be at least 1'),
    ([*_CATCH, '--config.batchsize', '3'], 'did you mean --config.batch_size'),
    ([*_CATCH, '--config.batch_size', '0'], 'batch_size is 0, and has to be at least 1'),
    ([*_CATCH, '--config.discount', '1.5'], 'discount is 1.5, and has to be at most 1'),
    ([*_CATCH, '--config.max_replay_size', '10'], 'max_replay_size'),
    ([*_CATCH, '--launch', 'cluster'], 'inline'),
    ([*_CATCH, '--learner-steps', '10'], 'give it some (--dataset DIR)'),
    ([*_CATCH, '--learner-steps', '10', '--steps', '10'], 'give one of the two'),
    (['train', 'bc', '--env', 'bsuite:catch/0', '--steps', '10'], 'say how long to learn (--learner-steps N)'),
  ],
)
def test_a_wrong_option_is_one_line(arguments, says, tmp_path, capsys):
  _is_one_line(cli.main([*arguments, *(['--workdir', str(tmp_path / 'run')])]), says, capsys)
  assert not os.path.exists(tmp_path / 'run')


def test_a_folder_of_another_experiment_is_refused(tmp_path, capsys):
  arguments = [*_CATCH, '--workdir', str(tmp_path), '--evaluation.every', '0']
  assert cli.main([*arguments, '--steps', '50']) == 0
  capsys.readouterr()
  _is_one_line(
    cli.main([*arguments, '--seed', '1']), 'holds another experiment, with seed 0 where this one has 1;', capsys
  )
  _is_one_line(
    cli.main([*arguments, '--config.n_step', '2']),
    'holds another experiment, with config.n_step 3 where this one has 2;',
    capsys,
  )


def test_a_folder_that_can_not_be_written_is_refused(tmp_path, capsys):
  (tmp_path / 'file').write_text('')
  _is_one_line(cli.main([*_CATCH, '--workdir', str(tmp_path / 'file' / 'run')]), 'can not be written', capsys)


def test_a_folder_that_is_a_link_to_nothing_is_named(tmp_path, capsys):
  (tmp_path / 'link').symlink_to(tmp_path / 'gone')
  says = (
    f'The work directory {tmp_path / "link"} can not be written: {tmp_path / "link"} is a link to {tmp_path / "gone"}'
  )
  _is_one_line(cli.main([*_CATCH, '--workdir', str(tmp_path / 'link')]), says, capsys)


def test_a_replay_that_can_not_fit_is_refused(tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(memory, 'available', lambda: 10**8)
  arguments = [*_CATCH, '--workdir', str(tmp_path / 'run'), '--steps', '1000000']
  _is_one_line(cli.main(arguments), 'The replay takes up to 0.5 GB of memory, and there are 0.1 GB here', capsys)
  assert not os.path.exists(tmp_path / 'run')


@pytest.mark.parametrize('out', ['file', 'file/recording'])
def test_a_recording_that_can_not_be_written_is_refused(out, tmp_path, capsys):
  (tmp_path / 'file').write_text('')
  arguments = ['record', '--random', '--env', 'bsuite:catch/0', '--out', str(tmp_path / out)]
  _is_one_line(cli.main(arguments), f'The folder {tmp_path / out} can not be written', capsys)


def test_a_policy_is_exported_to_another_place_that_can_be_written(tmp_path, capsys):
  run = str(tmp_path / 'run')
  assert cli.main([*_CATCH, '--workdir', run, '--steps', '50', '--evaluation.every', '0']) == 0
  capsys.readouterr()
  (tmp_path / 'file').write_text('')
  _is_one_line(cli.main(['export', run, '--out', str(tmp_path / 'file')]), 'can not be written', capsys)
  _is_one_line(cli.main(['export', run, '--out', os.path.join(run, 'policy')]), 'already; give another', capsys)
  assert cli.main(['export', run, '--out', str(tmp_path / 'policy')]) == 0
  with pytest.raises(errors.UserError, match='it is an exported policy, which tf.saved_model.load opens'):
    tfacme.load_policy(str(tmp_path / 'policy'))


def test_an_environment_that_can_not_be_pickled_is_refused(tmp_path):
  lock = threading.Lock()

  def environment(seed):
    with lock:
      return environments.factory('bsuite:catch/0')(seed)

  experiment = dataclasses.replace(_experiment(dqn.DQNBuilder()), environment=environment)
  with pytest.raises(errors.UserError, match='The environment of the experiment can not be pickled: .*lock'):
    tfacme.train(experiment, workdir=str(tmp_path / 'run'), progress=False)
  assert not os.path.exists(tmp_path / 'run')


@pytest.mark.parametrize('agent', [name for name in registry.names() if not registry.about(name).recorded])
def test_an_environment_with_several_rewards_is_refused(agent):
  spec = specs.read_spec(environments.factory(registry.about(agent).trial.environment), 0)
  spec = spec._replace(rewards=dm_specs.Array((2,), np.float32))
  builder = registry.builder(agent, registry.config(agent))
  name = getattr(builder, 'name', agent.upper())
  with pytest.raises(errors.UserError, match=rf'^{name} learns from a single reward, .* of shape \(2,\)'):
    builder.check(spec)


def _is_one_line(code, says, capsys):
  caught = capsys.readouterr()
  assert code == 2
  assert caught.err.count('\n') == 1 and caught.err.startswith('tfacme: ')
  assert says in caught.err


def test_a_mistake_ends_the_process_with_2():
  ended = processes.run(*_CATCH, '--actors', '0')
  assert (ended.code, ended.left) == (2, [])
  assert ended.err == 'tfacme: The number of actors is 0, and has to be at least 1.\n'


class _Builder(dqn.DQNBuilder):
  """DQN with other tables."""

  def __init__(self, table, batch_size=64):
    super().__init__(dqn.DQNConfig(batch_size=batch_size))
    self._table = table

  def tables(self, spec):
    return [self._table]

  def source(self, spec):
    return sources.Sample(self._table.name, self.config.batch_size)


def _experiment(builder, networks=None):
  return tfacme.Experiment(
    builder=builder,
    networks=networks or dqn.mlp_networks(hidden_sizes=(8,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=100),
  )


def test_a_queue_smaller_than_a_batch_is_refused():
  with pytest.raises(errors.UserError, match='holds at most 10 items, less than a batch of 64'):
    tfacme.make_program(_experiment(_Builder(tables.queue(items.Items(2), size=10))))


def test_a_limiter_that_would_stop_for_ever_is_refused():
  with pytest.raises(errors.UserError, match='would block for ever'):
    tables.Limiter(samples_per_insert=4.0, min_size=1, low=0.0, high=3.0)
  with pytest.raises(errors.UserError, match='error buffer is 1, and has to be at least 8'):
    tables.sample_to_insert_ratio(8.0, min_size=100, error_buffer=1.0)


@dataclasses.dataclass(frozen=True)
class _TwoActions:
  """Networks for two actions, whatever the environment has."""

  def __call__(self, spec):
    return dqn.DQNNetworks(snt.Sequential([snt.Flatten(), snt.Linear(2)]))


@pytest.mark.parametrize('networks', [dqn.mlp_networks, ppo.default_networks()])
def test_networks_of_another_kind_are_refused(networks):
  with pytest.raises(errors.UserError, match='^DQN needs networks with the parts of DQNNetworks, .* has no q[.]$'):
    tfacme.make_program(_experiment(dqn.DQNBuilder(), networks))


def test_networks_that_do_not_fit_are_refused():
  with pytest.raises(errors.UserError, match=r'returns \(2,\) .* has to return 3 values'):
    tfacme.make_program(_experiment(dqn.DQNBuilder(), _TwoActions()))
