"""Pictures of an evaluation's episodes."""

import dm_env
import numpy as np
import pytest

from tests.runs import test_watching
from tfacme import errors, specs
from tfacme.workers import drawing, playing


def _play(player, episodes):
  *_, result = player.play(lambda observation, first: np.ones(len(first), np.int32), episodes)
  return result


def test_a_camera_draws_the_first_episode_of_each_evaluation():
  environments = [test_watching.Rendered(test_watching.board) for _ in range(2)]
  camera = drawing.Camera()
  spec = specs.environment_spec(environments[0])
  player = playing.Player('evaluator', environments, spec, 100, first=[camera])
  for _ in range(2):
    camera.begin()
    assert _play(player, 4).observed == {}
    images = camera.images()
    assert images.dtype == np.uint8 and images.shape == (6, 240, 360, 3)
    np.testing.assert_array_equal(images[:, 0, 0, 0], 50 * np.arange(6))


def test_a_long_episode_is_drawn_in_part():
  camera, environment = drawing.Camera(), test_watching.Rendered(test_watching.board)
  camera.begin()
  timestep = environment.reset()
  camera.observe_first(environment, timestep)
  for _ in range(300):
    camera.observe(environment, 1, timestep)
  assert camera.images().shape == (200, 240, 360, 3)


def test_what_can_not_be_drawn_is_told_at_once():
  made = []

  class Numbers(test_watching.Episode):
    def close(self):
      made.append('closed')

  def make(seed):
    made.append(seed)
    return Numbers(lambda step: np.zeros(3, np.float32))

  with pytest.raises(errors.UserError, match=r'nothing to watch.*of shape \(3,\)'):
    drawing.check(make, 5)
  assert made == [5, 'closed']
  assert issubclass(Numbers, dm_env.Environment)


def test_a_render_that_fails_is_one_sentence_with_its_place():
  class Failing(test_watching.Rendered):
    frames = 1

    def render(self):
      self.frames -= 1
      if self.frames < 0:
        raise ZeroDivisionError('no canvas')
      return super().render()

  environment = Failing(test_watching.board)
  says = r'can not be drawn: its render\(\) failed with ZeroDivisionError: no canvas \(.*test_drawing.py, line .*'
  draw = drawing.drawer(environment, None)
  for fails in (lambda: draw(None), lambda: drawing.drawer(environment, None)):
    with pytest.raises(errors.UserError, match=says):
      fails()
