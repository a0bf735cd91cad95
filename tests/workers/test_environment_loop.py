"""The loop by itself: rows as they are written, exact budgets, and environments that give what is no number."""

import threading

import dm_env
import numpy as np
import pytest
from dm_env import specs as dm_specs

from tfacme import core, datasets, errors, specs
from tfacme.debugging import profiling
from tfacme.replay import numpy_replay, tables
from tfacme.replay.items import Items
from tfacme.replay.packing import Codec
from tfacme.workers import counting, environment_loop, failures, recording, tallies


class Line(dm_env.Environment):
  """Episodes of three steps; the observation and the reward are the number of the step within the episode."""

  def __init__(self, rewards=(), observation=np.float32):
    self._rewards = list(rewards)
    self._make = observation
    self._at = 0

  def reset(self):
    self._at = 0
    return dm_env.restart(self._make([0]))

  def step(self, action):
    self._at += 1
    reward = self._rewards.pop(0) if self._rewards else float(self._at)
    make = dm_env.termination if self._at == 3 else dm_env.transition
    return make(reward=reward, observation=self._make([self._at]))

  def observation_spec(self):
    return dm_specs.Array((1,), np.float32, 'position')

  def action_spec(self):
    return dm_specs.DiscreteArray(2)


class Ones:
  """Always takes action 1."""

  version = 5

  def update(self):
    pass

  def act(self, observation, first, steps):
    return np.ones(len(first), np.int32), ()


class Rows(list):
  """A logger that keeps its rows."""

  def write(self, row):
    self.append(row)

  def close(self):
    pass


def make_loop(environments, budget=100, logger=None, actor=None, counter=None, record=None, **parts):
  spec = specs.environment_spec(environments[0])
  step_spec = core.step_spec(spec)
  table = tables.Table(Items(length=2), tables.min_size(1), max_size=100)
  codec = Codec.of(step_spec, [table.items])
  replay = numpy_replay.NumpyReplay(codec, [table], seed=0)
  counter = counter or counting.Counter(budget, 'actor_steps', [[], ['actor-0']])
  recorder = recording.Recorder(str(record), 'one', datasets.Origin('ones'), codec) if record else None
  loop = environment_loop.EnvironmentLoop(
    environment_loop.LoopParts(
      name='actor-0',
      environments=environments,
      spec=spec,
      codec=codec,
      writers=[replay.writer() for _ in environments],
      actor=Ones() if actor is None else actor,
      tally=tallies.Tally('actor-0', counter),
      logger=Rows() if logger is None else logger,
      recorder=recorder,
      **{'clock': lambda: 0.0, **parts},
    )
  )
  return loop, replay


def run(loop):
  while loop.step(0.0) is not core.Progress.DONE:
    pass


@pytest.mark.parametrize('slots', [1, 2, 3])
def test_a_run_ends_at_exactly_its_steps(slots):
  log = Rows()
  loop, replay = make_loop([Line() for _ in range(slots)], budget=10, logger=log)
  run(loop)
  assert loop.tally.total('actor_steps') == 10
  assert {(row['episode_return'], row['episode_length']) for row in log} == {(6.0, 3)}
  whole, rest = divmod(10, 3 * slots)
  assert len(log) == whole * slots == loop.tally.total('actor_episodes')
  assert replay.usage()['replay'].size == 10 - min(rest, slots)  # the newest row of an episode is in no item yet


def test_a_row_for_every_so_many_episodes():
  log = Rows()
  loop, _ = make_loop([Line()], budget=21, logger=log, log_every=3)
  run(loop)
  assert [row['actor_episodes'] for row in log] == [3, 6]
  assert loop.tally.total('actor_episodes') == 7


def test_the_time_of_evaluations_in_its_thread_is_left_out_of_its_rate():
  log, now = Rows(), [100.0]
  loop, _ = make_loop([Line()], budget=21, logger=log, clock=lambda: now[0])
  for _ in range(6):
    loop.step(0.0)
    now[0] += 0.5
    if loop.tally.counts['actor_steps'] == 4:
      now[0] += 30.0
      loop.tally.hold(30.0)
  assert [row['steps_per_second'] for row in log] == [
    2 / 1.0,
    5 / 2.5,
  ]  # the step that ends an episode is not counted yet


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_a_reward_that_is_no_number_stops_the_run(bad):
  loop, _ = make_loop([Line(), Line(rewards=[1.0, 2.0, 3.0, bad])])
  with pytest.raises(
    errors.NonFiniteError, match=f'actor-0 at its step 8, slot 1: the reward is {bad}, which the environment gave'
  ):
    run(loop)


def test_an_observation_that_is_not_as_its_spec_says_is_a_mistake():
  loop, _ = make_loop([Line(observation=np.float64)])
  with pytest.raises(errors.UserError, match='violates its own observation_spec'):
    run(loop)


@pytest.mark.parametrize('extras', [{'plan': np.zeros(1)}, (np.zeros(1),)])
def test_extras_that_the_builder_did_not_announce_are_a_mistake(extras):
  class Planning(Ones):
    def act(self, observation, first, steps):
      return super().act(observation, first, steps)[0], extras

  with pytest.raises(errors.UserError, match=r"The actor adds \['(plan|0)'\] to a row, and its rows have nothing"):
    run(make_loop([Line()], actor=Planning())[0])


class Warming(Ones):
  """Takes whole numbers for some steps, and real ones then."""

  def __init__(self, actions):
    self._actions = list(actions)

  def act(self, observation, first, steps):
    return self._actions.pop(0), ()


def test_the_types_of_actions_are_looked_at_in_each_step():
  whole = [np.ones(1, kind) for kind in (np.int32, np.int64, np.int32, np.uint8)]
  loop, _ = make_loop([Line()], actor=Warming([*whole, np.full(1, 1.4, np.float32)]))
  with pytest.raises(errors.UserError, match='The actor gives actions of type float32'):
    run(loop)
  assert loop.tally.counts['actor_steps'] == len(whole)


class Nested(Line):
  """Whose action is a dict."""

  def action_spec(self):
    return {'a': dm_specs.DiscreteArray(2), 'b': dm_specs.Array((), np.float32)}


def test_so_are_those_of_a_nest():
  actions = [{'a': np.ones(1, np.int32), 'b': np.ones(1, kind)} for kind in (np.float32, np.int32, np.float64)]
  loop, _ = make_loop([Nested()], actor=Warming([*actions, {'a': np.full(1, 0.5), 'b': np.ones(1)}]))
  with pytest.raises(errors.UserError, match='The actor gives actions a of type float64'):
    run(loop)
  assert loop.tally.counts['actor_steps'] == len(actions)


class Seeing:
  """Notes the environments that it is given, and leaves a mark on them."""

  seen = []

  def observe_first(self, environment, timestep):
    environment.mark = 7

  def observe(self, environment, action, timestep):
    self.seen.append(environment)

  def metrics(self):
    return {}


def test_observers_have_the_environment_itself_also_where_its_time_is_measured(tmp_path):
  environments = [Line(), Line()]
  loop, _ = make_loop(environments, budget=12, observers=[Seeing])
  profiling.Watch(str(tmp_path / 'actor-0.json'), loop, 'actor')
  run(loop)
  assert {id(environment) for environment in Seeing.seen} == set(map(id, environments))
  assert [environment.mark for environment in environments] == [7, 7]
  (lane,) = profiling.lanes(str(tmp_path))
  assert (lane.parts['environments'][1], lane.parts['resets'][1]) == (12, 4)


def test_whole_episodes_are_recorded_and_those_after_a_checkpoint_made_anew(tmp_path):
  data, saved = tmp_path / 'data', tmp_path / 'saved'
  saved.mkdir()
  counter = counting.Counter(32, 'actor_steps', [[], ['actor-0']])
  loop, _ = make_loop([Line(), Line()], counter=counter, record=data)
  for _ in range(7):
    loop.step(0.0)
  counter.save(str(saved))
  for _ in range(3):
    loop.step(0.0)
  loop.close()
  assert datasets.rlds(data).size == 6
  counter = counting.Counter(32, 'actor_steps', [[], ['actor-0']])
  counter.restore(str(saved))
  loop, _ = make_loop([Line(), Line()], counter=counter, record=data)
  assert datasets.rlds(data).size == 4
  run(loop)  # The 14 steps of before, and 18 more: of its slots, each has nine.
  episodes = list(datasets.rlds(data).recorded())
  assert len(episodes) == 4 + 2 * 3 == counter.status()['totals']['actor_episodes']
  for one in episodes:
    assert one.steps.observation.ravel().tolist() == [0, 1, 2, 3] and one.steps.action.tolist() == [1, 1, 1, 0]
    assert one.steps.reward.tolist() == [1, 2, 3, 0] and one.steps.discount.tolist() == [1, 1, 0, 0]
    assert (one.metadata['return'], one.metadata['length'], one.metadata['policy']) == (6, 3, 'ones')
    assert one.metadata['learner_steps'] == 5  # the version of the actor's variables


# --- An environment that fails in one slot of several ---


class Failing(Line):
  """Fails at its so many-th call, a step or a reset, if it is told to."""

  def __init__(self, fails_at=None, how=OSError):
    super().__init__()
    self._fails_at, self._how, self._calls, self.closed = fails_at, how, 0, False

  def _call(self):
    self._calls += 1
    if self._calls == self._fails_at:
      raise self._how('the simulator is gone')

  def reset(self):
    self._call()
    return super().reset()

  def step(self, action):
    self._call()
    return super().step(action)

  def close(self):
    self.closed = True
    if self._calls == self._fails_at:
      raise OSError('and can not be closed')


def _failing(fails_at, budget=12, how=OSError, again=lambda slot, times: Failing(), most=3):
  """A loop of two slots, of which the second one fails; and what it makes anew."""
  environments = [Line(), Failing(fails_at, how)]
  broken, made = environments[1], []

  def make(slot, times):
    made.append((slot, times))
    return again(slot, times)

  renewal = failures.Renewal('actor-0', make, environments, most)
  counter = counting.Counter(budget, 'actor_steps', [[], ['actor-0']])
  loop, replay = make_loop(environments, counter=counter, again=renewal)
  return loop, replay, counter, environments, broken, made


def _positions(replay):
  """The observations of all items, (o_t, o_t+1), the newest last."""
  read = replay.reader(tables.Table(Items(length=2), tables.min_size(1), 100), 400).read(0.0, 0)
  steps, _ = replay.codec.views(read.columns)
  return {tuple(pair) for pair in steps.observation[:, :, 0].tolist()}, steps


@pytest.mark.parametrize('fails_at', [1, 2, 3, 4, 5, 6])
def test_its_environment_is_made_anew_and_its_episode_ends_where_it_was(fails_at, caplog):
  """At its reset, at each of its three steps, at the next reset, and at the step after that."""
  loop, replay, counter, environments, broken, made = _failing(fails_at)
  run(loop)
  assert made == [(1, 1)] and environments[1] is not broken and broken.closed
  assert counter.status()['totals']['actor_steps'] == 12  # Only steps that were made count.
  pairs, steps = _positions(replay)
  assert pairs == {(0, 1), (1, 2), (2, 3)}
  # What was cut off goes on in the sense of a limit of steps: to bootstrap from, and of no other episode.
  last = steps.observation[:, 0, 0] == 2
  assert set(steps.discount[:, 0][last]) == {0.0} and set(steps.discount[:, 0][~last]) == {1.0}
  assert 'The environment of slot 1 of actor-0 has failed, and is made anew (1 of 3 times in an hour)' in caplog.text
  assert 'OSError: the simulator is gone' in caplog.text


def test_one_that_fails_time_after_time_is_the_actors_own_failure():
  loop, _, _, _, _, made = _failing(3, budget=100, again=lambda slot, times: Failing(2))
  with pytest.raises(OSError, match='the simulator is gone'):
    run(loop)
  assert made == [(1, 1), (1, 2), (1, 3)]


def test_a_mistake_of_the_user_is_not_made_again():
  loop, _, _, _, _, made = _failing(3, how=errors.UserError)
  with pytest.raises(errors.UserError):
    run(loop)
  assert not made


def test_a_reset_that_returns_nothing_is_an_error():
  class Nothing(Line):
    def reset(self):
      return None

  loop, _ = make_loop([Line(), Nothing()], budget=12)
  with pytest.raises(AttributeError):
    run(loop)


def test_one_that_does_not_close_holds_nobody_for_long_and_is_closed_before_another_is_made():
  order, done = [], threading.Event()

  class Stuck(Failing):
    def close(self):
      if self._calls == self._fails_at:
        order.append('closed')
        done.wait()

  environments = [Line(), Stuck(3)]
  renewal = failures.Renewal('actor-0', lambda slot, times: order.append('made') or Line(), environments, 1)
  loop, _ = make_loop(environments, budget=12, again=renewal)
  run(loop)
  done.set()
  assert order == ['closed', 'made']


def test_what_was_cut_off_is_recorded_as_far_as_it_went(tmp_path):
  environments = [Line(), Failing(3)]  # at its second step
  renewal = failures.Renewal('actor-0', lambda slot, times: Failing(), environments, 1)
  logged = Rows()
  loop, _ = make_loop(environments, budget=12, again=renewal, record=tmp_path, logger=logged)
  run(loop)
  recorded = list(datasets.rlds(str(tmp_path)).episodes())
  lengths = sorted(len(episode.reward) - 1 for episode in recorded)
  assert lengths == [1, 3, 3, 3]
  (cut,) = [episode for episode in recorded if len(episode.reward) == 2]
  assert cut.observation[:, 0].tolist() == [0.0, 1.0] and cut.discount[0] == 1.0 and cut.last.tolist() == [False, True]
  assert len(logged) == 3
