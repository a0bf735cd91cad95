"""`tfacme devices`: what TensorFlow sees of GPUs, and what keeps it from that."""

import pathlib
import shutil
import sys

import tensorflow as tf
import wrapt

from tfacme import cli, startup
from tfacme.cli import devices


def test_it_says_on_what_nodes_compute(capsys, monkeypatch):
  monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: [])
  monkeypatch.setattr(startup, 'NVIDIA_DRIVERS', ('/nowhere',))
  assert cli.main(['devices']) == 0
  first, second, *roles = capsys.readouterr().out.splitlines()
  assert first.startswith(f'TensorFlow {tf.__version__}, which is made for CUDA 11')
  assert second == "It sees no GPU: this machine has no driver of NVIDIA's (/nowhere is not there)."
  assert roles == ['learner: processor', 'actor: processor', 'evaluator: processor']
  told_of = '(if the agent has nodes of that role)'
  card = tf.config.PhysicalDevice('/physical_device:GPU:0', 'GPU')
  told = {'device_name': 'A Card', 'compute_capability': (8, 6)}
  monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: [card])
  monkeypatch.setattr(tf.config.experimental, 'get_device_details', lambda gpu: told)
  assert cli.main(['devices', '--gpus', 'learner', 'critic']) == 0
  _, second, *roles = capsys.readouterr().out.splitlines()
  assert second == 'GPU:0: A Card, capability 8.6'
  assert roles == ['learner: GPU', 'actor: processor', 'evaluator: processor', f'critic {told_of}: GPU']


def test_it_says_the_first_thing_that_is_missing(monkeypatch, tmp_path):
  monkeypatch.setattr(startup, 'NVIDIA_DRIVERS', ('/nowhere', str(tmp_path)))
  assert devices._why_none(False) == 'this TensorFlow is made without CUDA'
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
  assert "CUDA_VISIBLE_DEVICES is '', which hides all" in devices._why_none(True)
  monkeypatch.delenv('CUDA_VISIBLE_DEVICES')
  monkeypatch.setattr(startup, 'CUDA_LIBRARIES', ('libc.so.6', 'libno.so.1', 'libnone.so.2'))
  assert (
    devices._why_none(True) == 'these libraries can not be opened: libno.so.1, libnone.so.2; the extra cuda brings them'
  )
  monkeypatch.setattr(startup, 'CUDA_LIBRARIES', ('libc.so.6',))
  assert devices._why_none(True).startswith('the driver lists none')


def test_libraries_of_the_extra_are_opened_where_there_is_a_driver(monkeypatch, tmp_path):
  folder = tmp_path / 'nvidia' / 'some_library' / 'lib'
  folder.mkdir(parents=True)
  shutil.copy(wrapt._wrappers.__file__, folder / 'libsecond.so.1')  # TensorFlow brings it; any small library would do
  (folder / 'libfirst.so.1').write_text('no library')
  shutil.copytree(folder, tmp_path / 'twice' / 'nvidia' / 'some_library' / 'lib')
  monkeypatch.setattr(sys, 'path', ['', None, '/nowhere', str(tmp_path), str(tmp_path / 'twice')])
  monkeypatch.setattr(startup, 'CUDA_LIBRARIES', ('libfirst.so.1', 'libsecond.so.1', 'libthird.so.1'))
  monkeypatch.setattr(startup, 'NVIDIA_DRIVERS', ('/nowhere',))
  assert startup.open_cuda() == []
  monkeypatch.setattr(startup, 'NVIDIA_DRIVERS', ('/nowhere', str(tmp_path)))
  assert startup.open_cuda() == [str(folder / 'libsecond.so.1')]
  assert str(folder / 'libsecond.so.1') in pathlib.Path('/proc/self/maps').read_text(encoding='utf-8')
