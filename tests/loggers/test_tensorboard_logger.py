"""TensorBoard events, read back by TensorBoard's own loader."""

import io
import subprocess
import sys

import numpy as np
from PIL import Image

from tests.loggers import stores
from tfacme import loggers


def _log(folder, start=0):
  return loggers.Log('actor-0', str(folder), 'one', start=start)


def test_scalars_by_step(tmp_path):
  logger = loggers.TensorBoard()(_log(tmp_path))
  for step in (10, 20):
    logger.write(
      {'actor_steps': step, 'learner_steps': 1, 'episode_return': step / 10, 'phase': 'acting', 'timestamp': 1e9}
    )
  logger.write({'actor_steps': 30, 'learner_steps': 2, 'loss': np.float32(0.5), 'over': np.bool_(True)})
  logger.close()
  logger.close()
  assert stores.tensorboard(str(tmp_path / 'actor-0')) == {
    'actor_steps': [(10, 10), (20, 20), (30, 30)],
    'learner_steps': [(10, 1), (20, 1), (30, 2)],
    'episode_return': [(10, 1), (20, 2)],
    'loss': [(30, 0.5)],
    'over': [(30, 1)],
  }


def test_without_actors_the_axis_is_learner_steps(tmp_path):
  logger = loggers.TensorBoardLogger(str(tmp_path))
  logger.write({'actor_steps': 0, 'learner_steps': 7, 'loss': 0.5})
  logger.close()
  assert stores.tensorboard(str(tmp_path))['loss'] == [(7, 0.5)]


def test_a_run_that_goes_on_drops_what_came_after_its_checkpoint(tmp_path):
  for start, steps in ((0, (10, 20, 30, 40)), (20, (35, 45)), (0, (15,))):  # the last one has no checkpoint
    logger = loggers.TensorBoard()(_log(tmp_path, start))
    for step in steps:
      logger.write({'actor_steps': step, 'episode_return': float(start + step)})
    logger.close()
    if start:
      # 30 is after the checkpoint at 20, though the first new row is later.
      assert stores.tensorboard(str(tmp_path / 'actor-0'))['episode_return'] == [(10, 10), (20, 20), (35, 55), (45, 65)]
  assert stores.tensorboard(str(tmp_path / 'actor-0'))['episode_return'] == [(15, 15)]


def test_an_episode_moves(tmp_path):
  images = np.zeros((3, 4, 6, 3), np.uint8)
  images[1], images[2, 0] = 255, 255
  logger = loggers.TensorBoard()(_log(tmp_path))
  logger.write_image('episode', images, 50)
  logger.write({'actor_steps': 55, 'episode_return': 1.0})
  logger.write_image('still', images[:1], 60)
  # While the log is open: neither an evaluation's picture nor its row is shown one evaluation late.
  assert sorted(stores.tensorboard(str(tmp_path / 'actor-0'))) == ['actor_steps', 'episode', 'episode_return', 'still']
  logger.close()
  found = stores.tensorboard(str(tmp_path / 'actor-0'))
  ((step, data),) = found['episode']
  assert step == 50
  with Image.open(io.BytesIO(data)) as animation:
    assert (animation.format, animation.n_frames, animation.size) == ('GIF', 3, (6, 4))
    for number, image in enumerate(images):
      animation.seek(number)
      assert np.abs(np.asarray(animation.convert('RGB'), int) - image).max() <= 8
  with Image.open(io.BytesIO(found['still'][0][1])) as still:
    assert still.format == 'PNG'


def test_importing_the_loggers_does_not_import_tensorflow():
  script = (
    'import sys; from tfacme import experiments, loggers; '
    'assert not {"tensorflow", "tensorboard", "wandb", "mlflow"} & set(sys.modules)'
  )
  subprocess.run([sys.executable, '-c', script], check=True)
