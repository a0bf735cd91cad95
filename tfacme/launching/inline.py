"""The engine that runs a graph in one thread.

A round: each environment loop steps each of its slots once; the learner steps until it is blocked; an evaluation that
is due runs whole, on frozen variables; a checkpoint that is due is written. A run that was stopped in an evaluation
begins with that. Nothing in here looks at a clock, so a run is a function of its seed. If all workers of a round are
blocked, none will ever continue: that is an error. Where one waits for what comes by itself, all do. A leaf that fails
and may be made anew is, at once.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from typing import Any, Callable, Dict, List, Optional, Tuple

import launchpad as lp

from tfacme import core, errors, mistakes
from tfacme.graph import host, nodes
from tfacme.launching.outcomes import DeadlockError, Interrupted, NodeFailed
from tfacme.launching.stopping import StopRequest
from tfacme.tensors import devices
from tfacme.workers import counting, failures, hanging

_LOG = logging.getLogger('tfacme')
_DID, _PART = core.Progress.DID, core.Progress.PART
_STATUS_ROUNDS = 200  # between two looks of a display
_PATIENCE = 0.1  # seconds that a worker waits before it looks whether the run stops
_ORDER = ('actor', 'learner', 'evaluator', 'saver')  # in a round; nodes of other roles come before


def run(program: lp.Program, on_status: Callable[[Dict[str, Any]], None], stop: StopRequest) -> None:
  """Runs a program to its end; see `launching.launch`."""
  devices.prepare(any(node.gpus for node in nodes.of_program(program)))
  with contextlib.ExitStack() as closing, hanging.looked_after(_Hanging()):
    objects = _make_all(program, on_status, closing)
    stepped = [node for node in _in_order(program) if hasattr(objects[node.name], 'step')]
    evaluators = [(node.name, objects[node.name]) for node in stepped if node.role == 'evaluator']
    workers = [(node.name, objects[node.name]) for node in stepped]
    _run_rounds(workers, evaluators, objects, _Leaves(program, objects, closing), on_status, stop)


def _run_rounds(
  workers: List[Tuple[str, Any]],
  evaluators: List[Tuple[str, Any]],
  objects: Dict[str, Any],
  leaves: _Leaves,
  on_status: Callable[[Dict[str, Any]], None],
  stop: StopRequest,
) -> None:
  phase, rounds = 0, 0

  def show() -> None:
    on_status(objects['counter'].status())

  objects['counter'].told = show

  def save_if_stopped() -> None:
    if stop.signum is not None:
      objects['saver'].interrupt()
      show()
      raise Interrupted(stop.signum, begun=counting.has_begun(objects['counter'].status()))

  _round(evaluators, leaves, show, stop)
  save_if_stopped()
  workers = [(name, objects[name]) for name, _ in workers]  # Of the evaluations one may have been made anew.
  while workers:
    workers, blocked, did = _round(workers, leaves, show, stop)
    rounds += 1
    if rounds % _STATUS_ROUNDS == 0 or not workers:
      show()
    save_if_stopped()
    if not did:
      # Workers learn of the end of a phase in the round after it.
      before, phase = phase, objects['counter'].status()['phase']
      if phase == before:
        waits = [f'{name} waits for {outcome.reason}' for name, outcome in blocked]
        raise DeadlockError(f'The run can not continue: {"; ".join(waits)}.')


def _round(
  workers: List[Tuple[str, Any]], leaves: _Leaves, show: Callable[[], None], stop: StopRequest
) -> Tuple[List[Tuple[str, Any]], List[Tuple[str, core.Blocked]], bool]:
  """Steps each worker: (those that are not done, those that are blocked and by what, whether any worked)."""
  left, blocked, did = [], [], False
  for name, worker in workers:
    try:
      with leaves.devices[name]():
        outcome = _step(worker, show, stop)
        did = did or not isinstance(outcome, core.Blocked)
        while (outcome is _DID or outcome is _PART) and worker.runs_until_blocked and stop.signum is None:
          if outcome is _PART:
            show()
          outcome = _step(worker, show, stop)
    except errors.UserError:
      raise
    except (Exception, SystemExit) as error:
      worker, outcome, did = leaves.again(name, error), _DID, True
    if outcome is core.Progress.DONE:
      continue
    left.append((name, worker))
    if isinstance(outcome, core.Blocked):
      blocked.append((name, outcome))
  return left, blocked, did


class _Hanging:
  """Tells of an environment that does not return, once: one thread can't end it."""

  def __init__(self):
    self._told = False

  def __call__(self, call: Optional[hanging.Call]) -> None:
    if call is not None and not self._told:
      _LOG.warning('The run has been in %s for %.0f s; a second Ctrl-C does not wait for it.', call, call.seconds)
    self._told = call is not None


class _Leaves:
  """Makes the workers of leaves anew.

  Attributes:
    devices: {name of a node: what makes contexts in which it computes}.
  """

  def __init__(self, program: lp.Program, objects: Dict[str, Any], closing: contextlib.ExitStack):
    self._nodes = {node.name: node for node in nodes.of_program(program)}
    self.devices = {name: devices.context(node.gpus) for name, node in self._nodes.items()}
    self._objects = objects
    self._closing = closing
    self._restarts: Dict[str, failures.Restarts] = {}

  def again(self, name: str, error: BaseException) -> Any:
    """A worker in the place of one that has failed; raises `NodeFailed` if there is to be none."""
    node, account = self._nodes[name], mistakes.account(error)
    restarts = self._restarts.setdefault(name, failures.Restarts(node.upkeep.restarts or 0))
    if restarts.after(f'The node {name} has failed, and is made anew', account) is None:
      raise NodeFailed(name, account) from error
    failures.close(self._objects[name])
    made = self._objects[name] = _guard(name, functools.partial(nodes.make_one, node, self._objects))
    self._closing.callback(failures.close, made)
    return made


def _step(worker: Any, show: Callable[[], None], stop: StopRequest) -> core.Outcome:
  """A step of a worker; if it waits for what comes by itself, all others do too: their order is no matter of time."""
  outcome = worker.step(0.0)
  if not _passes(outcome):
    return outcome
  outcome = worker.step(_PATIENCE)  # Mostly it is there in a moment, of which nobody has to hear.
  if not _passes(outcome):
    return outcome
  counter, name = worker.tally.counter, worker.tally.node
  while _passes(outcome) and stop.signum is None:
    counter.note(name, {'blocked': outcome.reason})  # type: ignore[union-attr]
    show()
    outcome = worker.step(_PATIENCE)
  # Only noted: a report would bring newer counts than those of a worker that did not have to wait.
  counter.note(name, {'blocked': None})
  return outcome


def _passes(outcome: core.Outcome) -> bool:
  return isinstance(outcome, core.Blocked) and outcome.passes


def _make_all(
  program: lp.Program, on_status: Callable[[Dict[str, Any]], None], closing: contextlib.ExitStack
) -> Dict[str, Any]:
  """The objects of all nodes; while one is made, which may take seconds, displays are told.

  Those that are workers are closed with the stack, also if one that comes after them can't be made.
  """
  counters: List[Any] = []

  def make(name: str, build: Callable[[], Any]) -> Any:
    for counter in counters:
      counter.note(name, {'doing': host.STARTING})
      on_status(counter.status())
    made = _guard(name, build)
    if hasattr(made, 'step'):
      closing.callback(failures.close, made)
    for counter in counters:
      counter.note(name, {'doing': None})
    if name == 'counter':
      counters.append(made)
    return made

  return nodes.make_all(program, make)


def _guard(name: str, make: Callable[[], Any]) -> Any:
  """Makes a node's object, so that a failure says which node it was."""
  try:
    return make()
  except errors.UserError:
    raise
  except (Exception, SystemExit) as error:
    raise NodeFailed(name, mistakes.account(error)) from error


def _in_order(program: lp.Program) -> List[nodes.Node]:
  return sorted(nodes.of_program(program), key=lambda n: _ORDER.index(n.role) if n.role in _ORDER else -1)
