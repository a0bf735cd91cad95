"""A run: what `train` does with an experiment and a folder, and what it leaves there."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import glob
import json
import os
import secrets
import sys
import tempfile
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Sequence, Union

import rich.console

from tfacme import checkpoints, errors, experiments, importing, launching, loggers, seeds, specs
from tfacme.datasets import folder
from tfacme.debugging import profiling, stepping
from tfacme.environments import mujoco_settings
from tfacme.graph import building, program, trained
from tfacme.launching import quiet
from tfacme.replay import reverb_replay
from tfacme.runs import describing, display, exporting, memory, pickles, reporting
from tfacme.workers import counting, environment_loop, export, keeping, learning, playing

_Listener = Callable[[Dict[str, Any]], None]

_DESCRIPTION = 'experiment.json'
_EXPERIMENT = 'experiment.pkl'


class Run:
  """A run that has been trained.

  Attributes:
    workdir: its folder.
    description: what `experiment.json` says.
  """

  def __init__(self, workdir: str):
    path = os.path.join(workdir, _DESCRIPTION)
    if not os.path.exists(path):
      exported = os.path.exists(os.path.join(workdir, 'saved_model.pb'))
      hint = '; it is an exported policy, which tf.saved_model.load opens.' if exported else '.'
      raise errors.UserError(f'{workdir} is not the folder of a run: it has no {_DESCRIPTION}{hint}')
    self.workdir = os.path.abspath(workdir)  # An environment may go to another folder.
    with open(path, encoding='utf-8') as file:
      self.description: Dict[str, Any] = json.load(file, parse_constant=str)

  def __repr__(self) -> str:
    return f'<Run of {self.description["agent"]} on {self.description["environment"]} in {self.workdir}>'

  def evaluate(
    self,
    episodes: int = 20,
    seed: int = 0,
    max_episode_steps: int = experiments.MAX_EPISODE_STEPS,
    checkpoint: Union[int, str, None] = None,
  ) -> playing.Result:
    """Plays episodes with the trained policy, in new environments; cuts them off at a limit of steps, and warns.

    Args:
      episodes: how many.
      seed: of the environments and the policy.
      max_episode_steps: the limit.
      checkpoint: see `policy`.
    """
    errors.count('The number of episodes', episodes)
    errors.count('max_episode_steps', max_episode_steps)
    policy = self.policy(seed, checkpoint)
    slots = min(episodes, 10)
    environments = [self.environment(seeds.derive(seed, 'evaluate', i)) for i in range(slots)]
    try:
      spec = specs.environment_spec(environments[0])
      observers = self.experiment().observers
      player = playing.Player('The evaluation', environments, spec, max_episode_steps, observers)
      return playing.play_all(player, policy.act, episodes, max_episode_steps)
    finally:
      environment_loop.close_all(environments)

  def policy(self, seed: int = 0, checkpoint: Union[int, str, None] = None) -> export.LoadedPolicy:
    """The trained policy.

    Args:
      seed: of what it draws.
      checkpoint: the steps of a checkpoint, whose policy it is; or 'best' or another name under which the run has kept
        one. None is that of the newest checkpoint, in the end the final one.
    """
    with self._exported(checkpoint) as folder:
      return export.LoadedPolicy(folder, seed)

  @contextlib.contextmanager
  def _exported(self, checkpoint: Union[int, str, None]) -> Iterator[str]:
    """The folder of a policy's SavedModel, for a while."""
    if checkpoint is None:
      yield export.written(os.path.join(self.workdir, 'policy'))
    elif not str(checkpoint).isdigit():
      yield keeping.find(self.workdir, str(checkpoint))
    else:
      with tempfile.TemporaryDirectory() as folder:
        trained.write_policy(self.experiment(), folder, self._checkpoint(int(checkpoint), 'learner'))
        yield folder

  def _checkpoint(self, count: Optional[int], part: Optional[str] = None) -> str:
    return checkpoints.at(os.path.join(self.workdir, 'checkpoints'), count, part)

  @property
  def ended(self) -> Optional[str]:
    """Why the run ended before its budget was spent, as `on_evaluation` said; None if it did not."""
    return checkpoints.ended(os.path.join(self.workdir, 'checkpoints'))

  def checkpoints(self) -> Sequence[int]:
    """The steps at which the run has a checkpoint."""
    return checkpoints.steps(os.path.join(self.workdir, 'checkpoints'))

  def experiment(self) -> experiments.Experiment:
    """What was run; without recorded data that are too large to be kept in the run's folder."""
    return self._experiment

  @functools.cached_property
  def _experiment(self) -> experiments.Experiment:
    mujoco_settings.prepare()
    importing.search_current_folder()
    return pickles.read(os.path.join(self.workdir, _EXPERIMENT))

  def learner(self, checkpoint: Optional[int] = None, dataset: Any = None) -> learning.Learner:
    """The learner as it was at a checkpoint: `learner.read()` is a batch, `learner.update(batch)` a learning step.

    Args:
      checkpoint: its steps; None is the newest one.
      dataset: the recorded data of the run, if they were too large to be kept in its folder.

    Raises:
      UserError: there is no such checkpoint.
    """
    path, experiment = self._checkpoint(checkpoint), self.experiment()
    if dataset is not None:
      experiment = dataclasses.replace(experiment, dataset=dataset)
    elif self.description['dataset'] is not None and experiment.dataset is None:
      raise errors.UserError(f'The recorded data of {self.workdir} are not kept in its folder: give them as `dataset`.')
    if describing.describe(experiment, '')['builder'] != self.description['builder']:
      raise errors.UserError(
        f'The builder of {self.workdir} has too much data to be kept in its folder: tfacme.make_learner(experiment, '
        f'{path!r}) makes the learner of the whole experiment.'
      )
    return building.make_learner(experiment, path)

  def networks(self, checkpoint: Optional[int] = None) -> Any:
    """The agent's networks with the variables of a checkpoint; None is the newest one. It takes no recorded data."""
    return trained.networks(self.experiment(), self._checkpoint(checkpoint, 'learner'))

  def environment(self, seed: int = 0) -> Any:
    """A new environment like the one that it was trained in."""
    return specs.make_environment(self.experiment().environment, seed, 'evaluator')

  def export(
    self,
    path: str,
    format: Optional[str] = None,  # noqa: A002 (so is it called)
    checkpoint: Union[int, str, None] = None,
  ) -> None:
    """Writes the trained policy for those who have no tfacme; docs/serving.md tells how it is served.

    Args:
      path: a folder for a SavedModel, a file for all else.
      format: 'savedmodel', 'onnx' or 'tflite'; what it is converted to is checked on random observations. None is what
        the path's ending says (.onnx, .tflite), else 'savedmodel'.
      checkpoint: see `policy`.

    Raises:
      UserError: it does not convert to that format, and why; or the path can't be written.
    """
    chosen = exporting.format_of(path, format)
    with self._exported(checkpoint) as policy:
      if checkpoint is None:
        self.policy()  # Says so if there is none.
      exporting.export(policy, path, chosen)


def train(
  experiment: experiments.Experiment,
  workdir: Optional[str] = None,
  launch: str = 'inline',
  progress: bool = True,
  on_status: Optional[_Listener] = None,
  debug: bool = False,
  profile: profiling.Kind = False,
) -> Run:
  """Runs an experiment to its end; resumes from the last checkpoint if the folder has one of the same experiment.

  Args:
    experiment: what to run.
    workdir: the run's folder; None makes a temporary one.
    launch: 'inline', 'local_mt' or 'local_mp'.
    progress: whether to show progress on standard output.
    on_status: is called periodically with the counter's status; for a display of your own.
    debug: whether all of it runs eagerly, in one thread, so that `breakpoint()` and `print` work in an update, a loss,
      a policy and a network; for the engine `inline`.
    profile: whether a trace is left in the run's folder, and a table printed of where its time goes; 'times' leaves
      out the trace, which makes a run slower.

  Raises:
    UserError: the experiment does not fit together, or the folder belongs to another one.
    launching.NodeFailed: a node failed.
    launching.Interrupted: Ctrl-C or SIGTERM, after a checkpoint was written.
  """
  launching.check_debug(debug, launch)
  given = workdir or tempfile.mkdtemp(prefix='tfacme-')
  workdir = os.path.abspath(given)  # An environment may go to another folder.
  profiled = profiling.of_run(workdir, profile, apart=launch == 'local_mp')
  description = describing.describe(experiment, launch)
  stepped = stepping.stepping(experiment.seed) if debug else contextlib.nullcontext()
  with stepped, quiet.within_a_run(), _folder(workdir), _locked(workdir), contextlib.ExitStack() as begun:
    _check_same(workdir, description)
    checkpoint = checkpoints.latest(os.path.join(workdir, 'checkpoints'))
    steps = checkpoints.manifest(checkpoint)['steps'] if checkpoint else 0
    if checkpoint and _is_complete(checkpoint, experiment):
      if progress:
        print(reporting.complete(checkpoints.manifest(checkpoint)['ended']), flush=True)
      return _reported(Run(workdir), given, progress)
    description = {'id': _id(workdir) or secrets.token_hex(8), **description}
    logged = loggers.OfRun(experiment.loggers, loggers.Log.of_run(workdir, description, steps))
    # Finds what does not fit before anything is written.
    graph = program.make_program(experiment, workdir, checkpoint, logged, profiled)
    size = memory.check(graph, launch, experiment.layout.check_memory)
    _write_description(workdir, description, experiment)
    begun.enter_context(logged.running(experiment.checkpointing.stop_seconds))  # Now: a tracker begins a run with it.
    had_begun = _has_begun(workdir)
    _go_back_to(workdir, checkpoint, experiment.budget.unit)
    if progress:
      print(*filter(None, [reporting.opening(description, given), size]), sep='\n', flush=True)
    if progress and (checkpoint or had_begun):
      print(reporting.resuming(checkpoint, experiment.budget.steps, given), flush=True)
    out = rich.console.Console(file=sys.stdout).print if progress else lambda shown: None
    shown = _shown(progress, on_status, live=False if debug else None)
    with profiling.reported(profiled, out), shown as listen, _interrupted(workdir):
      launching.launch(graph, launch, listen)
  return _reported(Run(workdir), given, progress)


def _reported(run: Run, given: str, progress: bool) -> Run:
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
def _shown(progress: bool, on_status: Optional[_Listener], live: Optional[bool]) -> Iterator[Optional[_Listener]]:
  """Gives what listens to the statuses of a run: a display, the caller, both, or None."""
  if not progress:
    yield on_status
    return
  with display.Display(live=live) as shown:

    def listen(status: Dict[str, Any]) -> None:
      shown.update(status)
      if on_status is not None:
        on_status(status)

    yield listen


@contextlib.contextmanager
def _locked(workdir: str) -> Iterator[None]:
  """Locks the folder against other processes; the system releases the lock when this process ends, however it ends."""
  handle = os.open(workdir, os.O_RDONLY)
  try:
    try:
      fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise errors.UserError(
        f'Another process runs in the work directory {workdir}; wait for it, or give another folder.'
      ) from None
    yield
  finally:
    os.close(handle)


def load_run(workdir: str) -> Run:
  """The run in a folder."""
  return Run(workdir)


def load_policy(workdir: str, seed: int = 0) -> export.LoadedPolicy:
  """The trained policy of the run in a folder: `action = policy(observation)`."""
  return load_run(workdir).policy(seed)


@contextlib.contextmanager
def _folder(workdir: str) -> Iterator[None]:
  """Makes the run's folder, if it can be one; an error that is found later leaves no empty folder behind."""
  new = not os.path.exists(workdir)
  try:
    _check_folder(workdir)
    yield
  except errors.UserError:
    if new and os.path.isdir(workdir) and not os.listdir(workdir):
      os.rmdir(workdir)
    raise


def _check_folder(workdir: str) -> None:
  if os.path.exists(workdir) and not os.path.isdir(workdir):
    raise errors.UserError(f'The work directory {workdir} is a file; give a folder.')
  with errors.writing('The work directory', workdir):
    os.makedirs(workdir, exist_ok=True)
    with tempfile.TemporaryFile(dir=workdir):
      pass
  if not os.path.exists(os.path.join(workdir, _DESCRIPTION)) and os.path.exists(os.path.join(workdir, folder.INFO)):
    raise errors.UserError(f'The work directory {workdir} holds a data set; give a folder for the run.')


def _check_same(workdir: str, description: Dict[str, Any]) -> None:
  """Whether the folder's run, if it has one, is this one; one that left nothing makes room for another."""
  path = os.path.join(workdir, _DESCRIPTION)
  if not os.path.exists(path):
    return
  difference = describing.what_differs(Run(workdir).description, description)
  if difference is None:
    return
  if not os.path.isdir(os.path.join(workdir, 'checkpoints')) and not _has_begun(workdir):
    for left in (path, *_logs(workdir)):
      os.remove(left)
    return
  raise errors.UserError(f'The work directory {workdir} holds another experiment, with {difference}')


def _id(workdir: str) -> Optional[str]:
  """The id that the run in a folder has, which it keeps; None if there is none yet."""
  if not os.path.exists(os.path.join(workdir, _DESCRIPTION)):
    return None
  return Run(workdir).description.get('id')


def _is_complete(checkpoint: str, experiment: experiments.Experiment) -> bool:
  manifest, budget = checkpoints.manifest(checkpoint), experiment.budget.steps
  ended = counting.ended_within(os.path.join(checkpoint, 'counter'), budget)
  return manifest['complete'] and (manifest['steps'] >= budget or ended is not None)


def _write_description(workdir: str, description: Dict[str, Any], experiment: experiments.Experiment) -> None:
  pickles.write(os.path.join(workdir, _EXPERIMENT), experiment)
  path = os.path.join(workdir, _DESCRIPTION)
  with open(path + '.partial', 'w', encoding='utf-8') as file:
    json.dump(description, file, indent=2)
  os.replace(path + '.partial', path)


def _go_back_to(workdir: str, checkpoint: Optional[str], unit: str) -> None:
  """Removes from logs, checkpoints and the replay server's folder whatever was written after the checkpoint."""
  folder = os.path.join(workdir, 'checkpoints')
  if checkpoint:
    checkpoints.set_aside(folder, checkpoint)
  saved = os.path.join(checkpoint, 'replay') if checkpoint else None
  reverb_replay.prepare_restore(saved, os.path.join(workdir, reverb_replay.SERVER_FOLDER))
  checkpoints.remove_partial(folder)
  limits, counts = dict.fromkeys((unit, 'learner_steps'), -1), {}
  if checkpoint:
    saved_counter = os.path.join(checkpoint, 'counter')
    counts = counting.saved_counts(saved_counter)
    limits[unit] = counting.saved_total(saved_counter, unit)
    limits['learner_steps'] = learning.saved_steps(os.path.join(checkpoint, 'learner'))
  for path in _logs(workdir):
    _cut_log(path, limits, counts.get(os.path.splitext(os.path.basename(path))[0], {}))
  keeping.keep_logged(workdir, [row for path in _logs(workdir) for row in loggers.read(path)])


def _cut_log(path: str, limits: Mapping[str, int], counts: Mapping[str, int]) -> None:
  """Drops the rows of a log that came after a checkpoint, which has these counts of the run and of the log's node."""
  columns = next(iter(loggers.read(path)), {})
  if 'evaluator_episodes' in columns:  # By its own count: an evaluation that began before it may have ended after it.
    limits = {'evaluator_episodes': counts.get('evaluator_episodes', 0)}
  # What came after it has higher counts; rows of the learner's log may share the actors' count.
  for count, limit in limits.items():
    if count in columns:  # What an agent's own node logs may have none; then it stays.
      loggers.keep_until(path, count, limit)


def _has_begun(workdir: str) -> bool:
  """Whether a log has a row."""
  return any(loggers.read(path) for path in _logs(workdir))


def _logs(workdir: str) -> Sequence[str]:
  return glob.glob(os.path.join(glob.escape(workdir), 'logs', '*.csv'))
