"""The page on serving: its commands and its code as a reader would run them, its requests as a server would."""

import json
import subprocess
import sys

import numpy as np
import pytest

import tfacme
from tests import pages

_PAGE = (pages.ROOT / 'docs' / 'serving.md').read_text(encoding='utf-8')
_ALONE = "import sys\nsys.modules['tfacme'] = sys.modules['sonnet'] = None\n"

# What a server does with a request, by the rules of TensorFlow Serving's REST interface: it has the signature of the
# graph, and no Python. https://www.tensorflow.org/tfx/serving/api_rest
_SERVER = f"""{_ALONE}
import json
import numpy as np
import tensorflow as tf

def columns(request, names):
  rows = request.get('instances')
  if rows is None:
    given = request['inputs']
    return given if isinstance(given, dict) else {{names[0]: given}}
  named = [row if isinstance(row, dict) else {{names[0]: row}} for row in rows]
  return {{name: [row[name] for row in named] for name in named[0]}}

def answer(request, outputs):
  if 'instances' not in request:
    return {{'outputs': outputs if len(outputs) > 1 else next(iter(outputs.values()))}}
  rows = [dict(zip(outputs, row)) for row in zip(*outputs.values())]
  return {{'predictions': rows if len(outputs) > 1 else [next(iter(row.values())) for row in rows]}}

path, request = sys.argv[1], json.loads(sys.argv[2])
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
  loaded = tf.compat.v1.saved_model.load(session, ['serve'], path)
  signature = loaded.signature_def[request.get('signature_name', 'serving_default')]
  given = columns(request, list(signature.inputs))
  assert given.keys() == set(signature.inputs), (given.keys(), signature.inputs.keys())
  inputs = {{name: np.array(value, tf.as_dtype(signature.inputs[name].dtype).as_numpy_dtype)
            for name, value in given.items()}}
  fed = {{signature.inputs[name].name: value for name, value in inputs.items()}}
  outputs = session.run({{name: info.name for name, info in signature.outputs.items()}}, fed)
print(json.dumps(answer(request, {{name: value.tolist() for name, value in outputs.items()}})))
"""


def _served(model, request, folder):
  ended = subprocess.run(
    [sys.executable, '-c', _SERVER, model, request], cwd=folder, capture_output=True, text=True, timeout=200
  )
  assert ended.returncode == 0, ended.stderr
  return json.loads(ended.stdout)


@pytest.mark.slow
def test_the_page_runs(tmp_path):
  pages.call_commands(pages.commands(_PAGE), tmp_path)
  code = _ALONE + '\n'.join(pages.blocks('python', _PAGE))
  ended = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, timeout=200)
  assert ended.returncode == 0, ended.stderr
  _check_requests(tmp_path)


def _check_requests(folder):
  plain, begins, remembers = pages.blocks('json', _PAGE)
  observations = np.array(json.loads(plain)['instances'], np.float32)
  answered = _served('runs/models/cartpole/1', plain, folder)
  policy = tfacme.load_policy(str(folder / 'runs' / 'cartpole'))
  assert answered == {'predictions': policy.act(observations, np.ones(2, np.bool_)).tolist()}

  zeros = {'state_hidden': [[0.0] * 4], 'state_cell': [[0.0] * 4]}
  assert _served('runs/models/memory/1', begins, folder) == {'outputs': zeros}
  answered = _served('runs/models/memory/1', remembers, folder)['outputs']
  policy = tfacme.load_policy(str(folder / 'runs' / 'memory'))
  observation = np.array(json.loads(remembers)['inputs']['observation'], np.float32)
  assert answered['action'] == policy.act(observation, np.ones(1, np.bool_)).tolist()
  assert sorted(answered) == ['action', 'next_state_cell', 'next_state_hidden']
