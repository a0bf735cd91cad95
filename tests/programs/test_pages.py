"""Every page of `programs/` and `offline/` makes a program, with its own budget and with a small one."""

import inspect
import pathlib
import runpy

import pytest

import tfacme
from tfacme import environments

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted(
  str(path.relative_to(ROOT)) for folder in ('programs', 'offline') for path in (ROOT / folder).rglob('*.py')
)
RECORDINGS = {
  'offline/bsuite/crr_memory.py': 'bsuite:memory_len/9',
  'offline/dm_control/awac_swingup.py': 'dm_control:cartpole:swingup',
  'offline/dm_control/bc_swingup.py': 'dm_control:cartpole:swingup',
  'offline/dm_control/cql_swingup.py': 'dm_control:cartpole:swingup',
  'offline/dm_control/crr_swingup.py': 'dm_control:cartpole:swingup',
  'offline/dm_control/iql_swingup.py': 'dm_control:cartpole:swingup',
  'offline/dm_control/mbop_swingup.py': 'dm_control:cartpole:swingup',
  'offline/dm_control/td3_bc_swingup.py': 'dm_control:cartpole:swingup',
  'offline/gym/awac_pendulum.py': 'gym:Pendulum-v1',
  'offline/gym/bc_cartpole.py': 'gym:CartPole-v1',
  'offline/gym/bc_pendulum.py': 'gym:Pendulum-v1',
  'offline/gym/bcq_cartpole.py': 'gym:CartPole-v1',
  'offline/gym/bve_cartpole.py': 'gym:CartPole-v1',
  'offline/gym/cql_pendulum.py': 'gym:Pendulum-v1',
  'offline/gym/crr_cartpole.py': 'gym:CartPole-v1',
  'offline/gym/crr_pendulum.py': 'gym:Pendulum-v1',
  'offline/gym/discrete_cql_cartpole.py': 'gym:CartPole-v1',
  'offline/gym/iql_pendulum.py': 'gym:Pendulum-v1',
  'offline/gym/mbop_pendulum.py': 'gym:Pendulum-v1',
  'offline/gym/td3_bc_pendulum.py': 'gym:Pendulum-v1',
  'offline/mujoco/bc_halfcheetah.py': 'gym:HalfCheetah-v5',
  'offline/mujoco/cql_halfcheetah.py': 'gym:HalfCheetah-v5',
  'offline/mujoco/iql_halfcheetah.py': 'gym:HalfCheetah-v5',
  'offline/mujoco/td3_bc_halfcheetah.py': 'gym:HalfCheetah-v5',
  'programs/gym/rlpd_pendulum.py': 'gym:Pendulum-v1',
}


@pytest.mark.parametrize('page', PAGES)
def test_a_page_makes_a_program(page, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  experiment = runpy.run_path(str(ROOT / page))['experiment']
  if page in RECORDINGS:
    data = experiment().dataset.path
    tfacme.record(None, environments.make(RECORDINGS[page], 0), episodes=2, out=data)
  tfacme.make_program(experiment(seed=1))
  if 'steps' in inspect.signature(experiment).parameters:
    tfacme.make_program(experiment(steps=300))
