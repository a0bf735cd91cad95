"""TensorBoard events, read back by TensorBoard's own loader."""

import subprocess
import sys

from tfacme import loggers


def _scalars(folder):
  from tensorboard.backend.event_processing import event_accumulator

  events = event_accumulator.EventAccumulator(str(folder))
  events.Reload()
  return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()['scalars']}


def test_events_and_a_run_that_goes_on(tmp_path):
  for steps in ((10, 20, 30), (20, 25)):  # the second goes on from a checkpoint at 10
    logger = loggers.make_logger(tmp_path, 'actor-0', tensorboard=True)
    for step in steps:
      logger.write({'actor_steps': step, 'episode_return': step / 10, 'phase': 'acting'})
    logger.close()
  scalars = _scalars(tmp_path / 'actor-0')
  assert set(scalars) == {'actor_steps', 'episode_return'}
  assert scalars['episode_return'] == [(10, 1.0), (20, 2.0), (25, 2.5)]
  assert (tmp_path / 'actor-0.csv').read_text().count('\n') == 6


def test_without_actors_the_axis_is_learner_steps(tmp_path):
  logger = loggers.TensorBoardLogger(tmp_path)
  logger.write({'actor_steps': 0, 'learner_steps': 7, 'loss': 0.5})
  logger.close()
  assert _scalars(tmp_path)['loss'] == [(7, 0.5)]


def test_importing_the_loggers_does_not_import_tensorflow():
  script = 'import sys; from tfacme import loggers; assert not {"tensorflow", "tensorboard"} & set(sys.modules)'
  subprocess.run([sys.executable, '-c', script], check=True)
