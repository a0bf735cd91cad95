"""`tfacme deploy`: what it writes for Kubernetes and Slurm, and the page that says how to use it."""

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import time

import kubernetes_validate
import pytest
import yaml

from tests import pages
from tfacme import cli
from tfacme.deploying import jobs

_PAGE = (pages.ROOT / 'docs' / 'deploying.md').read_text(encoding='utf-8')
_KUBERNETES = '1.31'  # whose schemas the files are held to
# What a RayJob may have, and has to, in `ray.io/v1` of KubeRay 1.2: ray-operator/config/crd/bases/ray.io_rayjobs.yaml.
_SPEC = {
  *('activeDeadlineSeconds', 'backoffLimit', 'clusterSelector', 'entrypoint', 'entrypointNumCpus', 'entrypointNumGpus'),
  *('entrypointResources', 'jobId', 'metadata', 'rayClusterSpec', 'runtimeEnvYAML', 'shutdownAfterJobFinishes'),
  *('submissionMode', 'submitterConfig', 'submitterPodTemplate', 'suspend', 'ttlSecondsAfterFinished'),
}
_CLUSTER = {
  *('autoscalerOptions', 'enableInTreeAutoscaling', 'headGroupSpec', 'headServiceAnnotations', 'rayVersion', 'suspend'),
  'workerGroupSpecs',
}
_HEAD = {'enableIngress', 'headService', 'rayStartParams', 'serviceType', 'template'}
_WORKERS = {'groupName', 'maxReplicas', 'minReplicas', 'numOfHosts', 'rayStartParams', 'replicas', 'scaleStrategy'}
_WORKERS_NEED = {'groupName', 'maxReplicas', 'minReplicas', 'rayStartParams', 'template'}


def _deploy(kind, folder, *options):
  """The files of a small run, by name."""
  command = ['deploy', kind, 'dqn', '--env', 'bsuite:catch/0', '--out', str(folder), *options]
  assert cli.main(command) == 0
  return {path.name: path.read_text() for path in pathlib.Path(folder).iterdir()}


def _kubernetes(folder, *options):
  """(the RayJob's cluster, all documents by kind), once all of them are found valid."""
  files = _deploy('kubernetes', folder, *options)
  assert set(files) == {'volume.yaml', 'network.yaml', 'rayjob.yaml'}
  documents = {document['kind']: document for text in files.values() for document in yaml.safe_load_all(text)}
  for kind in ('PersistentVolumeClaim', 'NetworkPolicy', 'ConfigMap'):
    kubernetes_validate.validate(documents[kind], _KUBERNETES, strict=True)
  job = documents['RayJob']
  assert set(job) == {'apiVersion', 'kind', 'metadata', 'spec'} and job['apiVersion'] == 'ray.io/v1'
  spec, cluster = job['spec'], job['spec']['rayClusterSpec']
  assert {'entrypoint'} <= set(spec) <= _SPEC and {'headGroupSpec'} <= set(cluster) <= _CLUSTER
  assert {'rayStartParams', 'template'} <= set(cluster['headGroupSpec']) <= _HEAD
  for group in cluster['workerGroupSpecs']:
    assert _WORKERS_NEED <= set(group) <= _WORKERS | {'template'}
  groups = [cluster['headGroupSpec'], *cluster['workerGroupSpecs']]
  assert all(isinstance(value, str) for group in groups for value in group['rayStartParams'].values())
  templates = [spec['submitterPodTemplate'], *(group['template'] for group in groups)]
  for template in templates:
    pod = {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': 'pod', **template['metadata']}}
    kubernetes_validate.validate({**pod, 'spec': template['spec']}, _KUBERNETES, strict=True)
    assert template['spec']['securityContext']['runAsNonRoot']
  return cluster, documents


def _resources(group):
  (container,) = group['template']['spec']['containers']
  return container['resources']


def test_the_validation_is_strict(tmp_path):
  _, documents = _kubernetes(tmp_path / 'out')
  documents['NetworkPolicy']['spec']['podSelektor'] = {}
  with pytest.raises(kubernetes_validate.ValidationError):
    kubernetes_validate.validate(documents['NetworkPolicy'], _KUBERNETES, strict=True)


def test_pods_are_as_the_layout_has_them(tmp_path):
  cluster, _ = _kubernetes(tmp_path / 'a', '--actors', '9', '--slots', '8', '--threads', '2', '--cluster.cpus', '4')
  head, (actors,) = cluster['headGroupSpec'], cluster['workerGroupSpecs']
  assert head['rayStartParams']['num-cpus'] == '0'  # Actors are on the other pods.
  assert _resources(head)['requests']['cpu'] == 2 + 2 + 2  # the learner, the evaluation, and all others
  assert actors['replicas'] == actors['minReplicas'] == actors['maxReplicas'] == 3
  assert actors['rayStartParams'] == {'num-cpus': '3', 'memory': str(6 * 2**30)}
  assert _resources(actors)['requests'] == {'cpu': 3, 'memory': '7Gi'}
  assert 'nvidia.com/gpu' not in json.dumps(cluster)
  options = ('--learner-threads', '8', '--evaluators', '0', '--learner-steps', '100', '--dataset', 'data')
  cluster, _ = _kubernetes(tmp_path / 'b', *options)
  assert cluster['workerGroupSpecs'] == []  # It has no actors.
  assert _resources(cluster['headGroupSpec'])['requests']['cpu'] == 8 + 2


@pytest.mark.parametrize('asked, each', [((), 2), (('--actor-memory', '6'), 6), (('--cluster.memory', '3'), 3)])
def test_actors_have_the_memory_that_they_ask_for(tmp_path, asked, each):
  cluster, _ = _kubernetes(tmp_path / 'out', '--actors', '2', *asked)
  (actors,) = cluster['workerGroupSpecs']
  assert actors['rayStartParams']['memory'] == str(2 * each * 2**30)
  assert _resources(actors)['limits']['memory'] == f'{2 * each + 1}Gi'


def test_it_is_said_what_is_asked_for_and_how_to_start_it(tmp_path, capsys):
  _deploy('slurm', tmp_path / 'slurm', '--actors', '20')
  assert 'It asks for 2 hosts of 16 processors, for 20 actors, the learner' in capsys.readouterr().out
  _deploy('kubernetes', tmp_path / 'kubernetes', '--actors', '20')
  out = capsys.readouterr().out
  assert 'They ask for a pod of 4 processors for the command and 5 pods for 20 actors.' in out
  assert f'kubectl apply -f {tmp_path / "kubernetes"}' in out


def test_a_run_that_is_told_to_stop_has_what_time_a_cluster_gives(tmp_path):
  line = _deploy('slurm', tmp_path / 'a')['run.sbatch']
  assert ' --checkpointing.stop-seconds 45 &' in line
  line = _deploy('slurm', tmp_path / 'b', '--checkpointing.stop-seconds', '100')['run.sbatch']
  assert line.count('stop-seconds') == 1 and '--checkpointing.stop-seconds 100' in line


@pytest.mark.parametrize('processors, cpus, replicas', [('2', 4, 5), ('0.25', 3, 1), ('1.5', 3, 5)])
def test_pods_have_what_actors_take(tmp_path, processors, cpus, replicas):
  options = ('--actors', '9', '--actor-processors', processors, '--cluster.cpus', '4')
  cluster, _ = _kubernetes(tmp_path / 'out', *options)
  (actors,) = cluster['workerGroupSpecs']
  assert (actors['rayStartParams']['num-cpus'], _resources(actors)['requests']['cpu']) == (str(cpus), cpus)
  assert actors['replicas'] == replicas


@pytest.mark.parametrize(
  'roles, head, actors, replicas',
  [(('learner',), 1, 0, 2), (('learner', 'actor'), 1, 2, 3), (('actor',), 0, 2, 3), ((), 0, 0, 2)],
)
def test_gpus_are_for_the_roles_that_compute_on_them(tmp_path, roles, head, actors, replicas):
  options = ('--actors', '6', '--cluster.cpus', '4', '--cluster.gpus', '2', '--gpus', *roles)
  cluster, _ = _kubernetes(tmp_path / 'out', *options)
  (group,) = cluster['workerGroupSpecs']
  limits = [_resources(each)['limits'].get('nvidia.com/gpu', 0) for each in (cluster['headGroupSpec'], group)]
  assert (limits, group['replicas']) == ([head, actors], replicas)


def test_only_the_pod_of_the_command_has_the_volume(tmp_path):
  cluster, documents = _kubernetes(tmp_path / 'out', '--cluster.disk', '7', '--cluster.name', 'mine')
  head, (actors,) = cluster['headGroupSpec']['template']['spec'], cluster['workerGroupSpecs']
  claims = [volume['persistentVolumeClaim'] for volume in head['volumes'] if 'persistentVolumeClaim' in volume]
  assert claims == [{'claimName': 'mine'}]
  assert documents['PersistentVolumeClaim']['spec']['resources']['requests'] == {'storage': '7Gi'}
  assert 'volumes' not in actors['template']['spec']
  assert {document['metadata']['name'] for document in documents.values()} == {'mine'}


def test_only_the_run_and_the_operator_reach_its_pods(tmp_path):
  _, documents = _kubernetes(tmp_path / 'out')
  policy, job = documents['NetworkPolicy']['spec'], documents['RayJob']['spec']
  own = {'matchLabels': {'tfacme-run': 'dqn-bsuite-catch-0-seed0'}}
  assert (policy['podSelector'], policy['policyTypes']) == (own, ['Ingress'])
  run, operator = policy['ingress']
  assert run == {'from': [{'podSelector': own}]}
  assert operator['ports'] == [{'port': 8265}]
  cluster = job['rayClusterSpec']
  templates = [job['submitterPodTemplate'], cluster['headGroupSpec']['template']]
  for template in [*templates, *(group['template'] for group in cluster['workerGroupSpecs'])]:
    assert template['metadata']['labels'] == own['matchLabels']


_AWKWARD = ["it's", 'two words', '"quoted"', '$HOME', 'a;b', 'back\\slash', '#', 'ümlaut']


def test_arguments_come_through_as_they_are(tmp_path):
  options = [word for i, value in enumerate(_AWKWARD) for word in (f'k{i}', value)]
  given = ['--env.kwargs', *options, '--start=runs/an other', '--cluster.name=mine', '--cluster.cpus', '4']
  _, documents = _kubernetes(tmp_path / 'k', *given)
  script = documents['ConfigMap']['data']['run.sh']
  wanted = ['train', 'dqn', '--env', 'bsuite:catch/0', '--env.kwargs', *options, '--start=runs/an other']
  wanted += ['--launch', 'ray', '--workdir', 'runs/dqn-bsuite-catch-0-seed0', '--checkpointing.stop-seconds', '45']
  assert _called(script.replace('/tmp/tfacme.pid', 'pid').replace('cd /work', ''), tmp_path) == wanted
  script = _deploy('slurm', tmp_path / 's', *given)['run.sbatch']
  (line,) = [line for line in script.splitlines() if line.startswith('tfacme train')]
  assert _called(line.removesuffix(' &'), tmp_path) == wanted


def _called(script, folder):
  """What a script gives to `tfacme`."""
  _fake(folder / 'bin', 'tfacme', 'printf "%s\\0" "$@"')
  ended = pages.run(script, folder, PATH=_path(folder))
  assert ended.returncode == 0, ended.stderr
  return ended.stdout.split('\0')[:-1]


@pytest.mark.parametrize(
  'command, message',
  [
    ('', 'needs the kind of cluster first: kubernetes or slurm'),
    ('kubernets dqn', 'no kind of cluster .kubernets.; did you mean kubernetes'),
    ('slurm', 'tfacme deploy slurm needs the agent first'),
    ('slurm dqm --env bsuite:catch/0 --out {out}', "no agent 'dqm'"),
    ('slurm dqn --env bsuite:catch/0', 'tfacme deploy slurm dqn needs --out'),
    ('slurm dqn --env bsuit:catch/0 --out {out}', 'did you mean bsuite:catch/0'),
    ('slurm dqn --env bsuite:catch/0 --out {out} --stpes 5', 'did you mean --steps'),
    ('slurm dqn --env bsuite:catch/0 --out {out} --steps 0', 'number of steps is 0'),
    ('slurm dqn --env bsuite:catch/0 --out {out} --config.batch_size 0', 'batch_size is 0'),
    ('slurm dqn --env bsuite:catch/0 --out {out} --cluster.image a', 'no option .--cluster.image.'),
    ('slurm dqn --env bsuite:catch/0 --out {out} --cluster.time soon', 'has to be as 12:00:00'),
    ('slurm dqn --env bsuite:catch/0 --out {out} --launch local_mp', 'leave --launch local_mp out'),
    ('slurm dqn --env bsuite:catch/0 --out {out} --profile', '--profile does not go with --launch ray'),
    ('slurm dqn --env bsuite:catch/0 --out {out} --gpus actor', 'takes a processor and a GPU, and a host does not'),
    ('slurm dqn --env bsuite:catch/0 --out {out} --actor-memory 1', '--actor-memory needs --cluster.memory'),
    (
      'slurm dqn --env bsuite:catch/0 --out {out} --actor-processors 17',
      'Each actor takes 17 processors, and a host does not have that: say what it has .--cluster.cpus',
    ),
    ('slurm dqn --env bsuite:catch/0 --out {out} --learner-threads 17', 'has 17 threads .*, and a host 16 processors'),
    ('slurm bc --env bsuite:catch/0 --out {out}', 'bc learns from recorded data'),
    ('kubernetes dqn --env bsuite:catch/0 --out {out} --gpus actor', 'takes a processor and a GPU, and a host does'),
    (
      'kubernetes dqn --env bsuite:catch/0 --out {out} --actor-memory 3 --cluster.memory 2',
      r'takes 3 GB \(--actor-memory\), and --cluster.memory is 2 GiB for each',
    ),
    ('kubernetes dqn --env bsuite:catch/0 --out {out} --workdir /home/me', 'the volume is at /work'),
    ('kubernetes dqn --env bsuite:catch/0 --out {out} --workdir ../me', 'the volume is at /work'),
    ('kubernetes dqn --env bsuite:catch/0 --out {out} --cluster.name My_Run', 'small letters, digits and -'),
    ('kubernetes dqn --env bsuite:catch/0 --out {out} --cluster.memory 0', '--cluster.memory is 0'),
    ('kubernetes dqn --env bsuite:catch/0 --out {out} --start two\\nlines', 'that no line of a file can have'),
  ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(tmp_path, capsys, command, message):
  words = [word.format(out=tmp_path / 'out').replace('\\n', '\n') for word in command.split(' ') if word]
  assert cli.main(['deploy', *words]) == 2
  said = capsys.readouterr().err
  assert re.search(message, said) and said.count('\n') == 1
  assert not (tmp_path / 'out').exists()


def test_files_that_are_there_stay(tmp_path, capsys):
  _deploy('kubernetes', tmp_path)
  (tmp_path / 'volume.yaml').unlink()
  (tmp_path / 'rayjob.yaml').write_text('mine')
  assert cli.main(['deploy', 'kubernetes', 'dqn', '--env', 'bsuite:catch/0', '--out', str(tmp_path)]) == 2
  assert re.search('network.yaml, .*rayjob.yaml already: remove that', capsys.readouterr().err)
  assert (tmp_path / 'rayjob.yaml').read_text() == 'mine' and not (tmp_path / 'volume.yaml').exists()


def test_a_run_in_another_folder_is_another_job(tmp_path):
  for folder, name in (('runs/b', 'b'), ('runs/b/', 'b'), ('other/my run', 'my-run')):
    out = tmp_path / folder.replace('/', '-')
    arguments = ['deploy', 'kubernetes', 'dqn', '--env', 'bsuite:catch/0', '--workdir', folder, '--out', str(out)]
    assert cli.main(arguments) == 0
    assert yaml.safe_load((out / 'volume.yaml').read_text())['metadata']['name'] == name


def test_what_would_be_gone_with_the_pods_of_actors_is_refused(tmp_path, capsys):
  arguments = ['dqn', '--env', 'bsuite:catch/0', '--record', 'data/mine', '--out', str(tmp_path)]
  assert cli.main(['deploy', 'kubernetes', *arguments]) == 2
  assert '--record has each actor write on its own host' in ' '.join(capsys.readouterr().err.split())
  assert not list(tmp_path.iterdir())
  assert cli.main(['deploy', 'slurm', *arguments]) == 0  # whose hosts share a disk


@pytest.mark.parametrize(
  'text, name',
  [
    ('dqn-gym-CartPole-v1-seed3', 'dqn-gym-cartpole-v1-seed3'),
    ('my_package.agent-dm_control-humanoid-run-seed12', 'my-package-agent-dm-control-huma-d20c822'),
    ('agent-12345-aaaaaaaaaaaaaaaaaaaaaaaaaaaa-seed0', 'agent-12345-aaaaaaaaaaaaaaaaaaaa-4bb5a7c'),
    ('12-agent', 'agent'),
    ('_', 'run'),
  ],
)
def test_names_are_short_and_keep_what_tells_runs_apart(text, name):
  assert jobs.named(text) == name


@pytest.mark.parametrize(
  'options, hosts, here',
  [
    (('--actors', '4'), 1, 12),
    (('--actors', '12'), 1, 12),
    (('--actors', '13'), 2, 12),
    (('--actors', '60', '--threads', '0'), 5, 6),  # 4 threads for the learner, and 4 for the evaluation
    (('--actors', '5', '--cluster.cpus', '2'), 4, 0),
    (('--actors', '5', '--cluster.gpus', '2', '--gpus', 'learner', 'actor'), 3, 1),
    (('--learner-steps', '10', '--dataset', 'data'), 1, 12),
    (('--actors', '9', '--actor-processors', '5'), 4, 10),
    (('--actors', '50', '--actor-processors', '0.3'), 2, 12),
    (('--actors', '9', '--actor-memory', '20', '--cluster.memory', '64'), 4, 2),  # 16 GB are the learner's.
  ],
)
def test_slurm_gives_as_many_hosts_as_the_actors_take(tmp_path, options, hosts, here):
  script = _deploy('slurm', tmp_path / 'out', *options)['run.sbatch']
  assert f'\n#SBATCH --nodes={hosts}\n' in script
  assert f'ray start --head --port=6379 --num-cpus={here} ' in script
  assert ('--gpus-per-node=2' in script) == ('--cluster.gpus' in options)
  memory = [f'--memory={size}000000000' in script for size in (48, 64)]
  assert memory == 2 * ['--cluster.memory' in options]


def _fake(folder, name, body):
  """A program that records how it was called, and does something else."""
  folder.mkdir(exist_ok=True)
  program = folder / name
  program.write_text(f'#!/usr/bin/env bash\necho "{name} $*" >> "$(dirname "$0")/../calls"\n{body}\n')
  program.chmod(0o755)


def _path(folder):
  return f'{folder / "bin"}{os.pathsep}{os.environ["PATH"]}'


# A run that saves itself when it is told to stop.
_SAVES = r'trap "kill \$!; sleep 0.3; echo saved >> calls; exit {}" TERM; echo begun >> calls; sleep 20 & wait'
_HOSTS = ['node7', 'node8', 'node9']


@pytest.fixture(name='start')
def _start(tmp_path):
  """Starts the script for Slurm as its first host would, with a `tfacme` of the test's own."""
  script = _deploy('slurm', tmp_path / 'out', '--actors', '40')['run.sbatch']
  assert subprocess.run(['bash', '-n', str(tmp_path / 'out' / 'run.sbatch')], check=False).returncode == 0
  _fake(tmp_path / 'bin', 'scontrol', f'[[ $1 != show ]] || printf "%s\\n" {" ".join(_HOSTS)}')
  _fake(tmp_path / 'bin', 'srun', 'while [[ $1 != ray ]]; do shift; done; exec "$@"')
  _fake(tmp_path / 'bin', 'ray', '[[ $* != *--block* ]] || exec sleep 20')
  _fake(tmp_path / 'bin', 'python', 'exec cat > /dev/null')
  of_slurm = {'SLURM_JOB_ID': '5', 'SLURM_JOB_NODELIST': 'node[7-9]', 'SLURM_JOB_NUM_NODES': '3'}
  variables = {**os.environ, 'PATH': _path(tmp_path), 'SLURMD_NODENAME': 'node7', **of_slurm}
  started = []

  def start(tfacme):
    _fake(tmp_path / 'bin', 'tfacme', tfacme)
    (tmp_path / 'calls').write_text('')
    started.append(
      subprocess.Popen(
        ['bash', '-c', script], cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL, start_new_session=True
      )
    )
    return started[-1]

  yield start
  for process in started:
    os.killpg(process.pid, signal.SIGKILL)  # What waits in the place of Ray.


def _wait_until_it_has_begun(folder):
  until = time.monotonic() + 20
  while 'begun' not in _calls(folder) and time.monotonic() < until:
    time.sleep(0.02)


def _calls(folder):
  return (folder / 'calls').read_text().splitlines() if (folder / 'calls').exists() else []


def test_slurm_starts_ray_then_the_run_and_passes_its_exit_code_on(start, tmp_path):
  script = (tmp_path / 'out' / 'run.sbatch').read_text()
  compile(re.findall(r"<< 'END'\n(.*?)^END$", script, re.DOTALL | re.MULTILINE)[0], 'run.sbatch', 'exec')
  assert start('echo "address $RAY_ADDRESS" >> calls; exit 3').wait(30) == 3
  calls = _calls(tmp_path)
  order = ('ray start --head --port=6379 --num-cpus=12 ', 'scontrol show hostnames node[7-9]', 'python - 3')
  order += ('tfacme train dqn ', 'address node7:6379', 'ray stop')
  at = [next(i for i, call in enumerate(calls) if call.startswith(begin)) for begin in order]
  assert at == sorted(at)
  on = [shlex.split(call) for call in calls if call.startswith('srun')]
  assert [f'--nodelist={host}' for host in _HOSTS[1:]] == sorted(word for call in on for word in call if 'list' in word)
  for call in on:
    assert call[-5:] == ['ray', 'start', '--address=node7:6379', '--num-cpus=16', '--block']
  assert 'scontrol requeue 5' not in calls


@pytest.mark.parametrize(
  'signum, ends, requeued',
  [
    (signal.SIGUSR1, 143, True),  # the notice that the time ends
    (signal.SIGTERM, 143, False),  # Somebody stops it.
    (signal.SIGUSR1, 0, False),  # It has come to its end before it was told.
    (signal.SIGUSR1, 1, False),  # It has failed.
  ],
)
def test_slurm_tells_the_command_alone_and_waits_until_it_has_saved(start, tmp_path, signum, ends, requeued):
  process = start(_SAVES.format(ends))
  _wait_until_it_has_begun(tmp_path)
  process.send_signal(signum)
  assert process.wait(30) == ends
  calls = _calls(tmp_path)
  assert calls.index('saved') < calls.index('ray stop')  # Ray is there while the run saves itself.
  assert ('scontrol requeue 5' in calls) == requeued
  assert not requeued or calls[-1] == 'scontrol requeue 5'


def test_the_run_saves_itself_before_its_pod_is_taken_away(tmp_path):
  cluster, _ = _kubernetes(tmp_path / 'out')
  (container,) = cluster['headGroupSpec']['template']['spec']['containers']
  *_, stop = container['lifecycle']['preStop']['exec']['command']
  _fake(tmp_path / 'bin', 'ray', '')
  _fake(tmp_path / 'bin', 'run', _SAVES.format(0))
  stop = stop.replace('/tmp/tfacme.pid', 'pid')
  with subprocess.Popen([str(tmp_path / 'bin' / 'run')], cwd=tmp_path) as process:
    (tmp_path / 'pid').write_text(str(process.pid))
    _wait_until_it_has_begun(tmp_path)
    with subprocess.Popen(['bash', '-c', stop], cwd=tmp_path, env={**os.environ, 'PATH': _path(tmp_path)}) as stopping:
      assert process.wait(30) == 0
      assert stopping.wait(30) == 0
  assert _calls(tmp_path)[-2:] == ['saved', 'ray stop']
  assert pages.run(stop, tmp_path, PATH=_path(tmp_path)).returncode == 0  # The run has ended before.


def test_the_commands_of_the_page_run(tmp_path):
  commands = pages.commands(_PAGE)
  assert len(commands) == 2
  pages.call_commands(commands, tmp_path)
  assert (tmp_path / 'deploy' / 'kubernetes' / 'rayjob.yaml').exists()
  assert (tmp_path / 'deploy' / 'slurm' / 'run.sbatch').exists()


def test_the_lines_for_ssh_run(tmp_path):
  _fake(tmp_path / 'bin', 'ssh', '')
  for block in pages.blocks('bash', _PAGE):
    ended = subprocess.run(
      ['bash', '-euc', block], cwd=tmp_path, env={**os.environ, 'PATH': _path(tmp_path)}, check=False
    )
    assert ended.returncode == 0
  ray = '/opt/tfacme/bin/ray'
  assert _calls(tmp_path) == [
    f'ssh host-1 {ray} start --head --port=6379 --num-cpus=4 --disable-usage-stats',
    *(f'ssh host-{i} {ray} start --address=host-1:6379 --num-cpus=16' for i in (2, 3)),
    *(f'ssh host-{i} {ray} stop' for i in (1, 2, 3)),
  ]


def test_the_file_for_ray_up_has_what_ray_wants():
  (block,) = pages.blocks('yaml', _PAGE)
  cluster = yaml.safe_load(block)
  assert {'cluster_name', 'provider', 'auth'} <= set(cluster)
  assert cluster['provider']['type'] == 'local'
  assert cluster['min_workers'] == cluster['max_workers'] == len(cluster['provider']['worker_ips'])


def test_the_image_takes_what_is_there():
  dockerfile = (pages.ROOT / 'Dockerfile').read_text()
  taken = {line.removeprefix('!') for line in (pages.ROOT / '.dockerignore').read_text().splitlines()}
  sources = [word for line in re.findall(r'^COPY (.*) \S+$', dockerfile, re.MULTILINE) for word in line.split()]
  assert sources
  for source in sources:
    assert list(pages.ROOT.glob(source)) and source.split('/')[0] in taken, source
  (locks,) = re.findall(r'^ARG LOCKS="(.*)"$', dockerfile, re.MULTILINE)
  for lock in locks.split():
    assert '--hash=sha256:' in (pages.ROOT / 'requirements' / f'{lock}.txt').read_text()
  assert '--require-hashes' in dockerfile and re.search(r'^USER tfacme$', dockerfile, re.MULTILINE)
