"""A run: its folder, and what is made of that."""

import dataclasses
import json
import sys
import threading

import cloudpickle
import pytest

import tfacme
from tests.contract import imitation, on_policy
from tfacme import core, errors, loggers, testing
from tfacme.runs import describing, run, training


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


def _run(folder, environment=None):
  (folder / 'experiment.json').write_text('{"agent": "dqn", "environment": "mine"}')
  if environment is not None:
    experiment = dataclasses.replace(on_policy.experiment(), environment=environment)
    (folder / 'experiment.pkl').write_bytes(cloudpickle.dumps(experiment))
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


def test_a_folder_with_a_data_set_is_not_taken_for_a_run(tmp_path):
  (tmp_path / 'dataset_info.json').write_text('{}')
  with pytest.raises(errors.UserError, match='holds a data set; give a folder for the run'):
    tfacme.train(imitation.experiment(), str(tmp_path), progress=False)
  assert [path.name for path in tmp_path.iterdir()] == ['dataset_info.json']


def test_a_run_is_not_recorded_into_its_own_folder(tmp_path):
  experiment = dataclasses.replace(on_policy.experiment(), record=str(tmp_path / 'run'))
  with pytest.raises(errors.UserError, match='run is the folder of the run: give another one for its recording'):
    tfacme.train(experiment, str(tmp_path / 'run'), progress=False)
  assert not (tmp_path / 'run' / 'experiment.json').exists()


def test_a_run_that_left_nothing_makes_room_for_another(tmp_path):
  (tmp_path / 'logs').mkdir()
  (tmp_path / 'logs' / 'learner.csv').write_text('a,column,of,another,agent\n')
  (tmp_path / 'experiment.json').write_text(
    json.dumps(describing.describe(imitation.experiment(mistakes=0.5), 'inline'))
  )
  made = tfacme.train(imitation.experiment(), str(tmp_path), progress=False)
  assert made.description['builder'] == describing.describe(imitation.experiment(), 'inline')['builder']
  assert loggers.read(str(tmp_path / 'logs' / 'learner.csv'))
  with pytest.raises(errors.UserError, match='holds another experiment, with builder.demonstrations .* give another'):
    tfacme.train(imitation.experiment(mistakes=0.5), str(tmp_path), progress=False)


@dataclasses.dataclass(frozen=True)
class _Tracker:
  """Notes what it is told, and can't be used if its problem is a text."""

  events: list
  problem: str = ''

  def prepared(self, log):
    if self.problem:
      raise errors.UserError(self.problem)
    self.events.append(('begins', log.run_id))
    return self

  def ended(self, log, finished):
    self.events.append(('finished' if finished else 'stopped', log.run_id))

  def __call__(self, log):
    return loggers.MemoryLogger()


def test_a_tracker_begins_a_run_once_all_of_it_is_known_to_fit(tmp_path, monkeypatch):
  events = []

  def train(*trackers, **changes):
    experiment = dataclasses.replace(on_policy.experiment(), budget=tfacme.Budget(actor_steps=20), **changes)
    return tfacme.train(dataclasses.replace(experiment, loggers=trackers), str(tmp_path), progress=False)

  tracker = _Tracker(events)
  lock = threading.Lock()
  with pytest.raises(errors.UserError):  # It can't be pickled.
    train(tracker, on_evaluation=lambda evaluated: lock.locked())
  with monkeypatch.context() as patch, pytest.raises(errors.UserError, match='too large'):
    patch.setattr(training.memory, 'check', lambda *unused: _raise(errors.UserError('too large')))
    train(tracker)
  assert not events
  with pytest.raises(errors.UserError, match='no key'):
    train(tracker, _Tracker(events, 'no key'))
  made = train(tracker, evaluation=tfacme.Evaluation(episodes=1))
  identity = made.description['id']  # the same in each try
  assert events == [(what, identity) for what in ('begins', 'stopped', 'begins', 'finished')]


def _raise(error):
  raise error
