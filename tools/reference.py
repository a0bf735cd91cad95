"""Writes `docs/reference.md`, the list of all that an agent may use, from the docstrings.

`make reference` writes it, `tools/reference.py --check` says whether it is not what this would write. The page has a
section for each thing that a reader may want to do, and `SECTIONS` says which names belong there: a whole module, or
single names of one. Each public name of `MODULES` has to be in one section, with a docstring, or as an alias or a
constant with a comment.
"""

from __future__ import annotations

import argparse
import ast
import pathlib
import sys
from typing import Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = 'docs/reference.md'
HEAD = """\
# Reference

All that an agent may use, by what one wants to do; each with the first line of its docstring. `core.Step` is `Step` of
`from tfacme import core`, and `losses.values.huber` is `huber` of `from tfacme.losses import values`. `make reference`
writes this page.
"""

# What is listed: modules, and packages that give out names of their modules.
MODULES = (
  'tfacme.core',
  'tfacme.configs',
  'tfacme.losses.conservative',
  'tfacme.losses.deterministic',
  'tfacme.losses.distributional',
  'tfacme.losses.policy_gradient',
  'tfacme.losses.q_learning',
  'tfacme.losses.ranking',
  'tfacme.losses.regression',
  'tfacme.losses.soft',
  'tfacme.losses.values',
  'tfacme.losses.vtrace',
  'tfacme.networks.checks',
  'tfacme.replay.items',
  'tfacme.replay.relabelling',
  'tfacme.replay.sources',
  'tfacme.replay.tables',
  'tfacme.schedules',
  'tfacme.workers.prefill',
  'tfacme.workers.roles',
)
PACKAGES = ('tfacme', 'tfacme.loggers', 'tfacme.networks', 'tfacme.testing', 'tfacme.updates')

# Title -> what is there, in order: names as a reader writes them, or modules (in which a package's names are defined).
# Names come before the modules that have them, and a module stands for those of its names that are in no other section.
SECTIONS: Mapping[str, Sequence[str]] = {
  'Run an experiment': (
    *('tfacme.Experiment', 'tfacme.Budget', 'tfacme.Layout', 'tfacme.Evaluation', 'tfacme.Checkpointing'),
    *(
      'tfacme.Logging',
      'tfacme.train',
      'tfacme.Run',
      'tfacme.load_run',
      'tfacme.load_policy',
      'tfacme.record',
      'tfacme',
    ),
  ),
  'Log a run, and read its logs': (
    *('loggers.TensorBoard', 'loggers.WandB', 'loggers.MLflow', 'loggers.EachRow', 'loggers.Log', 'loggers.Logger'),
    *('loggers.Row', 'loggers.read'),
  ),
  'Put an agent together': ('core.Builder', 'core.BuilderWrapper', 'core.Policy', 'core.Update', 'core.UpdateOutput'),
  'Define its hyperparameters': ('tfacme.configs', 'tfacme.schedules'),
  'Know what a row and a batch are': (
    *('core.Step', 'core.step_spec', 'core.Batch', 'core.Info', 'core.Context', 'core.Nest'),
  ),
  'Say which rows are learned from': (
    *('replay.items.Items', 'replay.tables.Table', 'replay.tables.paced'),
    *('replay.tables.prefilled', 'replay.tables.queue', 'replay.tables.segments', 'replay.tables.sampler'),
    *('replay.tables.Limiter', 'replay.tables.min_size', 'replay.tables.sample_to_insert_ratio'),
    *('replay.tables.tolerant_ratio', 'replay.tables.queue_limiter', 'replay.tables.Uniform'),
    *('replay.tables.Prioritized', 'replay.tables.Fifo', 'replay.tables.Lifo', 'replay.tables.Remover'),
    *('replay.tables.Selector', 'replay.sources.Source', 'replay.sources.Sample', 'replay.sources.Data'),
    *('replay.sources.Mix', 'replay.sources.Map', 'replay.sources.Together'),
  ),
  'Rewrite rows before they are written': (
    *('core.Relabel', 'core.Relabeller', 'replay.relabelling.by_row', 'replay.relabelling.by_episode'),
    *('replay.relabelling.returns_to_go', 'replay.relabelling.returns_ahead', 'replay.relabelling.previous_actions'),
    *('replay.relabelling.in_order', 'replay.relabelling.normalized_rewards', 'replay.relabelling.rows'),
  ),
  'Read observations': (
    'tfacme.networks.torsos',
    'tfacme.networks.torso_options',
    'tfacme.networks.stacked',
    'tfacme.networks.observations',
    'tfacme.networks.normalization',
  ),
  'Give a network its head': (
    *('tfacme.networks.heads', 'tfacme.networks.distributions', 'tfacme.networks.value_heads'),
    *('tfacme.networks.critics', 'tfacme.networks.actor_critic', 'tfacme.networks.activations'),
    'tfacme.networks.ensembles',
  ),
  'Give a network memory': ('tfacme.networks.recurrent', 'networks.unroll'),
  'Create variables from a seed': ('tfacme.networks.seeding',),
  'Check networks': ('tfacme.networks.checks',),
  'Draw random numbers in a network or an update': ('tfacme.networks.randomness', 'tfacme.networks.stochastic'),
  'Act and explore': ('tfacme.networks.policies', 'tfacme.networks.exploration'),
  'Plan by a model': ('tfacme.networks.planning',),
  'Bring actions into the form of the environment, and leave out illegal ones': (
    *('tfacme.networks.actions', 'tfacme.networks.masking'),
  ),
  'Write a learning step': ('tfacme.updates',),
  'Use a loss or an estimator': (
    *('tfacme.losses.q_learning', 'tfacme.losses.values', 'tfacme.losses.policy_gradient', 'tfacme.losses.vtrace'),
    *('tfacme.losses.deterministic', 'tfacme.losses.soft', 'tfacme.losses.regression', 'tfacme.losses.distributional'),
    *('tfacme.losses.conservative', 'tfacme.losses.ranking'),
  ),
  'Bring an actor or a worker of its own': (
    *('core.Actor', 'core.ActorParts', 'core.Worker', 'core.Outcome', 'core.Progress', 'core.Blocked'),
    *('core.VariableSource', 'tfacme.workers.roles', 'workers.prefill.Prefill'),
  ),
  'Test an agent or an environment': ('tfacme.testing',),
  'Change the framework itself': (
    *('tfacme.core', 'tfacme.replay.items', 'tfacme.replay.tables', 'tfacme.replay.sources'),
    *('tfacme.replay.relabelling', 'tfacme.workers.prefill', 'tfacme.loggers'),
  ),
}


class Name(NamedTuple):
  """One public name."""

  shown: str  # as a reader writes it: networks.draw
  module: str  # where it is defined: tfacme.networks.randomness
  summary: str  # the first line of its docstring


class PageError(Exception):
  """What keeps the page from being written."""


def _path(root: pathlib.Path, module: str) -> pathlib.Path:
  base = root / module.replace('.', '/')
  return base / '__init__.py' if base.is_dir() else base.with_suffix('.py')


def _comment(lines: Sequence[str], node: ast.stmt) -> str:
  """The comment behind a statement, or in the lines above it."""
  behind = lines[node.end_lineno - 1][node.end_col_offset :].strip()  # type: ignore[operator]
  if behind.startswith('#'):
    return behind.lstrip('# ')
  above: List[str] = []
  for line in reversed(lines[: node.lineno - 1]):
    if not line.startswith('#'):
      break
    above.insert(0, line.lstrip('# '))
  return ' '.join(above)


def _defined(root: pathlib.Path, module: str) -> Dict[str, str]:
  """The public names that a module defines, each with a line on what it is; '' if it says nothing."""
  text = _path(root, module).read_text(encoding='utf-8')
  lines, found = text.splitlines(), {}
  for node in ast.parse(text).body:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
      found[node.name] = (ast.get_docstring(node) or '').partition('\n')[0]
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
      found[node.targets[0].id] = _comment(lines, node)
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
      found[node.target.id] = _comment(lines, node)
  return {name: summary for name, summary in found.items() if not name.startswith('_')}


def _offered(root: pathlib.Path, package: str) -> Iterator[Tuple[str, str]]:
  """The names that a package gives out, each with the module that has it."""
  path = _path(root, package)
  path = path.with_suffix('.pyi') if path.with_suffix('.pyi').exists() else path
  for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
    if isinstance(node, ast.ImportFrom):
      module = f'{package}.{node.module}' if node.level else str(node.module)
      if module.startswith(f'{package}.'):
        yield from ((alias.name, module) for alias in node.names)


def names(root: pathlib.Path = ROOT) -> Dict[str, Name]:
  """All public names, by how they are shown."""
  found: Dict[str, Name] = {}
  for package in PACKAGES:
    defined: Dict[str, Dict[str, str]] = {}
    for name, module in _offered(root, package):
      if module not in defined:
        defined[module] = _defined(root, module)
      shown = f'{package}.{name}'.removeprefix('tfacme.' if package != 'tfacme' else '')
      found[shown] = Name(shown, module, defined[module].get(name, ''))
  for module in MODULES:
    for name, summary in _defined(root, module).items():
      shown = f'{module}.{name}'.removeprefix('tfacme.')
      found[shown] = Name(shown, module, summary)
  silent = sorted(name.shown for name in found.values() if not name.summary)
  if silent:
    raise PageError(f'There is no docstring or comment for {", ".join(silent)}.')
  return found


def sections(found: Mapping[str, Name], wanted: Mapping[str, Sequence[str]]) -> Dict[str, List[Name]]:
  """The names of each section.

  Raises:
    PageError: if a name is in none, or a section names what is not there.
  """
  single = [entry for entries in wanted.values() for entry in entries if entry in found]
  rest = {shown: name for shown, name in found.items() if shown not in single}
  filled: Dict[str, List[Name]] = {}
  for title, entries in wanted.items():
    filled[title] = []
    for entry in entries:
      if entry in found:
        filled[title].append(found[entry])
        continue
      # A package: what of it is in no module that another section has.
      inside = [name for name in rest.values() if _belongs(name, entry)]
      if not inside:
        raise PageError(f'The section {title!r} of tools/reference.py has {entry!r}, of which there is nothing.')
      filled[title] += inside
      for name in inside:
        del rest[name.shown]
  if rest:
    raise PageError(f'Put these into a section of tools/reference.py: {", ".join(sorted(rest))}.')
  return filled


def _belongs(name: Name, entry: str) -> bool:
  """Whether a name is of a module, or one that a package gives out."""
  given_out = f'tfacme.{name.shown}'.replace('tfacme.tfacme.', 'tfacme.').rpartition('.')[0]
  return entry in (name.module, given_out)


def page(root: pathlib.Path = ROOT) -> str:
  """The text of the page."""
  lines = [HEAD]
  for title, listed in sections(names(root), SECTIONS).items():
    lines += [f'## {title}', '', *(f'- `{name.shown}`: {name.summary}' for name in listed), '']
  return '\n'.join(lines)


def main() -> int:
  parser = argparse.ArgumentParser(description=f'Writes {PAGE} from the docstrings.')
  parser.add_argument('--check', action='store_true', help='write nothing; fail if the page is not as it should be')
  arguments = parser.parse_args()
  try:
    text = page()
  except PageError as error:
    print(error)
    return 1
  path = ROOT / PAGE
  if path.exists() and path.read_text(encoding='utf-8') == text:
    return 0
  if arguments.check:
    print(f'{PAGE} is not what the docstrings say: run `make reference`')
    return 1
  path.write_text(text, encoding='utf-8')
  print(f'wrote {PAGE}')
  return 0


if __name__ == '__main__':
  sys.exit(main())
