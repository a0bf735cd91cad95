"""Files for Kubernetes: a `RayJob` of the KubeRay operator, the volume of its folder, and who reaches its ports.

They are text, with comments where somebody may have to change something. The fields of the RayJob are those of
`ray.io/v1` in KubeRay 1.2 and later.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import string
import textwrap
from typing import Any, Dict, Mapping, Optional

from tfacme import errors
from tfacme.deploying import jobs
from tfacme.launching import room

_FOLDER = '/work'  # where the volume is, in the pod of the command
_GIB = 2**30  # bytes
_MEMORY = 2  # GiB of an actor that says nothing of it
_FOR_RAY = 1  # GiB of a pod of actors, for Ray itself


@dataclasses.dataclass(frozen=True)
class Cluster:
  """What the pods are to be.

  Attributes:
    name: of the job, its volume and its network policy. None is made of the run's folder.
    image: of all pods, with tfacme, Ray and what the run imports: as docs/deploying.md builds it, under the name that
      the cluster pulls it by.
    cpus: processors of a pod of actors at most; each actor takes one, or --actor-processors.
    gpus: GPUs of a host, for the roles that --gpus names; 0 asks for none.
    memory: GiB for each actor. None is what --actor-memory has, and at least 2.
    head_memory: GiB of the pod with the learner, the replay and the evaluations.
    disk: GiB of the volume, which holds the run's folder: mostly its checkpoints.
    retries: how often a run that failed is begun again in new pods, from its last checkpoint.
  """

  name: Optional[str] = None
  image: str = 'tfacme:latest'
  cpus: int = 4
  gpus: int = 0
  memory: Optional[int] = None
  head_memory: int = 16
  disk: int = 50
  retries: int = 3

  def __post_init__(self):
    for name in ('cpus', 'head_memory', 'disk', *(['memory'] if self.memory is not None else [])):
      errors.count(f'--cluster.{name}', getattr(self, name))
    for name in ('gpus', 'retries'):
      errors.count(f'--cluster.{name}', getattr(self, name), low=0)


def files(job: jobs.Job, cluster: Cluster) -> Dict[str, str]:
  """The text of each file, by its name.

  Raises:
    errors.UserError: if the run's folder would not be in the volume, if actors would write files that are gone with
      their pods, or if no pod has what one of them takes.
  """
  if job.written:
    raise errors.UserError(
      f'{" and ".join(job.written)} has each actor write on its own host, and what is in a pod of actors is gone with '
      'it: leave that out, or record the policy afterwards (tfacme record).'
    )
  if not os.path.normpath(os.path.join(_FOLDER, job.workdir)).startswith(f'{_FOLDER}/'):
    raise errors.UserError(
      f'--workdir is {job.workdir}, and the volume is at {_FOLDER}, the current folder there: give a folder in it, '
      'such as runs/NAME.'
    )
  values = {
    'name': json.dumps(job.name),  # JSON is YAML
    'image': json.dumps(cluster.image),
    'folder': _FOLDER,
    'command': job.line,
    'retries': cluster.retries,
    'disk': cluster.disk,
    'cpus': job.cpus,
    'memory': cluster.head_memory,
    'gpus': _gpus(1 if cluster.gpus and job.computes_here else 0),
  }
  values['workers'] = _workers(job, cluster, values)
  texts = {'volume.yaml': _VOLUME, 'network.yaml': _NETWORK, 'rayjob.yaml': _RAY_JOB}
  return {name: _filled(text, values) for name, text in texts.items()}


def asked(job: jobs.Job, cluster: Cluster) -> str:
  """What the files ask for, in a sentence."""
  pods = _pods(job, cluster)
  of_actors = f' and {errors.counted(pods, "pod")} for {errors.counted(job.actors, "actor")}' if pods else ''
  return f'They ask for a pod of {errors.counted(job.cpus, "processor")} for the command{of_actors}.'


def _pods(job: jobs.Job, cluster: Cluster) -> int:
  """How many pods the actors take."""
  return job.hosts(job.actors, {'CPU': cluster.cpus, 'GPU': cluster.gpus, 'memory': math.inf})


def _workers(job: jobs.Job, cluster: Cluster, values: Mapping[str, Any]) -> str:
  """The pods of actors, which are spread over them evenly."""
  needed = job.layout.actor_memory * room.GB / _GIB
  memory = max(_MEMORY, math.ceil(needed)) if cluster.memory is None else cluster.memory
  if needed > memory:
    raise errors.UserError(
      f'Each actor takes {job.layout.actor_memory:g} GB (--actor-memory), and --cluster.memory is {memory} GiB for '
      'each: leave that out, or give it as much.'
    )
  pods = _pods(job, cluster)
  if not pods:
    return ' []'
  actors = math.ceil(job.actors / pods)
  own = {
    'cpus': math.ceil(actors * job.layout.actor_processors),
    'memory': actors * memory + _FOR_RAY,
    'counted': actors * memory * _GIB,
    'gpus': _gpus(actors * job.acts_on_gpus),
  }
  return _filled(_WORKERS, {**values, **own, 'pods': pods}).rstrip()


def _gpus(count: int) -> str:
  """What asks for GPUs, beside the limit of memory."""
  return f', nvidia.com/gpu: {count}' if count else ''


def _filled(text: str, values: Mapping[str, Any]) -> str:
  text = re.sub(r'^( *)\$pod$', lambda found: textwrap.indent(_POD, found[1]), text, flags=re.MULTILINE)
  return string.Template(text).substitute(values)


# Of all pods: what KubeRay's operator does for them needs no account of theirs, and the image has this user.
_POD = """\
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000"""

_VOLUME = """\
# The volume of the run's folder, which only the pod of the command has. It has a file of its own, so that the run is
# still there when the job is deleted (kubectl delete -f rayjob.yaml).
# To change: its size, and storageClassName if the cluster has no default class. If several attempts must never have it
# at once, and its driver knows that mode: ReadWriteOncePod.
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: $name
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: ${disk}Gi
"""

_NETWORK = """\
# Who reaches the pods of this run: they themselves, and KubeRay's operator, which asks Ray's dashboard how the job is.
# All other connections are refused if the cluster's network plugin enforces policies; some do not, and say nothing.
# To change: the label, if your operator has another one (kubectl get pods -A --show-labels).
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: $name
spec:
  podSelector:
    matchLabels: {tfacme-run: $name}
  policyTypes: [Ingress]
  ingress:
    - from:
        - podSelector:
            matchLabels: {tfacme-run: $name}
    - from:
        - namespaceSelector: {}
          podSelector:
            matchLabels:
              app.kubernetes.io/component: kuberay-operator
      ports:
        - port: 8265
"""

_RAY_JOB = """\
# The run as a RayJob of KubeRay: one pod has the command, with the learner, the replay and the volume; the others have
# the actors. volume.yaml and network.yaml come first: kubectl apply -f . does all three in any order.
# To change: the image (a name that the cluster can pull), memory, and, where pods may not go anywhere, nodeSelector and
# tolerations in both templates, as nodes with GPUs often need them.
apiVersion: v1
kind: ConfigMap
metadata:
  name: $name
data:
  # The arguments are here and not in the entrypoint, which goes through shells that take quotes away.
  run.sh: |
    echo $$$$ > /tmp/tfacme.pid
    cd $folder
    exec $command
---
apiVersion: ray.io/v1
kind: RayJob
metadata:
  name: $name
spec:
  # Without entrypointNumCpus and the like: with them the command could go to another pod than the volume.
  entrypoint: bash /etc/tfacme/run.sh
  # How often a run that failed is begun again, in new pods; it goes on from its last checkpoint.
  backoffLimit: $retries
  shutdownAfterJobFinishes: true
  ttlSecondsAfterFinished: 600
  # The pod that hands in the job, and has the output of the run: kubectl logs -f job/NAME.
  submitterPodTemplate:
    metadata:
      labels: {tfacme-run: $name}
    spec:
      $pod
      restartPolicy: Never
      containers:
        - name: submitter
          image: $image
          resources:
            requests: {cpu: 500m, memory: 512Mi}
            limits: {memory: 1Gi}
  rayClusterSpec:
    headGroupSpec:
      rayStartParams:
        # None for actors, which take processors of what Ray counts: they go to the other pods.
        num-cpus: '0'
        dashboard-host: 0.0.0.0
      template:
        metadata:
          labels: {tfacme-run: $name}
        spec:
          $pod
          # The run saves itself before the pod is taken away.
          terminationGracePeriodSeconds: 120
          containers:
            - name: ray-head
              image: $image
              env:
                # Seconds that `ray job stop` leaves the run to save itself.
                - name: RAY_JOB_STOP_WAIT_TIME_S
                  value: '120'
              lifecycle:
                preStop:
                  exec:
                    command:
                      - bash
                      - -c
                      - pid=$$(cat /tmp/tfacme.pid) && kill $$pid && while kill -0 $$pid; do sleep 1; done; ray stop
              resources:
                requests: {cpu: $cpus, memory: ${memory}Gi}
                limits: {memory: ${memory}Gi$gpus}
              volumeMounts:
                - name: work
                  mountPath: $folder
                - name: command
                  mountPath: /etc/tfacme
          volumes:
            - name: work
              persistentVolumeClaim:
                claimName: $name
            - name: command
              configMap:
                name: $name
    workerGroupSpecs:$workers
"""

_WORKERS = """
      - groupName: actors
        replicas: $pods
        minReplicas: $pods
        maxReplicas: $pods
        rayStartParams: {num-cpus: '$cpus', memory: '$counted'}
        template:
          metadata:
            labels: {tfacme-run: $name}
          spec:
            $pod
            containers:
              - name: ray-worker
                image: $image
                resources:
                  requests: {cpu: $cpus, memory: ${memory}Gi}
                  limits: {memory: ${memory}Gi$gpus}
"""
