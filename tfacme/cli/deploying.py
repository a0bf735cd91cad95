"""`tfacme deploy`: the files with which a cluster runs what `tfacme train` would."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Sequence

from tfacme import environments, errors, experiments
from tfacme.cli import listing, training
from tfacme.cli import options as options_lib
from tfacme.deploying import jobs, kubernetes, slurm


@dataclasses.dataclass(frozen=True)
class _Out:
  """Where the files go.

  Attributes:
    out: the folder that the files are written into; none of them may be there.
  """

  out: str


@dataclasses.dataclass(frozen=True)
class _DeployOptions(options_lib.TrainOptions, _Out):
  launch: options_lib.Engine = 'ray'


_DeployOptions.__doc__ = options_lib.docstring(
  'Writes files with which a cluster runs what `tfacme train` would with the same options: see docs/deploying.md.',
  _Out,
  options_lib.Task,
  options_lib.RecordedData,
  options_lib.RunOptions,
)


class _Kind(NamedTuple):
  cluster: Any  # what it is by default
  files: Callable[[jobs.Job, Any], Dict[str, str]]
  asked: Callable[[jobs.Job, Any], str]
  summary: str
  start: str


_KINDS: Dict[str, _Kind] = {
  'kubernetes': _Kind(
    kubernetes.Cluster(),
    kubernetes.files,
    kubernetes.asked,
    'a RayJob of KubeRay',
    'kubectl apply -f {out}, with the image {cluster.image},',
  ),
  'slurm': _Kind(slurm.Cluster(), slurm.files, slurm.asked, 'a batch script', 'sbatch {out}/run.sbatch'),
}


def run(arguments: Sequence[str]) -> None:
  """Runs the command.

  Raises:
    errors.UserError: for options that `tfacme train` would refuse by themselves, for those that a cluster of that kind
      can't have, and for files that are there already.
  """
  if not arguments:
    raise errors.UserError(f'tfacme deploy needs the kind of cluster first: {" or ".join(_KINDS)}.')
  if arguments[0] in ('-h', '--help'):
    rows = [(f'{name} AGENT --env ID --out DIR', kind.summary) for name, kind in _KINDS.items()]
    print('\n'.join(['usage: tfacme deploy KIND AGENT ...', '', 'kinds:', *listing.columns(rows)]))
    return
  if arguments[0] not in _KINDS:
    raise errors.unknown('kind of cluster', arguments[0], _KINDS, f'there are {" and ".join(_KINDS)}.')
  command, kind = f'deploy {arguments[0]}', _KINDS[arguments[0]]
  agent = listing.agent(command, arguments[1:])
  if agent is None:
    return
  options = training.parse(agent, arguments[2:], _DeployOptions, f'tfacme {command}', cluster=kind.cluster)
  if options.launch != 'ray':
    raise errors.UserError(f'A cluster runs it with --launch ray: leave --launch {options.launch} out.')
  options_lib.budget(options.steps, options.learner_steps, options.dataset)
  environments.factory(options.env, options.environment)
  options_lib.observers(options.score)
  job = _job(agent, arguments[1:], options)
  _write(options.out, kind.files(job, options.cluster))
  print(f'{kind.asked(job, options.cluster)} Written in {options.out};')
  print(f'{kind.start.format(out=options.out, cluster=options.cluster)} starts it')


def _job(agent: str, arguments: Sequence[str], options: Any) -> jobs.Job:
  """What runs on the cluster: the command line without what is for this command alone."""
  workdir = options.workdir or options_lib.default_workdir(agent, options.env, options.seed)
  own = [] if options.workdir else ['--workdir', workdir]
  if options.checkpointing.stop_seconds == experiments.Checkpointing().stop_seconds:  # That is for who waits for it.
    own += ['--checkpointing.stop-seconds', str(jobs.STOP_SECONDS)]
  return jobs.Job(
    name=options.cluster.name or jobs.named(os.path.basename(os.path.normpath(workdir))),
    command=('tfacme', 'train', *_without_ours(arguments), '--launch', options.launch, *own),
    workdir=workdir,
    layout=options.layout,
    acts=options.learner_steps is None,
    written=tuple(f'--{name}' for name in ('record', 'bsuite_results') if getattr(options, name) is not None),
  )


def _without_ours(arguments: Sequence[str]) -> List[str]:
  kept: List[str] = []
  ours = False
  for argument in arguments:
    if argument.startswith('--'):
      ours = argument.partition('=')[0] in ('--out', '--launch') or argument.startswith('--cluster.')
    if not ours:
      kept.append(argument)
  return kept


def _write(folder: str, files: Mapping[str, str]) -> None:
  paths = {os.path.join(folder, name): text for name, text in files.items()}
  there = [path for path in paths if os.path.lexists(path)]
  if there:
    raise errors.UserError(f'There is {errors.listed(there)} already: remove that, or give another folder (--out).')
  for path, text in paths.items():
    with errors.writing_file('The file', path), open(path, 'w', encoding='utf-8') as file:
      file.write(text)
