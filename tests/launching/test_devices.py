"""Nodes that are not to compute on GPUs do not, where all share one TensorFlow."""

import json
import subprocess
import sys

import pytest
import tensorflow as tf

import tfacme
from tfacme import environments, errors
from tfacme.agents import dqn
from tfacme.graph import nodes
from tfacme.tensors import devices

# The first of two processors plays the GPU, on which TensorFlow computes unless it is told not to.
_RUN = """
import collections, dataclasses, json, sys
import tensorflow as tf

(processor,) = tf.config.list_physical_devices('CPU')
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
found, hidden = tf.config.get_visible_devices, []
tf.config.get_visible_devices = lambda kind=None: ['gpu'] if kind == 'GPU' else found(kind)
tf.config.set_visible_devices = lambda devices, kind: hidden.append((devices, kind))

import tfacme
from tests.contract import environment
from tfacme import core
from tfacme.agents import dqn
from tfacme.tensors import devices

devices.CPU = '/CPU:1'
places = collections.defaultdict(set)

def note(what):
  places[what].add(tf.constant(0.0).device[-5:])

class Noting(environment.TwoStates):
  def step(self, action):
    note('step')
    return super().step(action)

def make(seed):
  note('make')
  return Noting(seed)

class NotingBuilder(core.BuilderWrapper):
  def update(self, networks, spec):
    note('update')
    places['weights'].update(variable.device[-5:] for variable in networks.q.trainable_variables)
    return self.agent.update(networks, spec)

  def policy(self, networks, spec, evaluation):
    places['policy'].update(variable.device[-5:] for variable in networks.q.trainable_variables)
    return self.agent.policy(networks, spec, evaluation)

tfacme.train(
  tfacme.Experiment(
    NotingBuilder(dqn.DQNBuilder(dqn.DQNConfig(min_replay_size=50, batch_size=8))),
    make,
    dqn.mlp_networks((8,)),
    tfacme.Budget(actor_steps=200),
    layout=tfacme.Layout(gpus=tuple(sys.argv[1:])),
  ),
  progress=False,
)
print(json.dumps({'hidden': hidden, **{what: sorted(seen) for what, seen in places.items()}}))
"""


@pytest.mark.parametrize('roles', [['learner'], []])
def test_nodes_in_one_thread_compute_where_they_are_to(roles):
  ran = subprocess.run([sys.executable, '-c', _RUN, *roles], capture_output=True, text=True)
  assert ran.returncode == 0, ran.stderr
  seen = json.loads(ran.stdout.splitlines()[-1])
  assert seen['step'] == seen['make'] == seen['policy'] == ['CPU:1']
  # The agent is tried before the run, which is no matter of a node.
  assert seen['update'] == seen['weights'] == (['CPU:0', 'CPU:1'] if roles else ['CPU:1'])
  assert seen['hidden'] == ([] if roles else [[[], 'GPU']] * 2)  # For the run, and by its engine.


def test_gpus_that_a_run_has_hidden_are_there_for_the_next(monkeypatch, caplog):
  visible = ['gpu']

  def show(found, kind):
    visible[:] = found

  monkeypatch.setattr(devices, '_hidden', False)
  monkeypatch.setattr(tf.config, 'list_physical_devices', lambda kind: ['gpu'])
  monkeypatch.setattr(tf.config, 'get_visible_devices', lambda kind: list(visible))
  monkeypatch.setattr(tf.config, 'set_visible_devices', show)
  for gpus in (True, False, False, True):
    devices.prepare(gpus)
    assert visible == (['gpu'] if gpus else [])
  visible.clear()  # Somebody else has hidden them, and means it.
  devices.prepare(True)
  assert not visible
  visible.append('gpu')
  devices.prepare(False)

  def refuse(found, kind):
    raise RuntimeError('Visible devices cannot be modified after being initialized')

  monkeypatch.setattr(tf.config, 'set_visible_devices', refuse)
  devices.prepare(False)
  assert not caplog.text
  devices.prepare(True)
  assert 'An earlier run of this process has hidden its GPUs' in caplog.text


def _given(*roles):
  layout = tfacme.Layout(actors=2, gpus=roles)
  experiment = tfacme.Experiment(
    dqn.DQNBuilder(), environments.factory('bsuite:catch/0'), dqn.mlp_networks(), tfacme.Budget(actor_steps=9)
  )
  program = tfacme.make_program(tfacme.Experiment(**{**vars(experiment), 'layout': layout}))
  return {node.name for node in nodes.of_program(program) if node.gpus}


def test_roles_are_those_of_nodes():
  assert tfacme.Layout().gpus == ('learner',)
  assert _given() == set() and _given('learner') == {'learner'}
  assert _given('actor', 'evaluator') == {'actor-0', 'actor-1', 'evaluator'}
  for wrong in ('learner', None, (1,)):
    with pytest.raises(errors.UserError, match='has to be roles of nodes, such as'):
      tfacme.Layout(gpus=wrong)
  with pytest.raises(errors.UserError, match="role of nodes that could compute on GPUs 'lerner'; did you mean learner"):
    _given('lerner')
