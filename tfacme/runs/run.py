"""A run: what `train` does with an experiment and a folder, and what it leaves there."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import glob
import json
import os
import platform
import secrets
import sys
import tempfile
from importlib import metadata
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Sequence, Tuple, Union

import cloudpickle
import rich.console

from tfacme import checkpoints, core, errors, experiments, importing, launching, loggers, seeds, specs
from tfacme.datasets import folder
from tfacme.debugging import profiling, stepping
from tfacme.environments import mujoco_settings
from tfacme.graph import building, program
from tfacme.launching import quiet
from tfacme.replay import reverb_replay
from tfacme.runs import display, exporting, memory, naming, reporting
from tfacme.workers import counting, environment_loop, export, keeping, learning, playing

_Listener = Callable[[Dict[str, Any]], None]

_DESCRIPTION = 'experiment.json'
_ENVIRONMENT = 'environment.pkl'
_EXPERIMENT = 'experiment.pkl'
_LARGE = 1 << 24  # bytes; a data set that is larger when it is pickled is not kept in the run's folder
_PACKAGES = ('tensorflow', 'dm-reverb', 'dm-launchpad-nightly', 'dm-sonnet', 'numpy')


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
      player = playing.Player('The evaluation', environments, spec, max_episode_steps)
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
    if checkpoint is None:
      return export.LoadedPolicy(os.path.join(self.workdir, 'policy'), seed)
    if not str(checkpoint).isdigit():
      return self._kept(str(checkpoint), seed)
    alone = self._learner(int(checkpoint))
    with tempfile.TemporaryDirectory() as folder:
      alone.export(folder, int(checkpoint))
      return export.LoadedPolicy(folder, seed)

  def _kept(self, name: str, seed: int) -> export.LoadedPolicy:
    path = keeping.kept(self.workdir, name)
    if not os.path.isdir(path):
      prefix = os.path.join(glob.escape(self.workdir), 'policy-')
      there = [os.path.basename(place).removeprefix('policy-') for place in glob.glob(f'{prefix}*')]
      raise errors.unknown(
        'policy', name, there, f'{self.workdir} has kept {errors.listed(there)}; a checkpoint is named by its steps.'
      )
    return export.LoadedPolicy(path, seed)

  @property
  def ended(self) -> Optional[str]:
    """Why the run ended before its budget was spent, as `on_evaluation` said; None if it did not."""
    return checkpoints.ended(os.path.join(self.workdir, 'checkpoints'))

  def checkpoints(self) -> Sequence[int]:
    """The steps at which the run has a checkpoint."""
    return checkpoints.steps(os.path.join(self.workdir, 'checkpoints'))

  def experiment(self) -> experiments.Experiment:
    """What was run; without a data set that is too large to be kept in the run's folder."""
    importing.search_current_folder()
    return _unpickled(os.path.join(self.workdir, _EXPERIMENT), 'experiment')

  def learner(self, checkpoint: Optional[int] = None, dataset: Any = None) -> learning.Learner:
    """The learner as it was at a checkpoint: `learner.read()` is a batch, `learner.update(batch)` a learning step.

    Args:
      checkpoint: its steps; None is the newest one.
      dataset: the recorded data of the run, if they were too large to be kept in its folder.

    Raises:
      UserError: there is no such checkpoint.
    """
    return self._learner(checkpoint, dataset).learner

  def _learner(self, checkpoint: Optional[int], dataset: Any = None) -> building.Alone:
    path = checkpoints.at(os.path.join(self.workdir, 'checkpoints'), checkpoint)
    experiment = self.experiment()
    if dataset is not None:
      experiment = dataclasses.replace(experiment, dataset=dataset)
    elif self.description['dataset'] is not None and experiment.dataset is None:
      raise errors.UserError(f'The recorded data of {self.workdir} are not kept in its folder: give them as `dataset`.')
    return building.Alone(experiment, path)

  def networks(self, checkpoint: Optional[int] = None) -> Any:
    """The agent's networks with the variables of a checkpoint; None is the newest one."""
    return self.learner(checkpoint).networks

  def environment(self, seed: int = 0) -> Any:
    """A new environment like the one that it was trained in."""
    mujoco_settings.prepare()
    importing.search_current_folder()
    return specs.make_environment(
      _unpickled(os.path.join(self.workdir, _ENVIRONMENT), 'environment'), seed, 'evaluator'
    )

  def export(self, path: str, format: str = 'savedmodel') -> None:  # noqa: A002 (so is it called)
    """Writes the trained policy for those who have no tfacme; docs/serving.md tells how it is served.

    Args:
      path: a folder for a SavedModel, a file for all else.
      format: 'savedmodel', 'onnx' or 'tflite'; what it is converted to is checked on random observations.

    Raises:
      UserError: it does not convert to that format, and why; or the path can't be written.
    """
    self.policy()  # Says so if there is none.
    exporting.export(os.path.join(self.workdir, 'policy'), path, format)


def train(
  experiment: experiments.Experiment,
  workdir: Optional[str] = None,
  launch: str = 'inline',
  progress: bool = True,
  on_status: Optional[_Listener] = None,
  debug: bool = False,
  profile: bool = False,
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
    profile: whether a trace is left in the run's folder, and a table printed of where its time goes.

  Raises:
    UserError: the experiment does not fit together, or the folder belongs to another one.
    launching.NodeFailed: a node failed.
    launching.Interrupted: Ctrl-C or SIGTERM, after a checkpoint was written.
  """
  launching.check_debug(debug, launch)
  given = workdir or tempfile.mkdtemp(prefix='tfacme-')
  workdir = os.path.abspath(given)  # An environment may go to another folder.
  description = describe(experiment, launch)
  stepped = stepping.stepping(experiment.seed) if debug else contextlib.nullcontext()
  with stepped, _quiet(), _folder(workdir, description), _locked(workdir):
    checkpoint = checkpoints.latest(os.path.join(workdir, 'checkpoints'))
    steps = checkpoints.manifest(checkpoint)['steps'] if checkpoint else 0
    if checkpoint and _is_complete(checkpoint, experiment):
      if progress:
        print('Nothing is left to do: the run is complete', flush=True)
      return _reported(Run(workdir), given, progress)
    description = {'id': _id(workdir) or secrets.token_hex(8), **description}
    log = loggers.Log.of_run(workdir, description)
    profiled = profiling.Profile(os.path.join(workdir, profiling.FOLDER), launch == 'local_mp') if profile else None
    # Finds what does not fit before anything is written.
    graph = program.make_program(experiment, workdir, checkpoint, log, profiled)
    size = memory.check(graph, launch, experiment.layout.check_memory)
    _write_description(workdir, description, experiment)
    had_begun = any(loggers.read(path) for path in _logs(workdir))
    _go_back_to(workdir, checkpoint, experiment.budget.unit)
    if progress:
      print(*filter(None, [reporting.opening(description, given), size]), sep='\n', flush=True)
    if checkpoint and progress:
      more = '' if steps < experiment.budget.steps else ', its whole budget: it learns from what is left and evaluates'
      print(f'Resuming from step {steps:,} of {given}{more}', flush=True)
    elif had_begun and progress:
      print(f'Starting over in {given}, whose run wrote no checkpoint', flush=True)
    out = rich.console.Console(file=sys.stdout).print if progress else lambda shown: None
    shown = _shown(progress, on_status, live=False if debug else None)
    logged = loggers.running(experiment.loggers, log)
    with profiling.reported(profiled, out), logged, shown as listen, _interrupted(workdir):
      launching.launch(graph, launch, listen)
  return _reported(Run(workdir), given, progress)


def _reported(run: Run, given: str, progress: bool) -> Run:
  """The run, after a line on its result if progress is shown."""
  if progress:
    print(reporting.result(run.workdir, run.description, run.ended, given), flush=True)
  return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Keeps away what TensorFlow notes, if it was imported before tfacme could tell it not to."""
  with contextlib.ExitStack() as stack:
    if sys.modules['tfacme']._TENSORFLOW_CAME_FIRST:  # Looked up, since this is a part of it.
      stack.enter_context(quiet.filtered_stderr())
    yield


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


def describe(experiment: experiments.Experiment, launch: str) -> Dict[str, Any]:
  """An experiment as plain values, with the versions of the packages."""
  builder = experiment.builder
  description = {
    'agent': experiment.agent,
    'config': _config(builder),
    'builder': _builder(builder),
    'environment': naming.name(experiment.environment),
    'networks': naming.name(experiment.networks),
    'network_options': _options(experiment.networks),
    'stack': experiment.stack,
    'seed': experiment.seed,
    'dataset': None if experiment.dataset is None else naming.name(experiment.dataset),
    'loggers': [naming.name(logger) for logger in experiment.loggers],
    'observers': [naming.name(observer) for observer in experiment.observers],
    'on_evaluation': None if experiment.on_evaluation is None else naming.name(experiment.on_evaluation),
    'start': None if experiment.start is None else os.fspath(experiment.start),
    'budget': {experiment.budget.unit: experiment.budget.steps},
    'launch': launch,
    **{part: core.describe(getattr(experiment, part)) for part in ('layout', 'checkpointing', 'logging')},
    'evaluations': [_describe_evaluation(evaluation) for evaluation in experiment.evaluations],
    'command': sys.argv,
    'versions': {
      'python': platform.python_version(),
      **{package: metadata.version(package) for package in _PACKAGES},
    },
  }
  # What is infinite is a string there: JSON has no such number, and not every reader takes Python's.
  return json.loads(json.dumps(description, default=naming.name), parse_constant=str)


def _builder(builder: core.Builder) -> Dict[str, Any]:
  """What a builder is made of beside its config, by the names of its fields."""
  fields = {field.name: getattr(builder, field.name) for field in dataclasses.fields(builder)}
  fields.pop('config', None)
  return {'type': type(builder).__name__, **{name: _part(part) for name, part in fields.items()}}


def _part(part: Any) -> Any:
  """A field of a builder, which may be a builder itself: with its config then, if it has one."""
  return {'config': _config(part), **_builder(part)} if isinstance(part, core.Builder) else part


def _config(builder: core.Builder) -> Dict[str, Any]:
  return core.describe(getattr(builder, 'config', None))


def _options(networks: Any) -> Optional[Dict[str, Any]]:
  """What networks are made with, for those who make such again; None if that can't be told."""
  if not dataclasses.is_dataclass(networks) or isinstance(networks, type):
    return None
  return {field.name: _plain(getattr(networks, field.name)) for field in dataclasses.fields(networks)}


def _plain(value: Any) -> Any:
  """A value as JSON has it; what that has not is called by its name."""
  if isinstance(value, (list, tuple)):
    return [_plain(part) for part in value]
  return value if value is None or isinstance(value, (bool, int, float, str)) else naming.name(value)


def _describe_evaluation(evaluation: experiments.Evaluation) -> Dict[str, Any]:
  environment = evaluation.environment
  numbers = core.describe(dataclasses.replace(evaluation, environment=None))
  return {**numbers, 'environment': None if environment is None else naming.name(environment)}


@contextlib.contextmanager
def _folder(workdir: str, description: Dict[str, Any]) -> Iterator[None]:
  """Makes the run's folder, if it can be this run's; an error that is found later leaves no empty folder behind."""
  new = not os.path.exists(workdir)
  try:
    _check_folder(workdir, description)
    yield
  except errors.UserError:
    if new and os.path.isdir(workdir) and not os.listdir(workdir):
      os.rmdir(workdir)
    raise


def _check_folder(workdir: str, description: Dict[str, Any]) -> None:
  if os.path.exists(workdir) and not os.path.isdir(workdir):
    raise errors.UserError(f'The work directory {workdir} is a file; give a folder.')
  with errors.writing('The work directory', workdir):
    os.makedirs(workdir, exist_ok=True)
    with tempfile.TemporaryFile(dir=workdir):
      pass
  if not os.path.exists(os.path.join(workdir, _DESCRIPTION)):
    if os.path.exists(os.path.join(workdir, folder.INFO)):
      raise errors.UserError(f'The work directory {workdir} holds a data set; give a folder for the run.')
    return
  there = Run(workdir).description
  before, now = experiments.identity(there), experiments.identity(description)
  for key in now:
    difference = _difference(key, before[key], now[key])
    if difference:
      name, old, new = difference
      raise errors.UserError(
        f'The work directory {workdir} holds another experiment, with {name} {_shorten(repr(old))} where this one has '
        f'{_shorten(repr(new))}; give another folder.{_why(old, new, there["budget"] != description["budget"])}'
      )


def _why(old: Any, new: Any, extended: bool) -> str:
  """What may be behind a difference that the user did not ask for: a page may compute where a schedule ends."""
  if not (extended and _is_line(old) and _is_line(new) and old[:2] == new[:2]):
    return ''
  return " (The steps of the run differ too: a schedule that ends at a share of them, such as '100%', stays the same.)"


def _is_line(value: Any) -> bool:
  """Whether a plain value is a schedule with a start, an end and a length."""
  return isinstance(value, list) and len(value) == 3 and all(isinstance(part, (int, float)) for part in value)


def _difference(name: str, old: Any, new: Any) -> Optional[Tuple[str, Any, Any]]:
  """The innermost name under which two nests of plain values differ, with both values; None if they are the same."""
  if not (isinstance(old, dict) and isinstance(new, dict)):
    return None if old == new else (name, old, new)
  differences = (_difference(f'{name}.{key}', old.get(key), new.get(key)) for key in {**old, **new})
  return next((difference for difference in differences if difference), None)


def _shorten(text: str) -> str:
  return text if len(text) < 200 else text[:200] + ' ...'


def _id(workdir: str) -> Optional[str]:
  """The id that the run in a folder has, which it keeps; None if there is none yet."""
  if not os.path.exists(os.path.join(workdir, _DESCRIPTION)):
    return None
  return Run(workdir).description.get('id')


def _is_complete(checkpoint: str, experiment: experiments.Experiment) -> bool:
  manifest = checkpoints.manifest(checkpoint)
  return manifest['complete'] and (manifest['steps'] >= experiment.budget.steps or manifest.get('ended') is not None)


def _write_description(workdir: str, description: Dict[str, Any], experiment: experiments.Experiment) -> None:
  _write_pickled(os.path.join(workdir, _ENVIRONMENT), _pickled(experiment.environment, 'What makes the environment'))
  if experiment.dataset is not None and not _is_small(experiment.dataset):
    experiment = dataclasses.replace(experiment, dataset=None)
  _write_pickled(os.path.join(workdir, _EXPERIMENT), _pickled(experiment, 'The experiment'))
  path = os.path.join(workdir, _DESCRIPTION)
  with open(path + '.partial', 'w', encoding='utf-8') as file:
    json.dump(description, file, indent=2)
  os.replace(path + '.partial', path)


def _is_small(part: Any) -> bool:
  """Whether something is little when it is pickled; of what is large, no more is pickled than shows that."""
  try:
    cloudpickle.dump(part, _Scales())
  except _LargeError:
    return False
  except Exception:  # What can't be pickled is told of where it is to be kept.
    return True
  return True


class _LargeError(Exception):
  """More was written than is small."""


class _Scales:
  """A file that weighs what is written into it, and keeps none of it."""

  def __init__(self):
    self._bytes = 0

  def write(self, data: Any) -> None:
    """Weighs it."""
    self._bytes += memoryview(data).nbytes
    if self._bytes > _LARGE:
      raise _LargeError()


def _pickled(part: Any, what: str) -> bytes:
  try:
    return cloudpickle.dumps(part)
  except Exception as error:
    raise errors.UserError(
      f'{what} can not be pickled: {error}; keep open files, locks and generators out of it.'
    ) from error


def _write_pickled(path: str, packed: bytes) -> None:
  with open(path + '.partial', 'wb') as file:
    file.write(packed)
  os.replace(path + '.partial', path)


def _unpickled(path: str, what: str) -> Any:
  """What a run has written into a file."""
  with open(path, 'rb') as file:
    packed = file.read()
  try:
    return cloudpickle.loads(packed)
  except ModuleNotFoundError as error:
    raise errors.UserError(
      f'The {what} of {os.path.dirname(path)} is from the module {error.name!r}, which can not be found; run in its '
      'folder, or install its package.'
    ) from error


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


def _cut_log(path: str, limits: Mapping[str, int], counts: Mapping[str, int]) -> None:
  """Drops the rows of a log that came after a checkpoint, which has these counts of the run and of the log's node."""
  columns = next(iter(loggers.read(path)), {})
  if 'evaluator_episodes' in columns:  # By its own count: an evaluation that began before it may have ended after it.
    limits = {'evaluator_episodes': counts.get('evaluator_episodes', 0)}
  # What came after it has higher counts; rows of the learner's log may share the actors' count.
  for count, limit in limits.items():
    if count in columns:  # What an agent's own node logs may have none; then it stays.
      loggers.keep_until(path, count, limit)


def _logs(workdir: str) -> Sequence[str]:
  return glob.glob(os.path.join(glob.escape(workdir), 'logs', '*.csv'))
