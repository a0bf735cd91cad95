"""A mistake in the user's own code says the file and the line, on every engine, before a run and within one."""

from __future__ import annotations

import pytest

import tfacme
from tests.programs import mistaken
from tfacme import errors, launching

_BEFORE = {  # before anything starts: one sentence
  'reshape': 'The networks can not be made: .*, in __call__: flat = tf.reshape',
  'factory': 'The environment can not be made: .*, in _unmade: return _Breaking',
  'no output': r'Silent \(.*\) returned None, and has to return its output[.]$',
  'action': r'_Halves \(.*\) gives actions of type float32, and the environment takes a discrete action',
}
_WITHIN = {  # in a node
  'type': 'In your own code: .*, in __call__: reward = steps.reward',
  'none': r'_NoLoss \(.*\) returned None, and has to return a q_learning.Losses[.]$',
  'operation': 'In your own code: .*, in __call__: check = tf.debugging',
  'environment': 'In your own code: .*, in step: timestep.reward.sum',
  'relabel': 'In your own code: .*, in _rewrite: return step._replace',
  'logger': 'In your own code: .*, in write: raise OSError',
  'observer': 'In your own code: .*, in metrics: return',
}


def _place(how: str) -> str:
  with open(mistaken.__file__, encoding='utf-8') as file:
    lines = file.read().splitlines()
  return f'{mistaken.__file__}, line {[line.endswith(f"# {how}") for line in lines].index(True) + 1}'


@pytest.mark.parametrize('engine', ['inline', pytest.param('local_mp', marks=pytest.mark.slow)])
@pytest.mark.parametrize('how', [*_BEFORE, *_WITHIN])
def test_a_mistake_says_the_file_and_the_line(how, engine, tmp_path):
  with pytest.raises((errors.UserError, launching.NodeFailed), match=(_BEFORE | _WITHIN)[how]) as caught:
    tfacme.train(mistaken.experiment(how), str(tmp_path / 'run'), engine, progress=False)
  assert _place(how) in str(caught.value)
  if how in _BEFORE:
    assert isinstance(caught.value, errors.UserError) and not (tmp_path / 'run').exists()


def test_the_sentence_has_the_error_behind_it():
  with pytest.raises(errors.UserError) as caught:
    tfacme.make_program(mistaken.experiment('reshape'))
  cause = caught.value.__cause__
  assert cause is not None and 'reshape' in str(cause).lower()
