"""What a run in one thread does where it can't begin."""

import types

import launchpad as lp
import pytest

from tfacme.graph import nodes
from tfacme.launching import inline, outcomes


class _Worker:
  """Has something open."""

  def __init__(self, closed):
    self._closed = closed

  def step(self, wait):
    raise AssertionError('No node is stepped.')

  def close(self):
    self._closed.append(self)


def test_what_was_made_is_closed_if_another_node_can_not_be_made():
  closed = []
  program = lp.Program('failing')
  for name, make in (('counter', _Counter), ('actor', lambda: _Worker(closed)), ('learner', lambda: 1 / 0)):
    program.add_node(nodes.TaskNode(name, None, make, {}), label=name)
  with pytest.raises(outcomes.NodeFailed, match='The node learner failed'):
    inline.run(program, lambda status: None, types.SimpleNamespace(signum=None))
  assert len(closed) == 1


class _Counter:
  def status(self):
    return {'phase': 1}

  def note(self, node, notes):
    pass
