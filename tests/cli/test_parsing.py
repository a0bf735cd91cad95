"""Command lines made from dataclasses, and what their mistakes are answered with."""

import dataclasses
from typing import Callable, Optional, Sequence, Tuple, Union

import pytest

from tfacme import errors
from tfacme.cli import parsing, suggesting


@dataclasses.dataclass(frozen=True)
class Numbers:
  """Numbers of all kinds.

  Attributes:
    learning_rate: a number, or a line.
    batch_size: of a batch.
    target_update_rate: of the target (tau in the paper).
    sizes: of layers.
    limit: of steps.
    name: a text.
    loss: a function.
  """

  learning_rate: Union[float, Tuple[float, float, int]] = 0.5
  batch_size: int = 1
  target_update_rate: float = 0.5
  sizes: Sequence[int] = ()
  limit: Optional[int] = None
  name: str = ''
  loss: Callable[[float], float] = abs


@dataclasses.dataclass(frozen=True)
class Options:
  """Options.

  Attributes:
    steps: of the run.
  """

  steps: int = 0
  config: Numbers = Numbers()


def _parse(command):
  return parsing.parse(Options, command.split(), 'prog')


@pytest.mark.parametrize(
  'text, value',
  [('1e4', 10_000), ('2.5e3', 2_500), ('30_000', 30_000), ('1E+2', 100), ('12', 12), ('1_0e1', 100), ('-1e1', -10)],
)
def test_whole_numbers(text, value):
  assert _parse(f'--steps {text}').steps == _parse(f'--steps={text}').steps == value
  assert _parse(f'--config.sizes 3 {text}').config.sizes == [3, value]
  assert _parse(f'--config.limit {text}').config.limit == value


@pytest.mark.parametrize('text', ['1.5', '1.5e0', '1e-1', '1e', 'e4', '1e400', '0x10'])
def test_what_is_no_whole_number(text):
  with pytest.raises(errors.UserError, match=f'--steps takes INT, and .{text}. is not that'):
    _parse(f'--steps {text}')


def test_a_number_or_a_line():
  assert _parse('--config.learning-rate 1e-3').config.learning_rate == 1e-3
  assert _parse('--config.learning_rate 1e-3 0 5e4').config.learning_rate == (1e-3, 0.0, 50_000)
  with pytest.raises(errors.UserError, match='takes FLOAT, or FLOAT FLOAT INT, and .1e-3 0. is not that'):
    _parse('--config.learning_rate 1e-3 0')


def test_what_no_command_line_can_give():
  with pytest.raises(errors.UserError, match='--config.loss can not be set on a command line; set it in Python'):
    _parse('--config.loss abs')


def test_other_options_are_left_as_they_are():
  assert _parse('--config.name 1e4 --config.target-update-rate 1e0').config.name == '1e4'


@pytest.mark.parametrize(
  'option, meant',
  [
    ('--config.lr', '--config.learning_rate'),
    ('--lr', '--config.learning_rate'),
    ('--learning_rate', '--config.learning_rate'),
    ('--config.batchsize', '--config.batch_size'),
    ('--config.batch', '--config.batch_size'),
    ('--config.tau', '--config.target_update_rate'),
    ('--config.rate', '--config.learning_rate or --config.target_update_rate'),
    ('--confg.limit', '--config.limit'),
    ('--stpes', '--steps'),
    ('--config.steps', '--steps'),
  ],
)
def test_a_near_miss_names_the_option(option, meant):
  with pytest.raises(errors.UserError, match=f'There is no option .{option}.; did you mean {meant}[?]'):
    _parse(f'{option} 1')


def test_of_what_nothing_comes_near_help_is_named():
  with pytest.raises(errors.UserError, match='no option .--config.zzz.; prog --help lists them'):
    _parse('--config.zzz 1')


def test_a_word_that_many_options_share_suggests_none():
  assert suggesting.suggest('--size', {f'--config.size_of_part_{i}': '' for i in range(9)}) == []
