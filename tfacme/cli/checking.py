"""`tfacme check`: an environment under examination, and an agent that tries it."""

from __future__ import annotations

import contextlib
import dataclasses
import json as json_lib
import os
import sys
import tempfile
from typing import Any, Dict, List, Sequence

import rich.console
import rich.table
import rich.text

from tfacme import configs, datasets, environments, errors, experiments, testing
from tfacme.agents import registry
from tfacme.cli import listing, parsing, running
from tfacme.cli import options as options_lib

_STYLES = {'fine': 'green', 'warning': 'yellow', 'fault': 'bold red'}
_ALONE = 5  # steps of the environment alone for each one of the agent
_EPISODES = 5  # that are recorded for an agent that learns from recorded data
_LONGEST = 1_000  # steps of an episode that is played to try a policy


@dataclasses.dataclass(frozen=True)
class _CheckOptions:
  """Looks for faults in an environment, trains an agent in it for some steps, and says what it found, a line each.

  A fault ends a run, spoils what it learns or leaves behind, or keeps it from being repeated; the exit code is then 1,
  and the agent is not run. Of a warning only the user can say whether it is meant so. The agent is small and quick to
  learn, as in the tests, unless options say otherwise.

  Attributes:
    env: the environment's id, such as bsuite:catch/0, gym:CartPole-v1, or package.module:function for one of your own.
    environment: what it is made with, beside its id.
    steps: environment steps of the agent, or its learner steps if it learns from recorded data alone. Before, the
      environment is played for five times as many with random actions.
    seed: of the environment and of the agent.
    stack: of how many of the environment's last observations one is made for the agent.
    json: print one JSON object with faults, warnings and findings.
  """

  env: str
  environment: options_lib.Environment = environments.Options()
  steps: int = 200
  seed: int = 0
  stack: int = 1
  json: bool = False


def run(arguments: Sequence[str]) -> None:
  """Runs the command.

  Raises:
    errors.UserError: for a mistake in the options.
    SystemExit: with the code 1, if there is a fault.
  """
  agent = listing.agent('check', arguments)
  if agent is None:
    return
  parts = {'config': _quick_config(agent), 'networks': registry.default_networks(agent)}
  kind = options_lib.with_parts(_CheckOptions, parts)
  options = parsing.parse(kind, arguments[1:], prog=f'tfacme check {agent}')
  errors.count('--steps', options.steps)
  errors.count('--seed', options.seed, low=0)
  factory = environments.factory(options.env, options.environment)
  found = testing.check_environment(factory, options.seed, _ALONE * options.steps, _tell)
  healthy = not _count(found, 'fault')
  if healthy:
    if sys.stderr.isatty():  # What a program reads of this command is its result alone.
      running.announce(sys.stderr)
    found += _try_agent(agent, factory, options, parts)
  if options.json:
    counts = {f'{mark}s': _count(found, mark) for mark in ('fault', 'warning')}
    print(json_lib.dumps({**counts, 'findings': [dataclasses.asdict(finding) for finding in found]}))
  else:
    _show(found, '' if healthy else f'; {agent} was not run: mend the environment first')
  if _count(found, 'fault'):
    raise SystemExit(1)


def _tell(line: str) -> None:
  """Says how far a check is: on standard error, since standard output has the result alone."""
  print(line, file=sys.stderr, flush=True)


def _quick_config(agent: str) -> Any:
  """The agent's hyperparameters, so small that it learns within some hundred steps."""
  fields = registry.about(agent).trial.config if agent in registry.names() else {}
  config = registry.config(agent, **fields)
  if isinstance(config, configs.ReplayConfig):
    return dataclasses.replace(config, min_replay_size=config.batch_size)
  return config


def _try_agent(
  agent: str, factory: environments.EnvironmentFactory, options: Any, parts: Dict[str, Any]
) -> List[testing.Finding]:
  """What is found when the agent is trained for the steps, in a folder that is removed then."""
  ours = agent in registry.names()
  recorded = ours and registry.about(agent).recorded
  slots = registry.about(agent).trial.slots if ours else 1
  from tfacme.testing import surroundings

  with tempfile.TemporaryDirectory(prefix='tfacme-check-') as folder, surroundings.captured():
    try:
      experiment = experiments.Experiment(
        builder=registry.builder(agent, getattr(options, 'config', parts['config'])),
        environment=factory,
        networks=getattr(options, 'networks', parts['networks']),
        budget=experiments.Budget(**{'learner_steps' if recorded else 'actor_steps': options.steps}),
        dataset=_record(factory, options.seed, os.path.join(folder, 'recorded')) if recorded else None,
        stack=options.stack,
        seed=options.seed,
        layout=experiments.Layout(slots=1 if recorded else slots),
        evaluation=experiments.Evaluation(every=0, episodes=1, max_episode_steps=_LONGEST),
        name=agent,
      )
    except errors.UserError as error:
      return [testing.Finding('fault', 'training', str(error))]
    return testing.check_training(experiment, os.path.join(folder, 'run'))


def _record(factory: environments.EnvironmentFactory, seed: int, folder: str) -> Any:
  """Some episodes of random actions."""
  import tfacme

  with contextlib.closing(factory(seed)) as environment:
    tfacme.record(None, environment, _EPISODES, folder, seed, _LONGEST)
  return datasets.rlds(folder)


def _show(found: Sequence[testing.Finding], more: str) -> None:
  table = rich.table.Table.grid(padding=(0, 2))
  for finding in found:
    table.add_row(rich.text.Text(finding.mark, _STYLES[finding.mark]), finding.name, rich.text.Text(finding.text))
  console = rich.console.Console(file=sys.stdout, highlight=False)
  console.print(table)
  counted = [(_count(found, mark), mark) for mark in ('fault', 'warning')]
  console.print(', '.join(f'{count} {mark}{"" if count == 1 else "s"}' for count, mark in counted) + more)


def _count(found: Sequence[testing.Finding], mark: str) -> int:
  return sum(finding.mark == mark for finding in found)
