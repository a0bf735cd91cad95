"""What policies are exported to acts as they do: each agent's, in each runtime."""

import dataclasses
import functools
import logging
import sys

import numpy as np
import pytest
import tensorflow as tf
import tree
from dm_env import specs as dm_specs

from tfacme import environments, errors, networks, specs
from tfacme.agents import registry
from tfacme.environments.wrappers import frame_stacking
from tfacme.runs import exporting
from tfacme.workers import export

_IMAGE = dm_specs.BoundedArray((36, 36, 3), np.uint8, 0, 255)
_NESTED = {
  'image': _IMAGE,
  'speed': dm_specs.Array((2,), np.float32),
  'gear': dm_specs.DiscreteArray(3),
  'action_mask': dm_specs.BoundedArray((4,), np.bool_, False, True),
}


def _spec(observation, action=dm_specs.DiscreteArray(4)):
  reward, discount = dm_specs.Array((), np.float32), dm_specs.BoundedArray((), np.float32, 0.0, 1.0)
  return specs.EnvironmentSpec(observation, action, reward, discount)


@dataclasses.dataclass(frozen=True)
class _Case:
  """A policy: of an agent, where it is tried if nothing else is said."""

  agent: str
  spec: object = None
  networks: dict = dataclasses.field(default_factory=dict)
  stack: int = 1
  config: dict = dataclasses.field(default_factory=dict)

  def write(self, folder):
    """Writes the policy, with its first variables, and returns the spec of its environment."""
    spec = self.spec or specs.read_spec(environments.factory(registry.about(self.agent).trial.environment), 0)
    builder = registry.builder(self.agent, registry.config(self.agent, **self.config))
    seen = spec
    if self.stack > 1:
      seen = spec._replace(observations=frame_stacking.stacked_spec(spec.observations, self.stack))
    with networks.seeded(5):
      made = dataclasses.replace(registry.default_networks(self.agent), **self.networks)(seen)
    policy = builder.policy(made, seen, evaluation=True)
    if self.stack > 1:
      policy = networks.StackedPolicy(policy, spec.observations, self.stack)
    export.Exporter(policy, spec, 100).write(folder, 100)
    return spec


CASES = {name: _Case(name) for name in registry.names()}
CASES |= {
  'impala with memory': _Case('impala', networks={'lstm_size': 8}),
  'ppo of real numbers': _Case('ppo', _spec(_IMAGE, {'arm': dm_specs.BoundedArray((2,), np.float32, -3.0, 1.0)})),
  'dqn of stacked frames': _Case('dqn', _spec(_IMAGE), stack=3),
  'r2d2 of nests': _Case('r2d2', _spec(_NESTED), {'lstm_size': 8}),
}


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """A function from the name of a case to the folder of its SavedModel and its environment's spec."""

  @functools.cache
  def write(name):
    folder = str(tmp_path_factory.mktemp('policy'))
    return folder, CASES[name].write(folder)

  return write


def _observations(spec, batch, rng):
  """Random ones as the spec has them."""

  def leaf(part):
    if isinstance(part, dm_specs.BoundedArray) and part.dtype.kind != 'f':
      return rng.integers(part.minimum, part.maximum, (batch, *part.shape), endpoint=True).astype(part.dtype)
    return rng.normal(size=(batch, *part.shape)).astype(part.dtype)

  return tree.map_structure(leaf, spec.observations)


def _saved_model(folder, path):
  model = tf.saved_model.load(folder)
  tensors = lambda inputs: {name: tf.constant(value) for name, value in inputs.items()}
  return lambda name, inputs: {key: value.numpy() for key, value in model.signatures[name](**tensors(inputs)).items()}


def _onnx(folder, path):
  import onnxruntime

  exporting.export(folder, f'{path}.onnx', 'onnx')

  def call(name, inputs):
    session = onnxruntime.InferenceSession(f'{path}.onnx' if name == 'serving_default' else f'{path}.{name}.onnx')
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))

  return call


def _tflite(folder, path):
  exporting.export(folder, f'{path}.tflite', 'tflite')
  with open(f'{path}.tflite', 'rb') as file:
    model = file.read()
  assert b'Flex' not in model
  interpreter = tf.lite.Interpreter(model_content=model)
  return lambda name, inputs: interpreter.get_signature_runner(name)(**inputs)


_RUNTIMES = {'savedmodel': _saved_model, 'onnx': _onnx, 'tflite': _tflite}
_REMEMBERS = {'r2d2', 'r2d2 of nests', 'impala with memory', 'dqn of stacked frames', 'mbop'}
_DRAWS = {'mbop'}  # by a seed, also in evaluations


@pytest.mark.parametrize(
  'case, runtime',
  [(case, runtime) for case in CASES for runtime in _RUNTIMES if case not in _DRAWS or runtime == 'savedmodel'],
)
def test_it_acts_as_the_policy_does(case, runtime, written, tmp_path):
  folder, spec = written(case)
  call = _RUNTIMES[runtime](folder, str(tmp_path / 'converted'))
  names = tf.saved_model.load(folder).signatures
  rng = np.random.default_rng(1)
  for batch in (1, 7):
    policy, first = export.LoadedPolicy(folder), np.ones(batch, np.bool_)
    state = call('initial_state', {'batch_size': np.array(batch, np.int32)}) if 'initial_state' in names else {}
    for step in range(4):
      observation = _observations(spec, batch, rng)
      wanted, first = policy.act(observation, first), np.zeros(batch, np.bool_)
      seed = {'seed': np.array([0, step + 1], np.int32)} if case in _DRAWS else {}
      outputs = call('serving_default', {**_named('observation', observation), **state, **seed})
      for name, value in _named('action', wanted).items():
        np.testing.assert_allclose(outputs[name], value, rtol=1e-4, atol=1e-5)
        assert outputs[name].dtype == value.dtype
      state = {name.removeprefix('next_'): outputs[name] for name in outputs if name.startswith('next_')}
  assert bool(state) == (case in _REMEMBERS)


def _named(prefix, nest):
  return {'_'.join(map(str, (prefix, *path))): leaf for path, leaf in tree.flatten_with_path(nest)}


def test_a_policy_that_draws_has_no_place_in_onnx(tmp_path):
  folder = str(tmp_path / 'policy')
  _Case('dqn', config={'evaluation_epsilon': 0.5}).write(folder)
  with pytest.raises(errors.UserError, match='does not convert to ONNX: it draws random numbers in evaluations too'):
    exporting.export(folder, str(tmp_path / 'policy.onnx'), 'onnx')
  assert not (tmp_path / 'policy.onnx').exists()


def test_a_policy_that_draws_needs_operations_of_tensorflow_in_tflite(tmp_path, caplog, monkeypatch):
  folder, path = str(tmp_path / 'policy'), str(tmp_path / 'policy.tflite')
  _Case('dqn', config={'evaluation_epsilon': 0.5}).write(folder)
  monkeypatch.setattr(logging.getLogger('tfacme'), 'propagate', True)
  exporting.export(folder, path, 'tflite')
  assert 'TFLite has no operation of its own for StatelessRandomGetKeyCounter, StatelessRandomUniformV2:' in caplog.text
  seed, observation = np.array([1, 2], np.int32), np.random.default_rng(0).normal(size=(50, 10, 5)).astype(np.float32)
  call = tf.lite.Interpreter(path).get_signature_runner('serving_default')
  wanted = tf.saved_model.load(folder).signatures['serving_default'](
    observation=tf.constant(observation), seed=tf.constant(seed)
  )
  np.testing.assert_array_equal(call(observation=observation, seed=seed)['action'], wanted['action'])


def test_what_acts_differently_is_refused(tmp_path, written, monkeypatch):
  folder, _ = written('dqn')
  right = exporting._tflite_runtime

  def wrong(model):
    call = right(model)
    return lambda name, inputs: {key: 2 - value for key, value in call(name, inputs).items()}

  monkeypatch.setattr(exporting, '_tflite_runtime', wrong)
  with pytest.raises(
    errors.UserError, match=r'to TFLite: it acts differently there on random observations \(\d+ of 32'
  ):
    exporting.export(folder, str(tmp_path / 'policy.tflite'), 'tflite')
  assert not (tmp_path / 'policy.tflite').exists()


@pytest.mark.parametrize(
  'kind, say',
  [('onnxx', "no format 'onnxx'; did you mean onnx"), ('onnx', r'needs the package tf2onnx.* with the extra serving ')],
)
def test_what_is_missing_is_said(kind, say, tmp_path, written, monkeypatch):
  monkeypatch.setitem(sys.modules, 'tf2onnx', None)
  with pytest.raises(errors.UserError, match=say):
    exporting.export(written('dqn')[0], str(tmp_path / 'policy'), exporting.format_of('policy', kind))


@pytest.mark.parametrize(
  'path, named, chosen',
  [
    ('policy', None, 'savedmodel'),
    ('v1.2', None, 'savedmodel'),
    ('policy.onnx', None, 'onnx'),
    ('a.onnx/policy.TFLITE', None, 'tflite'),
    ('policy.onnx', 'onnx', 'onnx'),
    ('policy', 'tflite', 'tflite'),
  ],
)
def test_the_ending_says_the_format(path, named, chosen):
  assert exporting.format_of(path, named) == chosen


def test_an_ending_does_not_say_another_format_than_is_named():
  for named in ('savedmodel', 'tflite'):
    with pytest.raises(errors.UserError, match=f'policy.onnx ends in .onnx, and the format is to be {named}'):
      exporting.format_of('policy.onnx', named)


def test_a_file_that_can_not_be_written_is_said(tmp_path, written):
  with pytest.raises(errors.UserError, match='can not be written: Is a directory'):
    exporting.export(written('dqn')[0], str(tmp_path), 'tflite')
