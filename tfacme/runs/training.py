"""Training: what `train` does with an experiment and a folder."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import secrets
import sys
import tempfile
from typing import Any, Callable, Dict, Iterator, List, Optional

import rich.console

from tfacme import checkpoints, experiments, launching, loggers
from tfacme.debugging import profiling, stepping
from tfacme.graph import program
from tfacme.launching import quiet, restarts
from tfacme.runs import describing, display, folders, memory, reporting
from tfacme.runs import run as run_lib
from tfacme.runs import status as status_lib
from tfacme.tensors import devices

_Listener = Callable[[Dict[str, Any]], None]


def train(
  experiment: experiments.Experiment,
  workdir: Optional[str] = None,
  launch: str = 'inline',
  progress: bool = True,
  on_status: Optional[_Listener] = None,
  debug: bool = False,
  profile: profiling.Kind = False,
) -> run_lib.Run:
  """Runs an experiment to its end; resumes from the last checkpoint if the folder has one of the same experiment.

  Args:
    experiment: what to run.
    workdir: the run's folder; None makes a temporary one.
    launch: 'inline', 'local_mt', 'local_mp' or 'ray'.
    progress: whether to show progress on standard output.
    on_status: is called periodically with the counter's status; for a display of your own.
    debug: whether all of it runs eagerly, in one thread, so that `breakpoint()` and `print` work in an update, a loss,
      a policy and a network; for the engine `inline`.
    profile: whether a trace is left in the run's folder, and a table printed of where its time goes; 'times' leaves
      out the trace, which makes a run slower.

  Raises:
    UserError: the experiment does not fit together, or the folder belongs to another one.
    launching.NodeFailed: a node failed; one that can be made anew too often, see `Layout.restarts`.
    launching.Interrupted: Ctrl-C or SIGTERM, after a checkpoint was written.
  """
  launching.check_goes_with(launch, debug, bool(profile))
  given = workdir or tempfile.mkdtemp(prefix='tfacme-')
  workdir = folders.absolute(given)
  profiled = profiling.of_run(workdir, profile, apart=launch == 'local_mp')
  description = describing.describe(experiment, launch)
  say = functools.partial(print, flush=True) if progress else lambda line: None
  out = rich.console.Console(file=sys.stdout).print if progress else lambda shown: None

  def attempt() -> None:
    with contextlib.ExitStack() as begun:
      graph = _prepare(experiment, description, workdir, given, profiled, begun, say)
      if graph is not None:
        shown = _shown(progress, on_status, False if debug else None, workdir)
        with profiling.reported(profiled, out), shown as listen:
          launching.launch(graph, launch, listen)

  devices.prepare(bool(experiment.layout.gpus) and launch == 'inline')  # Before anything is computed.
  stepped = stepping.stepping(experiment.seed) if debug else contextlib.nullcontext()
  with stepped, quiet.within_a_run(), folders.made(workdir), folders.locked(workdir), _interrupted(workdir):
    reached = lambda: max(checkpoints.steps(os.path.join(workdir, 'checkpoints')), default=0)
    restarts.until_it_ends(attempt, experiment.layout.restarts, reached)
  return _reported(run_lib.Run(workdir), given, progress)


def _prepare(
  experiment: experiments.Experiment,
  description: Dict[str, Any],
  workdir: str,
  given: str,
  profiled: Optional[profiling.Profile],
  begun: contextlib.ExitStack,
  say: Callable[[str], None],
) -> Any:
  """Compiles an experiment, and takes its folder to where it begins, or goes on.

  Args:
    experiment: what to run.
    description: of it.
    workdir: the run's folder.
    given: the same, as the user calls it.
    profiled: how it is profiled, or None.
    begun: takes what is closed when the run has ended.
    say: prints a line, if progress is shown.

  Returns:
    The program, or None if nothing is left to do.
  """
  folders.check_same(workdir, description)
  checkpoint = checkpoints.latest(os.path.join(workdir, 'checkpoints'))
  steps = checkpoints.manifest(checkpoint)['steps'] if checkpoint else 0
  if checkpoint and folders.is_complete(checkpoint, experiment):
    say(reporting.complete(checkpoints.manifest(checkpoint)['ended']))
    return None
  description = {'id': folders.run_id(workdir) or secrets.token_hex(8), **description}
  logged = loggers.OfRun(experiment.loggers, loggers.Log.of_run(workdir, description, steps))
  # Finds what does not fit before anything is written.
  placed = _placed(experiment, description['launch'])
  graph = program.make_program(placed, workdir, checkpoint, logged, profiled)
  size = memory.check(graph, description['launch'], experiment.layout.check_memory)
  folders.write(workdir, description, experiment)
  begun.enter_context(logged.running(experiment.checkpointing.stop_seconds))  # Now: a tracker begins a run with it.
  had_begun = folders.has_begun(workdir)
  folders.go_back_to(workdir, checkpoint, experiment.budget.unit, experiment.layout.replays)
  for line in filter(None, [reporting.opening(description, given), size]):
    say(line)
  if checkpoint or had_begun:
    say(reporting.resuming(checkpoint, experiment.budget.steps, given))
  return graph


def _placed(experiment: experiments.Experiment, launch: str) -> experiments.Experiment:
  """The experiment with its replay where it is on this engine, if it does not say."""
  if launch != 'ray' or experiment.layout.replay is not None:
    return experiment
  return dataclasses.replace(experiment, layout=dataclasses.replace(experiment.layout, replay='reverb'))


def _reported(run: run_lib.Run, given: str, progress: bool) -> run_lib.Run:
  """The run, after a line on its result if progress is shown."""
  if progress:
    print(reporting.result(run.workdir, run.description, run.ended, given), flush=True)
  return run


@contextlib.contextmanager
def _interrupted(workdir: str) -> Iterator[None]:
  """Lets a run that is stopped say whether there is anything that it can go on from."""
  try:
    yield
  except launching.Interrupted as interrupted:
    interrupted.earlier = bool(checkpoints.steps(os.path.join(workdir, 'checkpoints')))
    raise


@contextlib.contextmanager
def _shown(progress: bool, on_status: Optional[_Listener], live: Optional[bool], workdir: str) -> Iterator[_Listener]:
  """Gives what listens to the statuses of a run: what writes them into its folder, a display, and the caller."""
  with contextlib.ExitStack() as ends:
    listeners: List[_Listener] = [ends.enter_context(contextlib.closing(status_lib.Writer(workdir)))]
    if progress:
      listeners.append(ends.enter_context(display.Display(live=live)).update)
    if on_status is not None:
      listeners.append(on_status)

    def listen(status: Dict[str, Any]) -> None:
      for listener in listeners:
        listener(status)

    yield listen
