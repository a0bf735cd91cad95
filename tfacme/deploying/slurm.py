"""A script for Slurm: Ray on all hosts of a job, the run on the first, and the job again where its time ends."""

from __future__ import annotations

import dataclasses
import math
import re
import string
from typing import Dict, Optional

from tfacme import errors
from tfacme.deploying import jobs
from tfacme.launching import room


@dataclasses.dataclass(frozen=True)
class Cluster:
  """What the job asks for.

  Attributes:
    name: of the job. None is made of the run's folder.
    cpus: processors of each host; the learner and what is with it take some of the first, and each actor one, or
      --actor-processors.
    gpus: GPUs of each host, for the roles that --gpus names; 0 asks for none.
    memory: GB of each host, which --actor-memory needs; 0 leaves it uncounted.
    head_memory: GB of the first host, of these, that are for the learner, the replay and the evaluations.
    time: after which Slurm ends the job, as --time of sbatch has it, such as 12:00:00; the run saves itself two minutes
      before, and the job queues again.
  """

  name: Optional[str] = None
  cpus: int = 16
  gpus: int = 0
  memory: int = 0
  head_memory: int = 16
  time: str = '24:00:00'

  def __post_init__(self):
    errors.count('--cluster.cpus', self.cpus)
    errors.count('--cluster.gpus', self.gpus, low=0)
    errors.count('--cluster.memory', self.memory, low=0)
    errors.count('--cluster.head_memory', self.head_memory, low=0)
    if not re.fullmatch(r'\d+(-\d+(:\d+){0,2}|(:\d+){0,2})', self.time):
      raise errors.UserError(f'--cluster.time is {self.time!r}, and has to be as 12:00:00, or 2-12 for days and hours.')


def files(job: jobs.Job, cluster: Cluster) -> Dict[str, str]:
  """The text of the script, by its name.

  Raises:
    errors.UserError: if no host has what an actor takes.
  """
  if job.layout.actor_memory and not cluster.memory:
    raise errors.UserError('--actor-memory needs --cluster.memory: how many GB each host has.')
  if job.learner_threads > cluster.cpus:
    raise errors.UserError(
      f'The learner has {job.learner_threads} threads (--learner-threads), and a host {cluster.cpus} processors: say '
      'how many it has (--cluster.cpus).'
    )
  values = {
    'name': job.name,
    'command': job.line,
    'time': cluster.time,
    'cpus': cluster.cpus,
    'here': math.ceil(_actors_here(job, cluster) * job.layout.actor_processors),
    'gpus': f'\n#SBATCH --gpus-per-node={cluster.gpus}' if cluster.gpus else '',
    'hosts': _hosts(job, cluster),
    'memory': f' --memory={cluster.memory * room.GB}' if cluster.memory else '',
    'memory_here': f' --memory={_memory_here(cluster)}' if cluster.memory else '',
  }
  return {'run.sbatch': string.Template(_SCRIPT).substitute(values)}


def asked(job: jobs.Job, cluster: Cluster) -> str:
  """What the script asks for, in a sentence."""
  hosts, cpus = errors.counted(_hosts(job, cluster), 'host'), errors.counted(cluster.cpus, 'processor')
  return f'It asks for {hosts} of {cpus}, for {errors.counted(job.actors, "actor")}, the learner and what is with it.'


def _memory_here(cluster: Cluster) -> int:
  """Bytes of the first host that are for actors."""
  return max(0, cluster.memory - cluster.head_memory) * room.GB


def _actors_here(job: jobs.Job, cluster: Cluster) -> int:
  """How many actors the first host has room for."""
  cpus, gpus = cluster.cpus - job.cpus, cluster.gpus - job.computes_here
  return job.needs.room([{'CPU': cpus, 'GPU': gpus, 'memory': _memory_here(cluster)}])


def _hosts(job: jobs.Job, cluster: Cluster) -> int:
  """How many hosts the run takes."""
  host = {'CPU': cluster.cpus, 'GPU': cluster.gpus, 'memory': cluster.memory * room.GB}
  return 1 + job.hosts(job.actors - _actors_here(job, cluster), host)


_SCRIPT = """\
#!/usr/bin/env bash
# The run on a Ray cluster of this job's hosts. Hand it in from where the run's folder is to be, on a disk that outlives
# the job: sbatch run.sbatch
# To stop it so that it saves itself: scancel --batch --signal=TERM JOB. `scancel JOB` ends all processes at once.
#SBATCH --job-name=$name
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
#SBATCH --nodes=$hosts
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=$cpus
#SBATCH --mem=0$gpus
#SBATCH --time=$time
# Hosts are this job's alone. Other users of the cluster reach the ports of the run all the same (docs/security.md).
#SBATCH --exclusive
# Slurm begins the job anew where it has lost a host; where the time ends, it tells this script two minutes before.
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
# To change: add what your cluster wants, such as --partition and --account.
set -euo pipefail

# To change: what makes `tfacme`, `ray` and their `python` known on each host, unless that is so where sbatch is called.
# source /path/to/env/bin/activate

first=$$SLURMD_NODENAME
export RAY_USAGE_STATS_ENABLED=0
trap 'ray stop' EXIT
# As many processors as are left for actors, beside the learner and all else that runs with the command.
ray start --head --port=6379 --num-cpus=$here$memory_here --include-dashboard=false
export RAY_ADDRESS=$$first:6379
for host in $$(scontrol show hostnames "$$SLURM_JOB_NODELIST"); do
  [[ $$host != "$$first" ]] || continue
  srun --nodes=1 --ntasks=1 --nodelist="$$host" --cpus-per-task=$cpus \\
    ray start --address="$$RAY_ADDRESS" --num-cpus=$cpus$memory --block &
done

# A run is refused that begins before there is room for all of its actors.
python - "$$SLURM_JOB_NUM_NODES" << 'END'
import sys, time
import ray

ray.init(logging_level='ERROR')
wanted = int(sys.argv[1])
for second in range(600):
  there = sum(host['Alive'] for host in ray.nodes())
  if there == wanted:
    sys.exit()
  if second % 10 == 9:
    print(f'{there} of {wanted} hosts are there', flush=True)
  time.sleep(1)
sys.exit(f'Ray has not come to {wanted} hosts in ten minutes: the lines above say what srun met.')
END

$command &
command=$$!
notices=0
pass() {
  notices=$$((notices + 1))
  reason=$$1
  kill -TERM "$$command" || true  # the command alone: Ray's processes, and so the learner's, have to be there to save
}
trap 'pass time' USR1
trap 'pass stop' TERM
until
  seen=$$notices
  code=0
  wait "$$command" || code=$$?  # a notice ends the waiting, and not the command
  [[ $$notices == "$$seen" ]]
do :; done

# 143 is that SIGTERM ended it. The same command goes on from its last checkpoint.
if [[ $${reason:-} == time && $$code == 143 ]]; then
  trap 'ray stop; scontrol requeue "$$SLURM_JOB_ID"' EXIT
fi
exit "$$code"
"""
