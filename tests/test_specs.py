"""Specs of our own."""

import pickle

import numpy as np
import pytest

from tfacme import errors, specs


def test_several_choices_at_once():
  spec = specs.MultiDiscreteArray([2, 3], np.int64, 'moves')
  assert (spec.shape, spec.dtype, spec.name) == ((2,), np.int64, 'moves')
  assert spec.minimum.tolist() == [0, 0] and spec.maximum.tolist() == [1, 2]
  again = pickle.loads(pickle.dumps(spec))
  assert again == spec and again.num_values.tolist() == [2, 3]
  with pytest.raises(ValueError):
    spec.validate(np.array([0, 3]))
  assert specs.is_multi_discrete(spec) and not specs.is_discrete(spec) and not specs.is_continuous(spec)
  assert specs.describe(spec) == '2 discrete actions at once, with [2, 3] values'
  with pytest.raises(errors.UserError, match='at least one value'):
    specs.MultiDiscreteArray([2, 0])
