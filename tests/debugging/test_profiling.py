"""Where the time of a run goes: what is counted as what, the table, and the trace."""

from __future__ import annotations

import gzip
import io
import json
import os
import types

import pytest
import rich.console
from tensorflow.tsl.profiler.protobuf import xplane_pb2

import tfacme
from tfacme import core, environments, errors
from tfacme.agents import dqn
from tfacme.debugging import profiling, traces


class Clock:
  """A clock that stands still unless it is told to go on."""

  def __init__(self):
    self.now = 100.0

  def __call__(self):
    return self.now


@pytest.fixture
def clock(monkeypatch):
  clock = Clock()
  monkeypatch.setattr(profiling.time, 'perf_counter', clock)
  return clock


class Worker:
  """Spends a second on reading and three on learning, and one beside; blocked at every other step."""

  name = 'learner'

  def __init__(self, clock):
    self._clock, self._steps = clock, 0
    self.source = types.SimpleNamespace(read=lambda: self._spend(1.0), other='other')
    self.closed = False

  def _spend(self, seconds):
    self._clock.now += seconds

  def learn(self, scale):
    self._spend(3.0 * scale)

  def measured(self, watch):
    self.source = watch.around(self.source, read='reading')
    self.learn = watch.timed('learning', self.learn)

  def step(self, wait):
    self._steps += 1
    self.source.read()
    if self._steps % 2:
      return core.Blocked('data')
    self.learn(1.0)
    self._spend(1.0)
    return core.Progress.DONE if self._steps == 6 else core.Progress.DID

  def close(self):
    self.closed = True


def _run(worker):
  while worker.step(0.0) is not core.Progress.DONE:
    pass
  worker.close()
  return worker


def test_the_time_of_a_worker_is_told_by_its_parts(clock, tmp_path):
  profile = profiling.Profile(str(tmp_path), apart=False)
  worker = _run(profile.make('role', lambda clock: Worker(clock), clock=clock))
  assert worker.closed and worker.source.other == 'other'
  (lane,) = profiling.lanes(str(tmp_path))
  # Six steps: three are blocked for a second each; three read for one, learn for three and take one more. Time that was
  # waited for data is no call of what reads them.
  assert (lane.names, lane.seconds, lane.steps, lane.unit) == (['learner'], 18.0, 3, 'learning step')
  assert lane.parts == {'reading': (3, 3, 1), 'learning': (9, 3, 3), 'waiting': (3, 0, 0), 'rest': (3, 0, 0)}


class Whole:
  """A worker that says nothing of its parts."""

  def __init__(self, name, clock):
    self.name, self._clock, self.steps = name, clock, 0

  def step(self, wait):
    self.steps += 1
    self._clock.now += 2.0
    return core.Progress.DONE if self.steps == 2 else core.Progress.DID

  def close(self):
    pass


def test_workers_of_one_thread_are_told_together(clock, tmp_path):
  profile = profiling.Profile(str(tmp_path), apart=False)
  workers = [profile.make('role', Worker, clock=clock)]
  workers.append(profile.make('saver', Whole, name='saver', clock=clock))
  workers.append(profile.make('evaluator', Whole, name='evaluator', clock=clock))
  clock.now += 50.0  # before the first step
  for worker in workers:
    _run(worker)
    clock.now += 1.0  # between two steps
  (lane,) = profiling.lanes(str(tmp_path))
  assert sorted(lane.names) == ['evaluator', 'learner', 'saver'] and lane.seconds == 18 + 4 + 4 + 2
  assert lane.parts['evaluation'] == lane.parts['checkpoints'] == (4, 2, 2)
  assert lane.parts['rest'].seconds == 3 + 3 + 2  # a blocked worker's too: others run meanwhile


def test_what_a_later_step_takes_does_not_include_what_is_compiled_in_the_first():
  part = profiling.Part(seconds=9.0, calls=5, first=5.0)
  assert part.per(5) == 1.0
  assert part.per(10) == 0.5  # Each call is for two slots.
  assert profiling.Part(5.0, calls=1, first=5.0).per(1) == profiling.Part(5.0).per(1) == 5.0


def test_what_is_no_worker_stays_as_it_is(tmp_path):
  counter = object()
  assert profiling.Profile(str(tmp_path), apart=True).make('counter', lambda: counter) is counter


def test_the_table(clock, tmp_path):
  _run(profiling.Profile(str(tmp_path), apart=False).make('role', Worker, clock=clock))
  out = io.StringIO()
  rich.console.Console(file=out, width=100).print(profiling.table(str(tmp_path)))
  rows = [line.split() for line in out.getvalue().splitlines()]
  (learning,) = [row for row in rows if row[1:2] == ['learning']]
  assert [cell for cell in learning if cell != '│'] == ['learning', '9.00', '50.0%', '3', '3000.0000', '3000.0000']


def _experiment(steps):
  config = dqn.DQNConfig(min_replay_size=50, batch_size=8, samples_per_insert=8.0)
  return tfacme.Experiment(
    builder=dqn.DQNBuilder(config),
    networks=dqn.mlp_networks(hidden_sizes=(8,)),
    environment=environments.factory('bsuite:catch/0'),
    budget=tfacme.Budget(actor_steps=steps),
    evaluation=tfacme.Evaluation(every=0, episodes=1),
  )


def _names(path):
  """Of the events in a trace; in both of its forms."""
  space = xplane_pb2.XSpace()
  with open(path, 'rb') as file:
    space.ParseFromString(file.read())
  names = {
    plane.event_metadata[event.metadata_id].name
    for plane in space.planes
    for line in plane.lines
    for event in line.events
  }
  with gzip.open(path.replace('.xplane.pb', '.trace.json.gz'), 'rt', encoding='utf-8') as file:
    events = [event for event in json.load(file)['traceEvents'] if event['ph'] == 'X']
  assert {event['name'] for event in events} == names
  # Each is as long as it is: those of a part lie within those of its worker.
  whole, parts = ([event for event in events if event['name'] == name] for name in ('learner', 'learning'))
  for part in parts:
    assert any(one['ts'] <= part['ts'] and part['ts'] + part['dur'] <= one['ts'] + one['dur'] + 1e-3 for one in whole)
  return names


@pytest.mark.slow
def test_a_run_leaves_a_table_and_a_trace(tmp_path, capsys):
  tfacme.train(_experiment(500), str(tmp_path), 'local_mt', profile=True)
  shown = capsys.readouterr().out
  assert 'Where the time went' in shown and 'There is no trace' not in shown
  lanes = profiling.lanes(str(tmp_path / 'profile'))
  parts = {part for lane in lanes for part in lane.parts}
  assert {'environments', 'acting', 'variables', 'writing rows', 'reading batches', 'learning'} <= parts
  assert {'evaluation', 'checkpoints', 'rest'} <= parts
  assert len(lanes) == 4  # In one thread there is one, of which test_page.py looks at the table and the trace.
  for lane in lanes:
    assert sum(part.seconds for part in lane.parts.values()) == pytest.approx(lane.seconds)
    assert all(part.seconds >= 0 for part in lane.parts.values())
  (path,) = traces.find(str(tmp_path / 'profile'))
  names = _names(path)
  assert {'learner', 'learning', 'reading batches'} <= names and any('MatMul' in name for name in names)


@pytest.mark.slow
def test_each_process_leaves_a_trace(tmp_path):
  tfacme.train(_experiment(2000), str(tmp_path), 'local_mp', progress=False, profile=True)
  folder = str(tmp_path / 'profile')
  assert sorted(name for lane in profiling.lanes(folder) for name in lane.names) == [
    'actor-0',
    'evaluator',
    'learner',
    'saver',
  ]
  assert {os.path.relpath(path, folder).split(os.sep)[0] for path in traces.find(folder)} >= {'actor-0', 'learner'}


def test_a_run_that_is_too_short_says_so(tmp_path, capsys):
  tfacme.train(_experiment(60), str(tmp_path), profile=True)
  assert 'There is no trace: no node has taken 20 steps' in capsys.readouterr().out
  tfacme.train(_experiment(90), str(tmp_path), profile='times')
  shown = capsys.readouterr().out
  assert 'Where the time went' in shown and 'trace' not in shown
  with pytest.raises(errors.UserError, match="profile is 'time': give True, False or 'times'"):
    tfacme.train(_experiment(90), str(tmp_path), profile='time')


def test_it_is_no_part_of_what_a_run_is(tmp_path):
  tfacme.train(_experiment(60), str(tmp_path), progress=False)
  before = (tmp_path / 'experiment.json').read_text()
  tfacme.train(_experiment(90), str(tmp_path), progress=False, profile=True)
  after = json.loads((tmp_path / 'experiment.json').read_text())
  assert {**json.loads(before), 'budget': {}} == {**after, 'budget': {}}
