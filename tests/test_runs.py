"""What a run says of its experiment: the same in every process, so that the run can go on."""

import dataclasses
import functools
import json

import numpy as np

import tfacme
from tfacme import environments, runs
from tfacme.agents import dqn


def _shape(reward, scale=1.0):
  return scale * reward


class _Wrapper:
  def __init__(self, environment, function):
    pass


@dataclasses.dataclass(frozen=True)
class _Networks:
  activation: object
  sizes: tuple = (8,)

  def __call__(self, spec):
    raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class _Config(dqn.DQNConfig):
  shaping: object = _shape


def _described(networks, *wrappers, config=None):
  experiment = tfacme.Experiment(
    builder=dqn.DQNBuilder(config or dqn.DQNConfig()),
    networks=networks,
    environment=environments.factory('bsuite:catch/0').wrapped(*wrappers),
    budget=tfacme.Budget(actor_steps=100),
  )
  return runs.describe(experiment, 'inline')


def test_functions_are_called_by_their_names():
  wrapper = functools.partial(_Wrapper, function=functools.partial(_shape, scale=2.0))
  described = _described(_Networks(_shape), wrapper, config=_Config())
  here = __name__
  assert described['networks'] == f'_Networks(activation={here}:_shape, sizes=(8))'
  assert described['environment'] == (f'bsuite:catch/0 {here}:_Wrapper(function={here}:_shape(scale=2.0))')
  assert described['config']['shaping'] == f'{here}:_shape'


def test_no_memory_address_gets_into_it():
  class Anything:
    pass

  described = _described(_Networks({'a': Anything(), 'b': [Anything, lambda x: x, np.float32(3)]}))
  assert ' at 0x' not in str(described)


def test_it_is_json_that_every_reader_takes():
  described = _described(_Networks(_shape))
  assert described['config']['max_abs_reward'] == 'Infinity'
  json.dumps(described, allow_nan=False)


def test_what_differs_is_described_otherwise():
  assert _described(_Networks(_shape)) != _described(_Networks(_shape, (9,)))
