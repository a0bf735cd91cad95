"""`tfacme devices`: what TensorFlow sees of GPUs, and what keeps it from that."""

import tensorflow as tf

from tfacme import cli
from tfacme.cli import devices


def test_it_says_on_what_nodes_compute(capsys, monkeypatch):
  monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: [])
  monkeypatch.setattr(devices, '_DRIVERS', ('/nowhere',))
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
  monkeypatch.setattr(devices, '_DRIVERS', ('/nowhere', str(tmp_path)))
  assert devices._why_none(False) == 'this TensorFlow is made without CUDA'
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
  assert "CUDA_VISIBLE_DEVICES is '', which hides all" in devices._why_none(True)
  monkeypatch.delenv('CUDA_VISIBLE_DEVICES')
  monkeypatch.setattr(devices, '_LIBRARIES', ('libc.so.6', 'libno.so.1', 'libnone.so.2'))
  assert devices._why_none(True) == 'these libraries can not be opened: libno.so.1, libnone.so.2'
  monkeypatch.setattr(devices, '_LIBRARIES', ('libc.so.6',))
  assert devices._why_none(True).startswith('the driver lists none')
