"""A trained policy for those who have no tfacme: a SavedModel, or what that is converted to, with a check of it."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from tfacme import errors, importing
from tfacme.workers import signatures

_LOG = logging.getLogger('tfacme')

_Arrays = Mapping[str, Any]
_Call = Callable[[str, _Arrays], _Arrays]  # From the name of a signature and its inputs to its outputs.

_SAVED_MODEL = 'savedmodel'
_ONNX_PACKAGES = ('onnx', 'onnxruntime', 'tf2onnx')
_BATCHES = (1, 7)  # observations at a time in the calls of a check
_CALLS = 4  # of each, one after the other, so that what a policy remembers counts
_TOLERANCE = 1e-3  # of the largest number
_CLOSE_CHOICES = 0.05  # the share of choices that rounding may decide


def format_of(path: str, format: Optional[str] = None) -> str:  # noqa: A002 (so is it called)
  """The format of what is to be written to a path: the one that is named, or what the path's ending says.

  Raises:
    UserError: there is no such format, or the path's ending says another one.
  """
  ending = os.path.splitext(path)[1].lower().removeprefix('.')
  said = ending if ending in FORMATS else None
  if format is None:
    return said or _SAVED_MODEL
  if format not in FORMATS:
    raise errors.unknown('format', format, FORMATS, f'there are {", ".join(FORMATS)}.')
  if said not in (None, format):
    raise errors.UserError(f'{path} ends in .{ending}, and the format is to be {format}: leave out one of the two.')
  return format


def export(policy: str, path: str, format: str) -> None:  # noqa: A002 (so is it called)
  """Writes a policy.

  Args:
    policy: the folder of its SavedModel.
    path: a folder for a SavedModel, a file for all else.
    format: one of the `FORMATS`.

  Raises:
    UserError: the policy does not convert to that format, or the path can't be written.
  """
  FORMATS[format](policy, path)


def to_saved_model(policy: str, path: str) -> None:
  """Copies a SavedModel."""
  if os.path.realpath(path) == os.path.realpath(policy):
    raise errors.UserError(f'The policy is in {path} already; give another folder.')
  if os.path.isdir(path) and os.listdir(path) and not os.path.exists(os.path.join(path, 'saved_model.pb')):
    raise errors.UserError(f'{path} holds other files; give a new folder, or one with an earlier export.')
  with errors.writing('The folder', path):
    shutil.copytree(policy, path, dirs_exist_ok=True)


def to_onnx(policy: str, path: str) -> None:
  """Converts a SavedModel of a policy to ONNX.

  Args:
    policy: the folder of the SavedModel.
    path: the file for its signature `serving_default`. If it has an `initial_state`, that is another file beside it:
      `policy.initial_state.onnx` beside `policy.onnx`.

  Raises:
    UserError: it does not convert, or acts differently then; or a package is missing.
  """
  for package in _ONNX_PACKAGES:
    importing.require(package, 'An export to ONNX', 'serving')
  model = tf.saved_model.load(policy)
  if signatures.SEED in _inputs(model.signatures[signatures.SERVING]):
    raise errors.UserError(
      'The policy does not convert to ONNX: it draws random numbers in evaluations too, and ONNX has no operation that '
      'draws them by a seed; take the format savedmodel or tflite, or a policy that draws nothing in evaluations.'
    )
  made = {name: _converted('ONNX', _onnx, signature) for name, signature in model.signatures.items()}
  _check(model, _converted('ONNX', _onnx_runtime, made), 'ONNX')
  stem, ending = os.path.splitext(path)
  for name, content in made.items():
    _write(content, path if name == signatures.SERVING else f'{stem}.{name}{ending}')


def to_tflite(policy: str, path: str) -> None:
  """Converts a SavedModel of a policy, with all its signatures, to TFLite.

  If TFLite has no operation of its own for something, TensorFlow's is taken, and a warning says so.

  Args:
    policy: the folder of the SavedModel.
    path: the file.

  Raises:
    UserError: it does not convert, or acts differently then.
  """
  model = tf.saved_model.load(policy)
  content, flexible = _converted('TFLite', _tflite, policy, list(model.signatures))
  _check(model, _converted('TFLite', _tflite_runtime, content), 'TFLite')
  _write(content, path)
  if flexible:
    _LOG.warning(
      "TFLite has no operation of its own for %s: this policy needs a runtime with TensorFlow's operations (the Flex "
      'delegate), as the one in TensorFlow is.',
      errors.listed(flexible),
    )


FORMATS: Mapping[str, Callable[[str, str], None]] = {
  _SAVED_MODEL: to_saved_model,
  'onnx': to_onnx,
  'tflite': to_tflite,
}


def _converted(what: str, convert: Callable[..., Any], *args: Any) -> Any:
  try:
    with _silent():
      return convert(*args)
  except Exception as error:
    reason = ' '.join(str(error).split())[:300]
    raise errors.UserError(f'The policy does not convert to {what}: {type(error).__name__}: {reason}.') from error


@contextlib.contextmanager
def _silent() -> Iterator[None]:
  """Nothing is written to standard error: converters and runtimes say there, in C++, what comes as an exception too."""
  kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
  os.dup2(nowhere, 2)
  try:
    yield
  finally:
    os.dup2(kept, 2)
    os.close(kept)
    os.close(nowhere)


def _onnx(signature: Any) -> bytes:
  import onnx
  from tf2onnx import convert

  specs = _inputs(signature)
  function = tf.function(lambda *leaves: signature(**dict(zip(specs, leaves))), autograph=False)
  model, _ = convert.from_function(function, [tf.TensorSpec(s.shape, s.dtype, name) for name, s in specs.items()])
  onnx.checker.check_model(model)
  return model.SerializeToString()


def _onnx_runtime(models: Mapping[str, bytes]) -> _Call:
  import onnxruntime

  options = onnxruntime.SessionOptions()
  options.log_severity_level = 3
  providers = ['CPUExecutionProvider']
  made = {name: onnxruntime.InferenceSession(model, options, providers) for name, model in models.items()}

  def call(name: str, inputs: _Arrays) -> _Arrays:
    names = [output.name for output in made[name].get_outputs()]
    # An input that nothing depends on is not in the model.
    return dict(
      zip(names, made[name].run(names, {taken.name: inputs[taken.name] for taken in made[name].get_inputs()}))
    )

  return call


def _tflite(policy: str, names: List[str]) -> Tuple[bytes, Sequence[str]]:
  """The model, and the operations that it needs of TensorFlow."""

  def convert(*operations: tf.lite.OpsSet) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(policy, names)
    converter.target_spec.supported_ops = operations
    return converter.convert()

  try:
    model = convert(tf.lite.OpsSet.TFLITE_BUILTINS)
  except Exception:  # The converter has a class of its own for this, which is not public.
    model = convert(tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS)
  # By these names the model refers to them; no public interface lists them.
  return model, sorted({name.decode() for name in re.findall(rb'\bFlex(\w+)', model)})


def _tflite_runtime(model: bytes) -> _Call:
  interpreter = tf.lite.Interpreter(model_content=model)

  def call(name: str, inputs: _Arrays) -> _Arrays:
    runner = interpreter.get_signature_runner(name)  # It resizes its inputs to what it is given.
    return runner(**{taken: inputs[taken] for taken in runner.get_input_details()})

  return call


def _check(model: Any, call: _Call, what: str) -> None:
  """Raises a `UserError` if what a policy was converted to acts differently on random observations."""
  rng, same = np.random.default_rng(0), [np.ones(0, np.bool_)]

  def both(name: str, inputs: _Arrays) -> _Arrays:
    wanted = {key: value.numpy() for key, value in model.signatures[name](**_tensors(inputs)).items()}
    given = _converted(what, call, name, inputs)
    same.extend(_alike(what, key, value, given[key]) for key, value in wanted.items())
    return wanted

  for batch in _BATCHES:
    state: _Arrays = {}
    if signatures.INITIAL_STATE in model.signatures:
      state = both(signatures.INITIAL_STATE, {signatures.BATCH_SIZE: np.array(batch, np.int32)})
    for _ in range(_CALLS):
      random = {name: _random(spec, batch, rng) for name, spec in _inputs(model.signatures[signatures.SERVING]).items()}
      outputs = both(signatures.SERVING, {**random, **state})
      state = {key.removeprefix(signatures.NEXT): outputs[key] for key in outputs if key.startswith(signatures.NEXT)}
  chosen = np.concatenate(same)
  if chosen.size and np.mean(~chosen) > _CLOSE_CHOICES:
    raise _differs(what, f'{np.sum(~chosen)} of {chosen.size} choices')


def _alike(what: str, name: str, wanted: np.ndarray, given: np.ndarray) -> np.ndarray:
  """Which of the choices in an output are the same; numbers have to be, but for rounding."""
  if (wanted.shape, wanted.dtype) != (given.shape, given.dtype):
    raise _differs(what, f'{name} is {given.dtype}{list(given.shape)} in place of {wanted.dtype}{list(wanted.shape)}')
  if wanted.dtype.kind != 'f':
    return (wanted == given).ravel()
  error = np.abs(wanted - given).max(initial=0.0)
  if not error <= _TOLERANCE * np.abs(wanted).max(initial=1.0):
    raise _differs(what, f'{name} by {error:.2g}')
  return np.ones(0, np.bool_)


def _differs(what: str, how: str) -> errors.UserError:
  return errors.UserError(
    f'The policy does not convert to {what}: it acts differently there on random observations ({how}).'
  )


def _inputs(signature: Any) -> Dict[str, tf.TensorSpec]:
  return signature.structured_input_signature[1]


def _tensors(inputs: _Arrays) -> Dict[str, tf.Tensor]:
  return {name: tf.constant(value) for name, value in inputs.items()}


def _random(spec: tf.TensorSpec, batch: int, rng: np.random.Generator) -> np.ndarray:
  """An input at random: normal numbers, bytes, and of other integers 0 and 1, which all choices have."""
  shape, dtype = [batch if size is None else size for size in spec.shape], spec.dtype.as_numpy_dtype
  if spec.dtype.is_floating:
    return rng.normal(size=shape).astype(dtype)
  return rng.integers(0, 256 if spec.dtype == tf.uint8 else 2, shape).astype(dtype)


def _write(content: bytes, path: str) -> None:
  with errors.writing_file('The policy', path), open(path, 'wb') as file:
    file.write(content)
