"""Runs that record what their actors do, on each engine: what the logs tell is what lies in the data set."""

import dataclasses
import os
import shutil

import numpy as np
import pytest

import tfacme
from tests.contract import offline_recurrent, on_policy
from tfacme import checkpoints, datasets, errors, testing
from tfacme.workers import counting, recording

ENGINES = ['inline', *(pytest.param(name, marks=pytest.mark.slow) for name in ('local_mt', 'local_mp'))]
LAYOUT = tfacme.Layout(actors=2, slots=2)


def _experiment(folder, **parts):
  parts = {'budget': tfacme.Budget(actor_steps=204), 'evaluation': tfacme.Evaluation(every=0, episodes=1), **parts}
  return dataclasses.replace(on_policy.experiment(), layout=LAYOUT, record=str(folder), **parts)


def _check_same(folder, run):
  """Checks that each actor's part has the episodes of its log, in their order; returns all of them."""
  found = []
  for actor in range(LAYOUT.actors):
    rows = testing.logs(run.workdir).get(f'actor-{actor}')
    if not rows:  # Others have made all steps before it began.
      continue
    part = list(datasets.rlds(folder / f'part-{run.description["id"]}-actor-{actor}').recorded())
    assert [one.metadata['return'] for one in part] == [float(row['episode_return']) for row in rows]
    assert [len(one.steps.last) - 1 for one in part] == [int(float(row['episode_length'])) for row in rows]
    found += part
  return found


def _counted(run):
  """How many episodes the actors have counted, by the last checkpoint."""
  newest = checkpoints.latest(os.path.join(run.workdir, 'checkpoints'))
  counts = counting.saved_counts(os.path.join(newest, 'counter')).values()
  assert [own.get(recording.RECORDED) for own in counts] == [own.get('actor_episodes') for own in counts]
  return sum(own.get('actor_episodes', 0) for own in counts)


@pytest.mark.parametrize('launch', ENGINES)
def test_the_episodes_of_all_actors_are_recorded(launch, tmp_path):
  data = tmp_path / 'data'
  checkpointing = tfacme.Checkpointing(every=100, keep=9)
  run = tfacme.train(_experiment(data, checkpointing=checkpointing), str(tmp_path / 'run'), launch, progress=False)
  episodes = _check_same(data, run)
  assert len(episodes) >= 30 and datasets.rlds(data).size == len(episodes)
  assert {one.metadata['policy'] for one in episodes} == {run.description['agent']}
  assert max(one.metadata['learner_steps'] for one in episodes) > 0 or launch != 'inline'
  steps = episodes[0].steps
  assert set(steps.extras) == {'logits'} and steps.discount[-2] == 1 and not np.any(steps.reward[-1])
  assert datasets.rlds(data, options=datasets.Options(where=[f'run={run.workdir}'])).size == len(episodes)
  # As if it had been killed before its last checkpoint: what came after the one before that is made anew. (A run of
  # several nodes may be too short for two of them.)
  *earlier, newest = sorted((tmp_path / 'run' / 'checkpoints').iterdir(), key=lambda path: int(path.name))
  if earlier:
    shutil.rmtree(newest)
  longer = _experiment(data, checkpointing=checkpointing, budget=tfacme.Budget(actor_steps=224))
  resumed = tfacme.train(longer, str(tmp_path / 'run'), launch, progress=False)
  assert datasets.rlds(data).size == _counted(resumed) >= 30
  if launch == 'inline':  # Else an actor may have logged an episode that the counter had not heard of.
    _check_same(data, resumed)
  datasets.rlds(data).check()


def test_a_run_that_begins_again_touches_no_part_of_others(tmp_path):
  """What one leaves that is killed before its first checkpoint is made anew, since so is the run."""
  data, experiment = tmp_path / 'data', _experiment(tmp_path / 'data', budget=tfacme.Budget(actor_steps=60))
  for _ in range(2):
    run = tfacme.train(experiment, str(tmp_path / 'run'), progress=False)
    shutil.rmtree(os.path.join(run.workdir, 'checkpoints'))
    part = data / f'part-{run.description["id"]}-actor-0'
    shutil.copytree(part, data / 'part-of-another', dirs_exist_ok=True)
  others = datasets.rlds(data / 'part-of-another').size
  assert others > 0 and datasets.rlds(data).size == others + len(_check_same(data, run))


def test_what_can_not_be_recorded(tmp_path):
  with pytest.raises(errors.UserError, match='a run of learner steps has no actors'):
    tfacme.make_program(dataclasses.replace(offline_recurrent.experiment(), record=str(tmp_path)))
  with pytest.raises(errors.UserError, match='record is 3, and has to be a folder'):
    dataclasses.replace(on_policy.experiment(), record=3)
  tfacme.record(None, testing.TwoStates(0), 1, str(tmp_path / 'whole'))
  tfacme.record(None, testing.TwoStates(0), 1, str(tmp_path / 'parts'), part='one')
  for folder, says in (('whole', 'is not in parts'), ('parts', 'part-one has another spec: its extras/logits')):
    with pytest.raises(errors.UserError, match=says):
      tfacme.train(_experiment(tmp_path / folder), str(tmp_path / 'run'), progress=False)
    assert not (tmp_path / 'run').exists()
