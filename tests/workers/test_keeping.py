"""Policies that are kept: their names, and what is left if several are kept at a time, or one is killed meanwhile."""

import json
import math
import os
import threading

import pytest

from tfacme import errors
from tfacme.workers import export, keeping


def _keeper(folder, evaluation='evaluator', told='x'):
  """One whose policies are folders with a text."""

  def save(path, steps):
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, 'saved_model.pb'), 'w', encoding='utf-8') as file:
      file.write(f'{told} {steps}')

  return keeping.Keeper(str(folder), evaluation, save)


def _read(folder, name='best'):
  path = keeping.find(str(folder), name)
  with open(os.path.join(path, 'saved_model.pb'), encoding='utf-8') as file:
    return file.read(), keeping.evaluated(path)


@pytest.mark.parametrize('name', ['', '1000', 'a.old', 'a.partial', '../x', '-a', '_a', 'ä', 'a b', 'best'])
def test_names_that_stand_for_something_else_are_refused(name, tmp_path):
  with pytest.raises(errors.UserError, match=f'A policy was to be kept as {name!r}'):
    _keeper(tmp_path).keep(name, {}, 1)
  assert not list(tmp_path.iterdir())


def test_the_best_one_stays(tmp_path):
  keeper = _keeper(tmp_path)
  for steps, mean in enumerate([1.0, 3.0, 2.0]):
    keeper.keep_if_best({'episode_return': mean, 'is_success': math.nan}, steps)
  assert _read(tmp_path) == ('x 1', {'episode_return': 3.0, 'is_success': None})
  json.loads((tmp_path / 'policy-best' / 'evaluation.json').read_text(), parse_constant=None)
  assert [path.name for path in tmp_path.iterdir()] == ['policy-best']


@pytest.mark.parametrize('renames', [0, 1])
def test_one_that_is_killed_while_it_is_kept_leaves_the_one_before_with_its_row(renames, tmp_path, monkeypatch):
  keeper = _keeper(tmp_path)
  keeper.keep_if_best({'episode_return': 1.0}, 1)
  left, rename = [renames], os.rename

  def killed(*paths):
    if not left[0]:
      raise KeyboardInterrupt
    left[0] -= 1
    rename(*paths)

  with monkeypatch.context() as patch:
    patch.setattr(export.os, 'rename', killed)
    with pytest.raises(KeyboardInterrupt):
      keeper.keep_if_best({'episode_return': 5.0}, 2)
  assert _read(tmp_path) == ('x 1', {'episode_return': 1.0})
  keeper.keep_if_best({'episode_return': 0.5}, 3)
  assert _read(tmp_path) == ('x 1', {'episode_return': 1.0})
  for name in ('bst', 'best.old', ''):
    with pytest.raises(errors.UserError, match=f"no policy '{name}'; .*best"):
      keeping.find(str(tmp_path), name)
  keeper.keep_if_best({'episode_return': 2.0}, 4)
  assert _read(tmp_path) == ('x 4', {'episode_return': 2.0})
  assert [path.name for path in tmp_path.iterdir()] == ['policy-best']


def test_a_run_whose_folder_is_gone_fails(tmp_path):
  (tmp_path / 'made').mkdir()
  with pytest.raises(FileNotFoundError):
    export.put(str(tmp_path / 'made'), str(tmp_path / 'gone' / 'policy'))


def test_several_evaluations_may_keep_one_by_the_same_name(tmp_path):
  failed = []

  def keep(evaluation):
    keeper = _keeper(tmp_path, evaluation, evaluation)
    try:
      for steps in range(100):
        keeper.keep('good', {'of': f'{evaluation} {steps}'}, steps)
    except Exception as error:
      failed.append(error)

  threads = [threading.Thread(target=keep, args=(name,)) for name in ('one', 'two')]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert not failed
  text, row = _read(tmp_path, 'good')
  assert row == {'of': text} and text.endswith(' 99')
  assert [path.name for path in tmp_path.iterdir()] == ['policy-good']
