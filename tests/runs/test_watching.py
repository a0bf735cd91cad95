"""Animations of small environments."""

import dm_env
import numpy as np
import pytest
import tree
from dm_env import specs
from PIL import Image

from tfacme import core, datasets, errors
from tfacme.runs import watching


class Episode(dm_env.Environment):
  """Five steps, each with a reward of 0.1, that show `observation(step)`."""

  def __init__(self, observation):
    self._observation = observation
    self._spec = tree.map_structure(lambda leaf: specs.Array(leaf.shape, leaf.dtype), observation(0))
    self._step = 0

  def reset(self):
    self._step = 0
    return dm_env.restart(self._observation(0))

  def step(self, action):
    assert action == 1
    self._step += 1
    end = dm_env.termination if self._step == 5 else dm_env.transition
    return end(0.1, self._observation(self._step))

  def observation_spec(self):
    return self._spec

  def action_spec(self):
    return specs.DiscreteArray(2)


class Rendered(Episode):
  """Draws itself."""

  def render(self):
    return np.full((40, 60, 3), 50 * self._step, np.uint8)


class Policy:
  """Always 1; counts its episodes."""

  episodes = 0

  def reset(self):
    self.episodes += 1

  def __call__(self, observation):
    del observation
    return 1


def board(step):
  cells = np.zeros((10, 5), np.float32)
  cells[step, 2] = 1.0
  return cells


def _frames(path):
  image = Image.open(path)
  for index in range(image.n_frames):
    image.seek(index)
    yield np.asarray(image.convert('RGB'))


def test_a_board(tmp_path):
  policy = Policy()
  returns = watching.watch(policy, Episode(board), tmp_path / 'new' / 'a.gif', episodes=2)
  assert returns == [0.5, 0.5] and policy.episodes == 2
  frames = list(_frames(tmp_path / 'new' / 'a.gif'))
  assert len(frames) == 12
  assert frames[0].shape == (10 * 48 + 26, 5 * 48, 3)
  # Enlarged without smoothing: the cell is bright in its corners, its neighbours are dark.
  bright, dark = frames[0][1, 97].astype(int), frames[0][49, 97].astype(int)
  assert bright.sum() - dark.sum() > 300
  np.testing.assert_array_equal(frames[0][46, 142], frames[0][1, 97])


@pytest.mark.parametrize(
  'observation',
  [
    lambda step: np.full((12, 12, 3), 10 * step, np.uint8),
    lambda step: np.full((12, 12, 4), 10 * step, np.uint8),
    lambda step: np.full((12, 12, 1), step / 5, np.float32),
    lambda step: {'goal': np.zeros(3, np.float32), 'pixels': np.full((12, 12), step, np.int32)},
    lambda step: board(step) > 0,
  ],
)
def test_images(tmp_path, observation):
  assert watching.watch(Policy(), Episode(observation), tmp_path / 'a.gif') == [0.5]
  assert len(list(_frames(tmp_path / 'a.gif'))) == 6


def test_what_the_environment_draws_comes_first(tmp_path):
  watching.watch(Policy(), Rendered(board), tmp_path / 'a.gif', max_frames=4)
  frames = list(_frames(tmp_path / 'a.gif'))
  assert len(frames) == 4
  assert frames[0].shape == (240 + 26, 360, 3)
  assert [abs(int(frame[100, 100, 0]) - 50 * step) < 12 for step, frame in enumerate(frames)] == [True] * 4


@pytest.mark.parametrize('shape', [(4,), (1, 6), (), (3, 3, 3, 3)])
def test_what_can_not_be_drawn(tmp_path, shape):
  with pytest.raises(errors.UserError, match='nothing to watch.*no render.*neither an image nor a board'):
    watching.watch(Policy(), Episode(lambda _: np.zeros(shape, np.float32)), tmp_path / 'a.gif')


def test_a_renderer_that_fails_says_why(tmp_path):
  class Broken(Episode):
    def render(self):
      raise errors.UserError('It has no render_mode rgb_array.')

  with pytest.raises(errors.UserError, match=r'\(It has no render_mode rgb_array\)'):
    watching.watch(Policy(), Broken(lambda _: np.zeros(3)), tmp_path / 'a.gif')
  watching.watch(Policy(), Broken(board), tmp_path / 'a.gif')


def test_what_an_environment_gives_is_held_against_its_spec(tmp_path):
  says = r'The animation at step 2 of an episode: .* observation_spec: the observation has the shape \(4, 4\)'
  with pytest.raises(errors.UserError, match=says):
    watching.watch(Policy(), Episode(lambda step: np.zeros((4, 4 + (step < 3)), np.float32)), tmp_path / 'a.gif')

  class Endless(Episode):
    def step(self, action):
      return super().step(action)._replace(reward=float('inf'))

  with pytest.raises(errors.NonFiniteError, match='The animation at step 0 of an episode: the reward is inf'):
    watching.watch(Policy(), Endless(board), tmp_path / 'a.gif')


def test_a_policy_sees_what_the_environment_showed(tmp_path):
  """An environment may write into the array that it gave."""

  class Seeing(Policy):
    seen = []

    def __call__(self, observation):
      self.seen.append(observation)
      return 1

  shown = np.zeros((5, 5), np.float32)

  def show(step):
    shown[:] = step
    return shown

  watching.watch(Seeing(), Episode(show), tmp_path / 'a.gif')
  assert [int(observation[0, 0]) for observation in Seeing.seen] == [0, 1, 2, 3, 4]


def test_a_file_that_can_not_be_written(tmp_path):
  with pytest.raises(errors.UserError, match='give a name that ends in .gif'):
    watching.watch(Policy(), Episode(board), tmp_path / 'a.mp4')
  (tmp_path / 'file').write_text('')
  with pytest.raises(errors.UserError, match='can not be written'):
    watching.watch(Policy(), Episode(board), tmp_path / 'file' / 'a.gif')


def _recorded(steps, environment=board):
  """An episode of `Episode(environment)` in so many steps."""
  observations = [environment(step) for step in range(steps + 1)]
  return core.Step(
    observation=np.stack(observations),
    action=np.array([1] * steps + [0], np.int32),
    reward=np.array([0.1] * steps + [0], np.float32),
    discount=np.ones(steps + 1, np.float32),
    first=np.arange(steps + 1) == 0,
    last=np.arange(steps + 1) == steps,
  )


def test_recorded_boards(tmp_path):
  data = datasets.memory([_recorded(5), _recorded(3)])
  assert sorted(watching.watch_recorded(data, tmp_path / 'a.gif', episodes=9)) == [0.3, 0.5]
  assert Image.open(tmp_path / 'a.gif').n_frames == 10


def test_recorded_vectors_need_an_environment(tmp_path):
  data = datasets.memory([_recorded(5, lambda step: np.full(3, step, np.float32))])
  with pytest.raises(errors.UserError, match=r'of shape \(3,\), are neither images nor boards'):
    watching.watch_recorded(data, tmp_path / 'a.gif')


def test_the_environment_draws_what_was_recorded(tmp_path):
  vector = lambda step: np.full(3, step, np.float32)
  other = lambda step: vector(step + 1)
  data = datasets.memory([_recorded(5, other), _recorded(4, vector)])
  assert watching.watch_again(data, Rendered(vector), tmp_path / 'a.gif', episodes=2) == [0.4, 0.4]
  assert Image.open(tmp_path / 'a.gif').n_frames == 10
  with pytest.raises(errors.UserError, match='No recorded episode begins as episode 0 of the environment does'):
    watching.watch_again(data, Rendered(lambda step: vector(step - 1)), tmp_path / 'a.gif')
  with pytest.raises(errors.UserError, match='elsewhere than the recorded episode after step 2'):
    watching.watch_again(data, Rendered(lambda step: vector(step + (step > 1))), tmp_path / 'a.gif')
