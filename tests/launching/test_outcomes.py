"""What a run that was stopped says."""

import signal

import pytest

from tfacme.launching import outcomes

NEW = 'no checkpoint is written yet, and the same command begins again'
LATE = (
  'there was no time (--checkpointing.stop-seconds) to write a checkpoint, and the same command resumes from the one'
)


NO_POLICY = (
  'there was no time (--checkpointing.stop-seconds) to write its policy too, which '
  '`tfacme evaluate RUN --checkpoint STEPS` takes from it'
)


def test_what_was_stopped_says_what_is_left():
  stopped = outcomes.Stopped(signal.SIGTERM, '2 episodes are written')
  assert str(stopped) == 'stopped by SIGTERM; 2 episodes are written' and stopped.exit_code == 143


@pytest.mark.parametrize(
  'facts, says',
  [
    ({}, 'a checkpoint is written, and the same command resumes from it'),
    ({'earlier': False}, 'a checkpoint is written, and the same command resumes from it'),
    ({'exported': False}, f'a checkpoint is written, and the same command resumes from it; {NO_POLICY}'),
    ({'saved': False, 'exported': False, 'earlier': False}, NEW),
    ({'saved': False, 'earlier': False}, NEW),
    ({'saved': False, 'earlier': True}, f'{LATE} before'),
    ({'saved': False}, f'{LATE} before, if there is one'),
    ({'begun': False}, 'its prefills were still writing, so nothing is saved, and the same command begins them again'),
  ],
)
def test_it_promises_no_checkpoint_that_is_not_there(facts, says):
  interrupted = outcomes.Interrupted(signal.SIGINT, **facts)
  assert str(interrupted) == f'stopped by SIGINT; {says}'
  assert interrupted.exit_code == 130
  assert interrupted.saved == (facts.get('saved', True) and facts.get('begun', True))
