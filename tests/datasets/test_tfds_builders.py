"""The features of data sets that tfds builds by itself, filled with made data: all of them are read.

`rlu_rwrl` is not among them: what its features are is known only once its files are there.
"""

import numpy as np
import pytest
import tensorflow_datasets as tfds
import tree

from tests.datasets import foreign
from tfacme import datasets, specs

_NAMES = (
  *('d4rl_mujoco_ant/v0-expert', 'd4rl_mujoco_halfcheetah/v1-medium-replay', 'd4rl_mujoco_hopper/v2-medium'),
  *('d4rl_mujoco_walker2d/v1-expert', 'd4rl_adroit_door/v1-expert', 'd4rl_adroit_hammer/v0-expert'),
  *('d4rl_adroit_pen/v0-cloned', 'd4rl_adroit_relocate/v1-cloned', 'd4rl_antmaze/umaze-v0'),
  *('rlu_atari/Pong_run_1', 'rlu_atari_checkpoints/Pong_run_1', 'rlu_atari_checkpoints_ordered/Pong_run_1'),
  *('rlu_control_suite/cheetah_run', 'rlu_locomotion/humanoid_gaps', 'rlu_locomotion/rodent_mazes'),
  *('rlu_dmlab_rooms_watermaze/training_0', 'robomimic_ph/lift_ph_image'),
  *('robomimic_mg/can_mg_low_dim', 'robomimic_mh/transport_mh_low_dim'),
)


@pytest.mark.parametrize('name', _NAMES)
def test_what_tfds_builds_is_read(name, tmp_path):
  features, random = tfds.builder(name, data_dir=tmp_path).info.features, np.random.default_rng(0)
  written = [foreign.filled(features, transitions, random) for transitions in (2, 3)]
  foreign.write_all(tmp_path / 'data', features, written)
  data = datasets.rlds(tmp_path / 'data')
  data.check()
  assert not data.lacks and not data.left_out
  for episode, one in zip(written, data.recorded()):
    rows = len(episode['steps'])
    stacked = tree.map_structure(lambda *leaves: np.stack(leaves), *episode['steps'])
    for field, last in (('observation', rows), ('action', rows - 1), ('reward', rows - 1)):
      theirs, ours = specs.paths(stacked[field]), specs.paths(getattr(one.steps, field))
      assert theirs.keys() == ours.keys()
      for path, values in theirs.items():
        np.testing.assert_allclose(ours[path][:last], values[:last].astype(ours[path].dtype), rtol=1e-6)
    assert one.steps.discount[-2].all() and one.steps.last.tolist() == [False] * (rows - 1) + [True]
    metadata = {name: value for name, value in episode.items() if name != 'steps'}
    assert one.metadata.keys() == specs.paths(metadata).keys()
