"""What a run says of its experiment: the same in every process, so that the run can go on."""

import dataclasses
import functools
import json
import re
import sys

import cloudpickle
import numpy as np
import pytest

import tfacme
from tests.contract import beside, environment, imitation, on_policy
from tfacme import core, datasets, environments, errors, testing
from tfacme.agents import dqn
from tfacme.runs import run


def _shape(reward, scale=1.0):
  return scale * reward


class _Wrapper:
  def __init__(self, environment, function):
    pass


@dataclasses.dataclass(frozen=True)
class _Networks:
  activation: object
  sizes: tuple = (8,)

  def __call__(self, spec):
    raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class _Config(dqn.DQNConfig):
  shaping: object = _shape


def _described(networks, *wrappers, config=None):
  experiment = tfacme.Experiment(
    builder=dqn.DQNBuilder(config or dqn.DQNConfig()),
    networks=networks,
    environment=environments.factory('bsuite:catch/0').wrapped(*wrappers),
    budget=tfacme.Budget(actor_steps=100),
  )
  return run.describe(experiment, 'inline')


def test_functions_are_called_by_their_names_and_code():
  wrapper = functools.partial(_Wrapper, function=functools.partial(_shape, scale=2.0))
  described = _described(_Networks(_shape), wrapper, config=_Config())
  shape = described['config']['shaping']
  assert re.fullmatch(f'{__name__}:_shape#[0-9a-f]{{8}}', shape)
  assert described['networks'] == f'_Networks(activation={shape}, sizes=(8))'
  assert described['environment'] == f'bsuite:catch/0 {__name__}:_Wrapper(function={shape}(scale=2.0))'


def test_an_edited_choice_of_a_builder_is_another_experiment(tmp_path):
  def described(explore):
    builder = dqn.DQNBuilder(dqn.DQNConfig(), explore=explore)
    return run.describe(dataclasses.replace(imitation.experiment(), builder=builder), 'inline')

  (tmp_path / 'experiment.json').write_text(json.dumps(described(lambda q, context: 2 * q)))
  run._check_folder(str(tmp_path), described(lambda q, context: 2 * q))
  with pytest.raises(errors.UserError, match='holds another experiment, with builder.explore .*<lambda>#'):
    run._check_folder(str(tmp_path), described(lambda q, context: 3 * q))


def test_no_memory_address_gets_into_it():
  class Anything:
    pass

  described = _described(_Networks({'a': Anything(), 'b': [Anything, lambda x: x, np.float32(3)]}))
  assert ' at 0x' not in str(described)


def test_it_is_json_that_every_reader_takes():
  described = _described(_Networks(_shape))
  assert described['config']['max_abs_reward'] == 'Infinity'
  json.dumps(described, allow_nan=False)


@dataclasses.dataclass(frozen=True)
class _Around(core.BuilderWrapper):
  """An agent around another one, and one more in a field of its own."""

  other: core.Builder = on_policy.Builder()


def test_an_agent_without_a_config_is_run_also_within_another_one(tmp_path):
  experiment = on_policy.experiment()
  assert not hasattr(experiment.builder, 'config')
  experiment = dataclasses.replace(
    experiment,
    builder=core.BuilderWrapper(_Around(experiment.builder)),
    budget=tfacme.Budget(actor_steps=20),
    evaluation=tfacme.Evaluation(episodes=1),
  )
  described = tfacme.train(experiment, str(tmp_path), progress=False).description
  inside = described['builder']['agent']
  assert (described['config'], inside['config'], inside['agent']['config']) == ({}, {}, {})
  assert inside['agent']['type'] == inside['other']['type'] == 'Builder'


def test_another_unit_of_the_budget_is_another_experiment(tmp_path):
  def described(**budget):
    data = datasets.memory(environment.record(1))
    experiment = dataclasses.replace(beside.experiment(), budget=tfacme.Budget(**budget), dataset=data)
    return run.describe(experiment, 'inline')

  (tmp_path / 'experiment.json').write_text(json.dumps(described(learner_steps=100)))
  run._check_folder(str(tmp_path), described(learner_steps=200))
  for steps in (60, 150):
    says = (
      "another experiment, with budget.unit 'learner_steps' where this one has 'actor_steps'; give another folder.$"
    )
    with pytest.raises(errors.UserError, match=says):
      run._check_folder(str(tmp_path), described(actor_steps=steps))


def test_what_differs_is_described_otherwise():
  assert _described(_Networks(_shape)) != _described(_Networks(_shape, (9,)))


# --- The folder of a run ---


def _run(folder, environment=None):
  (folder / 'experiment.json').write_text('{"agent": "dqn", "environment": "mine"}')
  if environment is not None:
    (folder / 'environment.pkl').write_bytes(cloudpickle.dumps(environment))
  return run.Run(str(folder))


def test_an_environment_from_the_current_folder_is_found(tmp_path, monkeypatch):
  (tmp_path / 'a_module_of_mine.py').write_text(
    'from tfacme import testing\n\n\ndef make(seed):\n  return testing.TwoStates(seed)\n'
  )
  (tmp_path / 'run').mkdir()
  with monkeypatch.context() as patch:
    patch.syspath_prepend(str(tmp_path))
    import a_module_of_mine

    made = _run(tmp_path / 'run', a_module_of_mine.make)
  monkeypatch.delitem(sys.modules, 'a_module_of_mine')
  with pytest.raises(errors.UserError, match="run is from the module 'a_module_of_mine', which can not be found"):
    made.environment()
  monkeypatch.setattr(sys, 'path', [*sys.path])
  monkeypatch.chdir(tmp_path)
  assert isinstance(made.environment(seed=2), testing.TwoStates)


def test_a_policy_is_not_exported_among_other_files(tmp_path, monkeypatch):
  for name in ('run', 'mine', 'before'):
    (tmp_path / name).mkdir()
  made = _run(tmp_path / 'run')
  (tmp_path / 'run' / 'policy').mkdir()
  (tmp_path / 'run' / 'policy' / 'saved_model.pb').write_text('new')
  monkeypatch.setattr(run.Run, 'policy', lambda self: None)
  (tmp_path / 'mine' / 'notes.txt').write_text('mine')
  (tmp_path / 'before' / 'saved_model.pb').write_text('old')
  for path in (tmp_path / 'mine', tmp_path / 'run'):
    with pytest.raises(errors.UserError, match='holds other files'):
      made.export(str(path))
  for path in (tmp_path / 'before', tmp_path / 'new'):
    made.export(str(path))
    assert (path / 'saved_model.pb').read_text() == 'new'


def test_what_a_builder_is_made_of_is_part_of_an_experiment():
  described = [run.describe(imitation.experiment(mistakes=share), 'inline') for share in (0.0, 0.5)]
  data = [one['builder'].pop('demonstrations') for one in described]
  assert data[0] != data[1] and 'memory:' in data[0]
  assert described[0] == described[1]


def test_a_run_is_described_with_the_numbers_of_the_agent_inside():
  builder = core.BuilderWrapper(dqn.DQNBuilder(dqn.DQNConfig(n_step=2)), dqn.DQNConfig(n_step=4))
  described = run.describe(dataclasses.replace(imitation.experiment(), builder=builder), 'inline')
  assert described['config']['n_step'] == 4
  assert (described['builder']['agent']['type'], described['builder']['agent']['config']['n_step']) == ('DQNBuilder', 2)


def test_a_config_whose_numbers_cannot_be_told_is_refused():
  builder = dqn.DQNBuilder({'n_step': 3})
  with pytest.raises(errors.UserError, match="A config has to be a dataclass.* not {'n_step': 3}"):
    run.describe(dataclasses.replace(imitation.experiment(), builder=builder), 'inline')


@pytest.mark.parametrize(
  'changes, budget, hinted',
  [
    ({'epsilon': (1.0, 0.05, 60)}, 200, True),
    ({'epsilon': (1.0, 0.05, 60)}, 100, False),
    ({'epsilon': (1.0, 0.1, 60)}, 200, False),
    ({'n_step': 2}, 200, False),
  ],
)
def test_only_a_schedule_is_excused_by_other_steps(changes, budget, hinted, tmp_path):
  def described(config, budget):
    experiment = tfacme.Experiment(
      builder=dqn.DQNBuilder(config),
      networks=dqn.default_networks(),
      environment=environments.factory('bsuite:catch/0'),
      budget=tfacme.Budget(actor_steps=budget),
    )
    return run.describe(experiment, 'inline')

  config = dqn.DQNConfig(epsilon=(1.0, 0.05, 30))
  (tmp_path / 'experiment.json').write_text(json.dumps(described(config, 100)))
  with pytest.raises(errors.UserError, match='holds another experiment') as caught:
    run._check_folder(str(tmp_path), described(dataclasses.replace(config, **changes), budget))
  assert ("such as '100%', stays the same" in str(caught.value)) == hinted


def test_a_share_of_the_steps_is_the_same_experiment_with_other_steps():
  config = dqn.DQNConfig(epsilon=(1.0, 0.05, '50%'))
  described = _described(_Networks(_shape), config=config)
  assert described['config']['epsilon'] == [1.0, 0.05, '50%']


def test_a_folder_with_a_data_set_is_not_taken_for_a_run(tmp_path):
  (tmp_path / 'dataset_info.json').write_text('{}')
  with pytest.raises(errors.UserError, match='holds a data set; give a folder for the run'):
    tfacme.train(imitation.experiment(), str(tmp_path), progress=False)
  assert [path.name for path in tmp_path.iterdir()] == ['dataset_info.json']
