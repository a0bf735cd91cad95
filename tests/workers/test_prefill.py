"""A prefill writes its episodes once, whatever the rate limiter says, also in a run that is killed and goes on."""

import dataclasses
import os

import cloudpickle
import numpy as np
import pytest

import tfacme
from tests.contract import environment, prefilled
from tfacme import checkpoints, core, datasets, errors
from tfacme.graph import nodes, program, replays
from tfacme.graph import plan as plan_lib
from tfacme.loggers import csv_logger
from tfacme.replay import items, sources, tables
from tfacme.workers import counting, prefill, roles

ITEMS = {'prefill': prefilled.RECORDED * environment.LENGTH, 'random': prefilled.RANDOM}

TABLES = {
  'pairs': items.Items(2),
  'padded': items.Items(4, period=2),
  'burn-in': items.Items(5, period=2, burn_in=2),
  'dropped': items.Items(4, period=3, end='drop'),
  'whole': items.Items(None),
}
COUNTS = {
  'prefill_episodes': 40,
  'prefill_items_replay': ITEMS['prefill'],
  'prefill_items_demonstrations': ITEMS['prefill'],
  'prefill_done': 1,
}


def _experiment(steps=300, builder=None, **parts):
  parts = {'evaluation': tfacme.Evaluation(every=0, episodes=2), **parts}
  budget = tfacme.Budget(actor_steps=steps)
  return dataclasses.replace(prefilled.experiment(), builder=builder or prefilled.Builder(), budget=budget, **parts)


def _objects(experiment, folder=None, checkpoint=None):
  return nodes.make_all(program.make_program(experiment, folder, checkpoint), lambda name, make: make())


def _fill(objects, name='prefill'):
  while objects[name].step(0.0) is not core.Progress.DONE:
    pass


def test_all_is_written_before_the_actors_begin_and_counts_for_nobody():
  """Samples are of what actors write alone, but that the learner need not wait for them at first."""
  objects = _objects(_experiment())
  _fill(objects)
  _fill(objects, 'random')
  usage = objects['replay'].usage()
  assert usage['replay'].inserted == ITEMS['prefill'] + ITEMS['random']  # 50 error buffer, 8 samples an insert
  assert usage['demonstrations'].inserted == ITEMS['prefill']
  counts = [objects[name].tally.counts for name in ITEMS]
  assert counts == [
    COUNTS,
    {'prefill_episodes': 20, 'prefill_items_replay': ITEMS['random'], 'prefill_done': 1},
  ]
  assert objects['actor-0'].step(0.0) is core.Progress.DID
  objects['actor-0'].step(0.0)
  while objects['learner'].step(0.0) is core.Progress.DID:
    pass
  samples = objects['replay'].usage()['replay'].sampled
  assert 8 < samples <= 8 * 2 + 50 + 32  # of two steps, within the error buffer and a batch


def test_the_ratio_is_of_what_actors_write(tmp_path):
  tfacme.train(_experiment(), str(tmp_path), progress=False)
  plain = 8.0 * (300 - 50)
  checkpoint = checkpoints.latest(str(tmp_path / 'checkpoints'))
  with np.load(os.path.join(checkpoint, 'replay', 'replay.npz')) as file:
    (inserts, samples) = file['replay/counts']
  assert inserts == 300 + ITEMS['prefill'] + ITEMS['random']
  assert plain - 50 <= samples - 8.0 * 50 <= plain + 500


def test_its_rows_are_those_of_the_data():
  objects = _objects(_experiment())
  _fill(objects)
  replay = objects['replay']
  table = next(t for t in prefilled.Builder().tables(None) if t.name == 'demonstrations')
  steps, _ = replay.codec.views(replay.reader(table, 500).read(0.0, 0).columns)
  recorded = prefilled.experiment().dataset.steps
  assert not steps.extras['values'].any()
  wanted = {(tuple(e.observation[t]), int(e.action[t])) for e in recorded for t in range(environment.LENGTH)}
  assert {(tuple(o), int(a)) for o, a in zip(steps.observation[:, 0], steps.action[:, 0])} <= wanted


def test_recorded_rows_have_no_age_and_those_that_it_played_are_as_old_as_the_run():
  objects = _objects(_experiment())
  for name, table in (('prefill', 'demonstrations'), ('random', 'replay')):
    _fill(objects, name)
    (rule,) = [t for t in prefilled.Builder().tables(None) if t.name == table]
    replay = objects['replay']
    read = replay.reader(rule, 200).read(0.0, now=7)
    ages = replay.codec.batch(rule.items, read.columns, read.info).info.age.numpy()
    assert set(ages) == ({-1} if name == 'prefill' else {-1, 7})  # The table has those of both.


@pytest.mark.parametrize('order', [('actor-0', 'prefill', 'random'), ('random', 'actor-0', 'prefill')])
def test_actors_do_not_act_before_all_is_written(order):
  """Else they would spend the room that is the prefill's, and all would wait for each other."""
  objects = _objects(_experiment())
  for _ in range(1000):
    outcomes = {name: objects[name].step(0.0) for name in (*order, 'learner')}
    if outcomes['prefill'] is outcomes['random'] is core.Progress.DONE:
      break
    assert objects['actor-0'].tally.counts['actor_steps'] == 0
    assert isinstance(outcomes['actor-0'], core.Blocked) and 'prefill' in outcomes['actor-0'].reason
  assert outcomes['prefill'] is outcomes['random'] is core.Progress.DONE
  while objects['actor-0'].step(0.0) is core.Progress.DID:
    while objects['learner'].step(0.0) is core.Progress.DID:
      pass
  assert objects['actor-0'].step(0.0) is core.Progress.DONE


@pytest.mark.parametrize('table', list(TABLES), ids=str)
@pytest.mark.parametrize('source', ['data', 'steps'])
def test_the_limiter_leaves_out_exactly_what_is_written(table, source):
  """Whatever the items are, and wherever the episodes end: with them, actors have the room that they have without."""
  steps, data = (333, {'dataset': None}) if source == 'steps' else (None, {})
  role = prefill.Prefill('mine', steps=steps, zeros=['values'])
  limiter = tables.sample_to_insert_ratio(2.0, 20, error_buffer=10.0)
  described = tables.Table(TABLES[table], limiter, 5000, written_by=('actor', 'mine'))
  objects = _objects(_experiment(builder=_Only(table=described, role=role), **data))
  _fill(objects, 'mine')
  (made,) = objects['replay']._tables
  assert made.table.limiter == limiter.prefilled(made.inserts)
  assert objects['mine'].tally.counts['prefill_items_other'] == made.inserts > 20


@pytest.mark.parametrize('written', [0, 7, 40])
def test_a_run_that_is_stopped_while_it_writes_begins_that_again(written, tmp_path):
  """What its writers hold and what a replay has is never known exactly, so no checkpoint tells of a part of it."""
  experiment = _experiment()
  objects = _objects(experiment, str(tmp_path))
  for _ in range(written):
    objects['prefill'].step(0.0)
  objects['saver'].interrupt()
  assert checkpoints.latest(str(tmp_path / 'checkpoints')) is None
  again = _objects(experiment, str(tmp_path))
  _fill(again)
  assert again['replay'].usage()['demonstrations'].inserted == ITEMS['prefill']


def test_a_run_that_is_stopped_after_it_has_written_has_all(tmp_path):
  objects = _objects(_experiment(), str(tmp_path))
  _fill(objects)
  _fill(objects, 'random')
  objects['saver'].interrupt()
  checkpoint = checkpoints.latest(str(tmp_path / 'checkpoints'))
  again = _objects(_experiment(), str(tmp_path), checkpoint)
  before = again['replay'].usage()
  assert before == objects['replay'].usage() and before['demonstrations'].inserted == ITEMS['prefill']
  assert isinstance(again['actor-0'].step(0.0), core.Blocked)
  assert again['prefill'].step(0.0) is again['random'].step(0.0) is core.Progress.DONE
  assert again['replay'].usage() == before
  assert again['actor-0'].step(0.0) is core.Progress.DID
  limiters = [one['replay']._tables[0].table.limiter for one in (objects, again)]
  assert limiters[0] == limiters[1]


@pytest.mark.slow
@pytest.mark.parametrize('engine', ['local_mt', 'local_mp'])
def test_all_engines_learn_as_much(engine, tmp_path):
  tfacme.train(_experiment(1500), str(tmp_path), launch=engine, progress=False)
  last = csv_logger.read(str(tmp_path / 'logs' / 'learner.csv'))[-1]
  assert abs(32 * float(last['learner_steps']) / 2 - 8.0 * (1500 - 50)) < 8.0 * 50 + 600


def test_what_the_replay_has_not_kept_is_written_anew(tmp_path):
  options = tfacme.Checkpointing(replay=False)
  tfacme.train(_experiment(100, checkpointing=options), str(tmp_path), progress=False)
  checkpoint = checkpoints.latest(str(tmp_path / 'checkpoints'))
  objects = _objects(_experiment(200, checkpointing=options), str(tmp_path), checkpoint)
  assert objects['prefill'].tally.counts['prefill_done'] == 0
  _fill(objects)
  assert objects['replay'].usage()['demonstrations'].size == ITEMS['prefill']


def test_a_run_that_ended_goes_on_with_the_same_counts(tmp_path):
  for steps in (200, 300):
    tfacme.train(_experiment(steps), str(tmp_path), progress=False)
    counts = counting.saved_counts(os.path.join(checkpoints.latest(str(tmp_path / 'checkpoints')), 'counter'))
    assert counts['prefill'] == COUNTS
    assert counts['actor-0']['actor_steps'] == steps


def test_it_has_a_phase_before_that_of_the_actors():
  plan = plan_lib.make_plan(_experiment())
  assert plan.phases[:2] == [['prefill', 'random'], ['actor-0']]


def test_without_actors_there_is_none():
  values = np.zeros((environment.LENGTH + 1, 2), np.float32)
  data = datasets.memory(step._replace(extras={'values': values}) for step in environment.record(9))
  offline = dataclasses.replace(_experiment(), budget=tfacme.Budget(learner_steps=10), dataset=data)
  assert 'prefill' not in _objects(offline)


def test_only_its_own_node_has_its_data():
  large = datasets.memory(environment.record(900))
  sizes = {
    node.name: len(cloudpickle.dumps(node.run))
    for node in nodes.of_program(program.make_program(_experiment(dataset=large)))
  }
  others = max(sizes[name] for name in ('actor-0', 'counter', 'saver', 'random'))
  assert sizes['prefill'] > others + 100_000


# --- Mistakes ---


@dataclasses.dataclass(frozen=True)
class _Other(prefilled.Builder):
  """The toy with tables and roles of its own."""

  table: tables.Table = tables.Table(items.Items(2), tables.min_size(10), 5000)
  role: roles.Role = prefill.Prefill(zeros=['values'])

  def tables(self, spec):
    return [*super().tables(spec), dataclasses.replace(self.table, name='other')]

  def workers(self, spec):
    return [prefill.Prefill('random', steps=10, zeros=['values']), self.role]


@dataclasses.dataclass(frozen=True)
class _Only(_Other):
  """The toy with one table and one role."""

  def tables(self, spec):
    return [dataclasses.replace(self.table, name='other')]

  def source(self, spec):
    return sources.Sample('other', 8)

  def workers(self, spec):
    return [self.role]


_RATIO = tables.sample_to_insert_ratio(8.0, 50, error_buffer=50.0)


@pytest.mark.parametrize(
  'builder, says',
  [
    (_Other(role=prefill.Prefill()), r"has no extras \['values'\]"),
    (_Other(role=prefill.Prefill('mine', zeros=['values'])), "'prefill'; did you mean prefill|'prefill'"),
    (_Other(table=tables.Table(items.Items(2), _RATIO, 99, written_by='prefill')), 'stop the learner for good'),
    (_Other(table=tables.Table(items.Items(2), tables.min_size(1), 99, written_by='prefil')), 'did you mean prefill'),
    (
      _Other(table=tables.Table(items.Items(2), tables.min_size(1), 99, written_by='prefill')),
      "200 items are to be written into the table 'other' .* holds at most 99; raise max_size",
    ),
    (_Other(role=prefill.Prefill('random', steps=5, zeros=['values'])), 'Two roles of the agent have one name'),
    (
      _Only(
        table=tables.Table(items.Items(2), tables.Limiter(8.0, 50, 0.0, 20.0), 999, written_by=('actor', 'prefill'))
      ),
      "rate limiter of the table 'other' would hold back its prefill",
    ),
  ],
)
def test_what_does_not_fit_is_refused_before_a_run(builder, says):
  with pytest.raises(errors.UserError, match=says):
    program.make_program(_experiment(builder=builder))


def test_no_two_nodes_have_one_name():
  with pytest.raises(errors.UserError, match="nodes of the run are named 'prefill'"):
    program.make_program(_experiment(evaluation=tfacme.Evaluation(name='prefill')))
  with pytest.raises(errors.UserError, match="nodes of the run are named 'mine-0'"):
    evaluation = tfacme.Evaluation(name='mine-0')
    role = _Watcher('mine', count=2)
    program.make_program(_experiment(builder=_Only(role=role), dataset=None, evaluation=evaluation))


@dataclasses.dataclass(frozen=True)
class _Watcher(roles.Role):
  """Logs a row without any count of the run."""

  def make(self, parts):
    return _Watching(parts)


class _Watching:
  """The worker of a `_Watcher`."""

  runs_until_blocked = False

  def __init__(self, parts):
    self.name, self.tally, self._logger = parts.name, parts.tally, parts.logger()
    self.tally.join([])

  def step(self, wait):
    del wait
    self._logger.write({'model_loss': 1.0})
    self.tally.report(finished=True)
    self.close()
    return core.Progress.DONE

  def close(self):
    self._logger.close()


@dataclasses.dataclass(frozen=True)
class _Watched(prefilled.Builder):
  """The toy with a node that logs."""

  def workers(self, spec):
    return [*super().workers(spec), _Watcher('watcher')]


def test_a_run_is_resumed_whose_own_workers_log_no_counts(tmp_path):
  for steps in (60, 80):
    tfacme.train(_experiment(steps, _Watched()), str(tmp_path), progress=False)
  assert len(csv_logger.read(str(tmp_path / 'logs' / 'watcher.csv'))) == 2


@pytest.mark.parametrize(
  'make, says',
  [
    (lambda: prefill.Prefill(count=2), "'prefill' has 2 nodes, each of which would write all its data"),
    (lambda: prefill.Prefill(phase='actor'), "phase 'prefill'"),
    (lambda: prefill.Prefill(steps=0), 'The number of steps of a prefill is 0'),
    (lambda: prefill.Prefill(steps=5, dataset=datasets.memory([])), 'give one of the two'),
    (lambda: roles.Role('actor'), "name of an agent's role is 'actor', and has to be .* no name of another node"),
    (lambda: roles.Role('actor-0'), "name of an agent's role is 'actor-0', and has to be .* no name of another node"),
    (lambda: roles.Role('evaluator'), "name of an agent's role is 'evaluator', and has to be .* no name of another"),
    (lambda: roles.Role('my/role'), "name of an agent's role is 'my/role', and has to be made of letters, digits"),
    (lambda: roles.Role('mine', count=0), "nodes of the role 'mine' is 0"),
    (lambda: roles.Role('mine', phase='saver'), "no phase 'saver'"),
    (lambda: roles.Role('mine', uses=['actor']), "to use 'actor'"),
  ],
)
def test_roles_that_make_no_sense_are_refused(make, says):
  with pytest.raises(errors.UserError, match=says):
    make()


def test_a_saved_replay_is_known_by_its_kind(tmp_path):
  assert replays.saved_kind(None) is None
  assert replays.saved_kind(str(tmp_path)) is None
