"""Policies while a run goes on, and runs that end before their budget, on each engine."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal

import numpy as np
import pytest

import tfacme
from tests.contract import environment, imitation, noisy, offline_recurrent, on_policy
from tfacme import checkpoints, errors, launching, loggers, testing
from tfacme.replay import numpy_replay
from tfacme.runs import pickles
from tfacme.tensors import naming
from tfacme.workers import environment_loop, export

ENGINES = ['inline', pytest.param('local_mp', marks=pytest.mark.slow)]


def _experiment(**parts):
  parts = {'evaluation': tfacme.Evaluation(every=200, episodes=5), 'budget': tfacme.Budget(actor_steps=2000), **parts}
  return dataclasses.replace(on_policy.experiment(), **parts)


def _stop_at(reached: float):
  """Ends a run where an evaluation comes to a return, and keeps the policy of it."""

  def on_evaluation(evaluated):
    if evaluated.row['episode_return'] < reached:
      return None
    evaluated.keep('enough')
    return tfacme.Stop(f'the return is at least {reached:g}')

  return on_evaluation


@pytest.mark.parametrize('launch', ENGINES)
def test_a_callback_ends_a_run(launch, tmp_path, capsys):
  experiment = _experiment(on_evaluation=_stop_at(2.0), budget=tfacme.Budget(actor_steps=200_000))
  run = tfacme.train(experiment, str(tmp_path), launch)
  rows = testing.logs(tmp_path)['evaluator']
  *before, last = [float(row['episode_return']) for row in rows]
  assert before and max(before[:-1], default=0.0) < 2.0 <= before[-1]  # The last one is on the final variables.
  assert run.ended == 'the return is at least 2'
  manifest = checkpoints.manifest(checkpoints.latest(str(tmp_path / 'checkpoints')))
  assert manifest['complete'] and manifest['steps'] < 200_000
  if launch == 'inline':
    assert manifest['steps'] <= int(rows[-2]['actor_steps']) + 1  # One step may have been claimed before.
  assert 'the return is at least 2' in capsys.readouterr().out
  assert run.evaluate(5).episodes == run.evaluate(5, checkpoint='enough').episodes == 5
  kept = json.loads((tmp_path / 'policy-enough' / 'evaluation.json').read_text())
  assert kept['episode_return'] == before[-1]
  tfacme.train(experiment, str(tmp_path), launch)
  assert 'Nothing is left to do' in capsys.readouterr().out
  assert len(testing.logs(tmp_path)['evaluator']) == len(rows)


@pytest.mark.slow
def test_a_run_that_was_ended_stays_so_where_it_is_stopped_meanwhile_and_goes_on_with_a_larger_budget(tmp_path, capsys):
  def stop(evaluated):
    signal.raise_signal(signal.SIGINT)
    return tfacme.Stop('it is enough')

  train = lambda **parts: tfacme.train(_experiment(**parts), str(tmp_path))
  with pytest.raises(launching.Interrupted):
    train(on_evaluation=stop)
  (steps,) = tfacme.load_run(str(tmp_path)).checkpoints()
  assert steps < 2000
  assert train().ended == 'it is enough'
  assert f'Resuming from step {steps:,} of {tmp_path}, where it ended since it is enough' in capsys.readouterr().out
  rows = testing.logs(tmp_path)['evaluator']
  assert len(rows) == 2 and max(int(row['actor_steps']) for row in rows) == steps
  assert train().ended == 'it is enough'
  assert 'the run is complete since it is enough; with a larger budget it goes on' in capsys.readouterr().out
  assert train(budget=tfacme.Budget(actor_steps=2100)).ended is None
  assert f'Resuming from step {steps:,} of {tmp_path}\n' in capsys.readouterr().out
  assert int(testing.logs(tmp_path)['evaluator'][-1]['actor_steps']) == 2100


def test_policies_of_evaluations_that_a_run_goes_back_before_are_forgotten(tmp_path):
  keep = lambda evaluated: evaluated.keep(f'at{evaluated.steps}')
  parts = {'budget': tfacme.Budget(actor_steps=400), 'checkpointing': tfacme.Checkpointing(every=200)}
  tfacme.train(_experiment(on_evaluation=keep, **parts), str(tmp_path), progress=False)
  kept = lambda: sorted(path.name for path in tmp_path.glob('policy-at*'))
  assert kept() == ['policy-at200', 'policy-at400']
  shutil.rmtree(max((tmp_path / 'checkpoints').iterdir()))
  tfacme.train(_experiment(**parts), str(tmp_path), progress=False)
  assert kept() == ['policy-at200']
  best = json.loads((tmp_path / 'policy-best' / 'evaluation.json').read_text())
  assert best['timestamp'] in [
    float(row['timestamp']) for row in loggers.read(str(tmp_path / 'logs' / 'evaluator.csv'))
  ]


def test_a_run_from_recorded_data_ends_as_well(tmp_path):
  experiment = dataclasses.replace(
    offline_recurrent.experiment(),
    evaluation=tfacme.Evaluation(every=20, episodes=2),
    on_evaluation=lambda evaluated: tfacme.Stop('it is enough') if evaluated.steps >= 40 else None,
  )
  run = tfacme.train(experiment, str(tmp_path), progress=False)
  assert run.ended == 'it is enough'
  assert [int(row['learner_steps']) for row in testing.logs(tmp_path)['evaluator']] == [20, 40, 40]


def test_what_a_callback_may_not_do(tmp_path):
  with pytest.raises(errors.UserError, match='on_evaluation returned True'):
    tfacme.train(_experiment(on_evaluation=lambda evaluated: True), str(tmp_path / 'one'), progress=False)
  with pytest.raises(errors.UserError, match="kept as '1000': make a name .* that begins with a letter"):
    tfacme.train(_experiment(on_evaluation=lambda told: told.keep('1000')), str(tmp_path / 'two'), progress=False)
  with pytest.raises(errors.UserError, match='on_evaluation is 3'):
    _experiment(on_evaluation=3)
  behaviour = tfacme.Evaluation(policy='behaviour', every=200)
  with pytest.raises(errors.UserError, match='plays with the behaviour policy'):
    keeping = _experiment(evaluation=behaviour, on_evaluation=lambda told: told.keep('x'))
    tfacme.train(keeping, str(tmp_path / 'three'), progress=False)


@pytest.mark.parametrize('launch', ENGINES)
def test_the_best_policy_is_the_one_of_the_best_evaluation(launch, tmp_path):
  run = tfacme.train(_experiment(), str(tmp_path), launch, progress=False)
  rows = testing.logs(tmp_path)['evaluator']
  best = max(rows, key=lambda row: float(row['episode_return']))  # the first of those that are alike
  kept = json.loads((tmp_path / 'policy-best' / 'evaluation.json').read_text())
  assert [kept[name] for name in ('learner_steps', 'episode_return')] == [
    int(best['learner_steps']),
    float(best['episode_return']),
  ]
  assert run.evaluate(20, checkpoint='best').mean >= environment.BEST - 0.5
  for checkpoint in ('best', run.checkpoints()[-1]):
    run.export(str(tmp_path / 'exported'), checkpoint=checkpoint)
    exported = export.LoadedPolicy(str(tmp_path / 'exported'))
    np.testing.assert_array_equal(_logits(exported), _logits(run.policy(checkpoint=checkpoint)))
  with pytest.raises(errors.UserError, match="no policy 'bset'; did you mean best"):
    run.policy(checkpoint='bset')


def test_without_it_there_is_none(tmp_path):
  tfacme.train(_experiment(checkpointing=tfacme.Checkpointing(best=False)), str(tmp_path), progress=False)
  assert not (tmp_path / 'policy-best').exists()


def _logits(policy) -> np.ndarray:
  """What a policy does in each state."""
  states = np.eye(3, dtype=np.float32)
  return policy.act(states, np.ones(3, np.bool_))


def test_there_is_a_policy_from_the_first_checkpoint_on(tmp_path, monkeypatch):
  """And it is the checkpoint's."""
  seen = {}
  step = environment_loop.EnvironmentLoop.step

  def look(self, wait):
    made = (tmp_path / 'policy' / 'saved_model.pb').exists()
    run = tfacme.load_run(str(tmp_path))
    for count in run.checkpoints():
      if made and count not in seen:
        seen[count] = _logits(run.policy()), _logits(run.policy(checkpoint=count))
    return step(self, wait)

  monkeypatch.setattr(environment_loop.EnvironmentLoop, 'step', look)
  tfacme.train(
    _experiment(budget=tfacme.Budget(actor_steps=400), checkpointing=tfacme.Checkpointing(every=150), evaluation=[]),
    str(tmp_path),
    progress=False,
  )
  assert sorted(seen) == [150, 300]
  for newest, restored in seen.values():
    np.testing.assert_array_equal(newest, restored)


_NODE = 'steps_per_second timestamp seconds memory_mb cpu_percent'
_LEARNER = _NODE.replace('timestamp', 'reading timestamp')
_SCHEMA_5 = {
  'actor-0': f'actor_steps actor_episodes learner_steps variables_age episode_return episode_length {_NODE}',
  'learner': f'learner_steps actor_steps sample_age queue_size queue_samples_per_insert {_LEARNER}',
  'evaluator': (
    'actor_steps actor_episodes learner_steps evaluator_episodes evaluator_steps episode_return episode_length '
    'episode_return_standard_error episode_return_minimum episode_return_maximum episodes_cut '
    f'{_NODE}'
  ),
  'counter.json': 'budget counts ended',
  'learner.json': 'source steps variables',
}


def _expect_what_the_next_version_goes_on_with(run: pathlib.Path) -> None:
  """That a checkpoint and the logs beside it have the form of the schema that the checkpoint names."""
  found = {path.stem: list(loggers.read(str(path))[0]) for path in (run / 'logs').glob('*.csv')}
  for path in pathlib.Path(checkpoints.latest(str(run / 'checkpoints'))).glob('*/*.json'):
    found[path.name] = sorted(json.loads(path.read_text()))
  metrics = ['loss', 'entropy', 'gradient_norm', 'learning_rate', 'kl', 'clipped']
  found['learner'] = [name for name in found['learner'] if name not in metrics]
  assert {name: ' '.join(columns) for name, columns in found.items()} == _SCHEMA_5 and checkpoints.SCHEMA == 5, (
    'Raise checkpoints.SCHEMA: no earlier run can go on with this version.'
  )


def test_a_run_gives_its_networks_and_its_learner(tmp_path, monkeypatch):
  run = tfacme.train(_experiment(budget=tfacme.Budget(actor_steps=400)), str(tmp_path), progress=False)
  _expect_what_the_next_version_goes_on_with(tmp_path)
  learner = run.learner()
  assert learner.steps == int(testing.logs(tmp_path)['evaluator'][-1]['learner_steps'])
  actions = np.argmax(run.networks()(np.eye(3, dtype=np.float32))[:, :2], axis=1)
  np.testing.assert_array_equal(_logits(run.policy()), actions)
  before = run.checkpoints()[0]
  assert run.learner(before).steps <= learner.steps
  with pytest.raises(errors.UserError, match='no checkpoint of 7 steps'):
    run.learner(7)
  read, checksum = [], checkpoints._checksum
  monkeypatch.setattr(checkpoints, '_checksum', lambda path: read.append(path) or checksum(path))
  np.testing.assert_array_equal(_logits(run.policy()), _logits(run.policy(checkpoint=400)))
  for mine, learned in zip(run.networks(400).variables, learner.networks.variables, strict=True):
    np.testing.assert_array_equal(mine.numpy(), learned.numpy())
  assert read and {os.path.basename(os.path.dirname(path)) for path in read} == {'learner'}  # No replay.


def test_why_a_run_ended_is_told_without_a_look_at_all_of_its_checkpoint(tmp_path, monkeypatch):
  run = tfacme.train(_experiment(on_evaluation=_stop_at(0.0)), str(tmp_path), progress=False)
  monkeypatch.setattr(checkpoints, '_checksum', None)
  assert run.ended == 'the return is at least 0'
  pathlib.Path(checkpoints._path(str(tmp_path / 'checkpoints'), 10**6)).mkdir()  # Without a manifest.
  assert run.ended == 'the return is at least 0'


@pytest.mark.slow
def test_of_a_large_data_set_no_more_is_pickled_than_shows_that_it_is_large(tmp_path, monkeypatch):
  experiment = dataclasses.replace(
    offline_recurrent.experiment(), budget=tfacme.Budget(learner_steps=3), evaluation=tfacme.Evaluation(episodes=1)
  )
  run = tfacme.train(experiment, str(tmp_path / 'small'), progress=False)
  assert run.experiment().dataset is not None
  monkeypatch.setattr(pickles, '_LARGE', 1000)
  run = tfacme.train(experiment, str(tmp_path / 'large'), progress=False)
  assert run.experiment().dataset is None
  with pytest.raises(errors.UserError, match='give them as `dataset`'):
    run.learner()
  assert run.learner(dataset=experiment.dataset).steps == 3
  assert naming.places(run.networks()) and run.policy(checkpoint=3) is not None  # They need no data.


def test_nor_of_large_data_in_a_builder(tmp_path, monkeypatch):
  experiment = dataclasses.replace(
    imitation.experiment(), budget=tfacme.Budget(actor_steps=20), evaluation=tfacme.Evaluation(episodes=1)
  )
  pickles.write(str(tmp_path / 'small'), experiment)
  assert pickles.read(str(tmp_path / 'small')).builder.demonstrations is not None
  monkeypatch.setattr(pickles, '_LARGE', 2000)
  run = tfacme.train(experiment, str(tmp_path), progress=False)
  assert run.experiment().builder.demonstrations is None
  with pytest.raises(errors.UserError, match='too much data to be kept in its folder: tfacme.make_learner') as told:
    run.learner()
  (checkpoint,) = re.findall("'(.*)'", str(told.value))
  assert checkpoint in map(str, (tmp_path / 'checkpoints').iterdir())


@pytest.mark.slow
def test_the_learner_of_a_run_reads_its_replay(tmp_path, monkeypatch, caplog):
  experiment = dataclasses.replace(noisy.experiment(), budget=tfacme.Budget(actor_steps=300))
  run = tfacme.train(experiment, str(tmp_path), progress=False)
  learner = run.learner()
  batch = learner.read()
  assert batch.steps.reward.shape[0] > 0
  before = learner.steps
  learner.update(batch)
  assert learner.steps == before + 1
  monkeypatch.setattr(numpy_replay, 'can_restore', lambda path: False)  # As of a run with a server of Reverb.
  caplog.clear()
  with pytest.raises(errors.UserError, match='^There is no batch to read: .* of a run without servers has its replay'):
    run.learner().read()
  (said,) = [record.getMessage() for record in caplog.records]
  assert said.endswith('is of servers (--replay reverb), so the learner has no batches of it.')


def test_an_environment_is_told_what_it_is_for(tmp_path):
  roles = pathlib.Path(tmp_path / 'roles')

  def make(seed, role):
    with roles.open('a') as file:
      file.write(f'{role}\n')
    return environment.truncating(seed)

  tfacme.train(
    _experiment(environment=make, budget=tfacme.Budget(actor_steps=50), layout=tfacme.Layout(slots=2)),
    str(tmp_path / 'run'),
    progress=False,
  )
  told = roles.read_text().split()
  assert told.count('actor') == 2 and told.count('evaluator') == 5 and set(told) == {'actor', 'evaluator', 'spec'}
