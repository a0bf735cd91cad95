"""Runs a program graph: `launch(program, engine)`; nothing else is the same or different between engines.

`inline` steps the nodes in one thread in a fixed order, so a run repeats bit for bit. `local_mt` gives each node a
thread, `local_mp` a process, and `ray` a process of a Ray cluster. Importing this costs nothing: an engine imports what
it needs when it is used.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any, Callable, Dict, Optional

from tfacme import errors
from tfacme.launching import private_network
from tfacme.launching.outcomes import CoreLost, DeadlockError, Interrupted, NodeFailed, Stopped
from tfacme.launching.stopping import StopRequest

__all__ = [
  'ENGINES',
  'CoreLost',
  'DeadlockError',
  'Interrupted',
  'NodeFailed',
  'StopRequest',
  'Stopped',
  'check_goes_with',
  'cool_down',
  'launch',
  'warm_up',
]

# name -> (module, function)
ENGINES = {
  'inline': ('tfacme.launching.inline', 'run'),
  'local_mt': ('tfacme.launching.local', 'run_threads'),
  'local_mp': ('tfacme.launching.local', 'run_processes'),
  'ray': ('tfacme.launching.ray', 'run'),
}


def launch(program: Any, engine: str = 'inline', on_status: Optional[Callable[[Dict[str, Any]], None]] = None) -> None:
  """Runs a program to its end.

  Args:
    program: from `make_program`.
    engine: 'inline', 'local_mt', 'local_mp' or 'ray'.
    on_status: is called periodically with the counter's status; for a display.

  Raises:
    NodeFailed: a node failed; all others have been stopped.
    CoreLost: the same, where the node was killed, and not made anew since others hold what it would need.
    DeadlockError: all workers wait for each other (found in one thread only).
    Interrupted: Ctrl-C or SIGTERM; a checkpoint was written, if there was time, and all nodes have been stopped.
  """
  if engine not in ENGINES:
    raise errors.unknown('engine', engine, ENGINES, f'choose one of {", ".join(ENGINES)}.')
  module, function = ENGINES[engine]
  if engine == 'ray' and importlib.util.find_spec('ray') is None:
    raise errors.UserError(
      'Ray is not installed here: each host of a cluster needs the extra ray (requirements/ray.txt of a checkout).'
    )
  run = getattr(importlib.import_module(module), function)
  with StopRequest() as stop:
    try:
      run(program, on_status or (lambda status: None), stop)
    except CoreLost as lost:
      if stop.signum is None:
        raise
      raise Interrupted(stop.signum, saved=False) from lost  # Who asked for a stop does not want it to begin again.


def warm_up() -> None:
  """Starts the process that the nodes of `local_mp` are forked from, once this one has imported what they need."""
  from tfacme.launching import forking

  importlib.import_module(forking.PRELOAD)
  forking.start_server()


def cool_down(wait: bool = True) -> None:
  """Ends the process that `warm_up` started, if it was called; waits until it is gone unless told not to."""
  forking = sys.modules.get('tfacme.launching.forking')
  if forking is not None:
    forking.stop_server(wait)


def check_goes_with(engine: str, debug: bool, profile: bool = False, private: bool = False) -> None:
  """Raises a `UserError` if a run on an engine can't be stepped through, profiled, or have a network of its own."""
  if debug and engine != 'inline':
    raise errors.UserError(
      f'--debug steps through a run in one thread, and --launch {engine} has several; leave --launch out (inline).'
    )
  if profile and engine == 'ray':
    raise errors.UserError('--profile does not go with --launch ray yet: profile a run in processes (local_mp).')
  if private and engine == 'ray':
    raise errors.UserError('--private-network is for one machine: hosts of a Ray cluster could not reach each other.')
  if private and not private_network.inside():
    raise errors.UserError(
      '--private-network is for a command of its own: `tfacme train ...`, or a page that is run as a script.'
    )
