"""Writes the BUILD files: one target for each Python file, its dependencies taken from its imports.

`make build-files` writes them, `tools/build_files.py --check` says which of them are not what it would write.

A target's dependencies are the files of this repository that have to be there when it runs: those that it imports, in
functions too, and the `__init__.py` of the package that it lies in. What an import for types alone names is not among
them. A string that is wholly the name of a module ('tfacme.agents.dqn', as registries hold them) counts as an import
of it, and 'tfacme.agents.' as one of everything in that folder; so does the path of a file, and in tests the name of
the command. Third-party packages come with the interpreter.

Files that import each other, which Bazel forbids between targets, share a target. So that a package whose `__init__.py`
imports only when a name is asked for does not draw all of its files into one such target, it has two targets:
`__init__`, that file alone, which all files in the package need; and one named like the folder, which brings what the
package offers, for those who import the package itself.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import os
import pathlib
import re
import sys
from typing import Dict, Iterable, Iterator, List, Optional, Set, Tuple

HEADER = '# Written by tools/build_files.py from the imports: `make build-files` writes it anew.\n'
# Files that targets of other folders name, beside those that this script finds out itself.
EXPORTED = {'': ['pyproject.toml'], 'bazel': ['run_pytest.py']}
# Tests that start programs or learn something may take a quarter of an hour instead of five minutes.
LARGE_TESTS = ('tests/contract', 'tests/programs')
# Folders at the top of a checkout.
NOT_OURS = {'build', 'dist', 'node_modules', 'runs'}
# A string that is the name of a module, perhaps of something in it; or the beginning of one.
MODULE_NAME = re.compile(r'\w+(\.\w+)+(:\w+)?')
MODULE_PREFIX = re.compile(r'\w+(\.\w+)+\.')
# The command that tests start by its name.
COMMAND, COMMAND_MODULE = 'tfacme', 'tfacme.__main__'

# A node of the import graph: the path of a file, or FOLDER + '/' for what a lazy package offers.
Node = str


@dataclasses.dataclass(frozen=True)
class Reference:
  """One place in a file that names a module: `name` is what is taken from it, if anything is."""

  module: str
  name: Optional[str] = None
  lazy: bool = False  # only when a function is called, or by a string
  prefix: bool = False  # everything in `module`, or the module `name` of every package in it


@dataclasses.dataclass
class Source:
  """What one file says of itself."""

  path: str
  references: List[Reference]
  offers: Dict[str, str]  # names that a lazy package imports when they are asked for -> the module that has them
  runs: bool  # `if __name__ == '__main__'`
  slow: bool  # a test file with only slow tests
  data: Tuple[str, ...] = ()

  @property
  def folder(self) -> str:
    return os.path.dirname(self.path)

  @property
  def stem(self) -> str:
    return os.path.basename(self.path)[: -len('.py')]

  @property
  def is_test(self) -> bool:
    return self.stem.startswith('test_') and self.in_tests

  @property
  def in_tests(self) -> bool:
    return self.path.startswith('tests/')


@dataclasses.dataclass
class Target:
  """One rule in a BUILD file."""

  folder: str
  name: str
  sources: List[Source]
  nodes: List[Node]
  dependencies: List[str] = dataclasses.field(default_factory=list)

  @property
  def label(self) -> str:
    return f'//{self.folder}' if self.name == os.path.basename(self.folder) else f'//{self.folder}:{self.name}'


def find_files(root: pathlib.Path) -> List[str]:
  """The Python files of the checkout, as sorted paths relative to it."""
  found = []
  for folder, subfolders, files in os.walk(root):
    here = pathlib.Path(folder)
    subfolders[:] = sorted(
      name
      for name in subfolders
      if not name.startswith(('.', 'bazel-', '__pycache__'))
      and (name not in NOT_OURS or here != root)
      and not name.endswith('.egg-info')
      # Somebody's virtual environment, and repositories of their own.
      and not (here / name / 'pyvenv.cfg').exists()
      and not (here / name / 'WORKSPACE').exists()
    )
    found += [(here / name).relative_to(root).as_posix() for name in files if name.endswith('.py')]
  return sorted(found)


class _Reader(ast.NodeVisitor):
  """Collects the references in one file."""

  def __init__(self, package: str):
    self.references: List[Reference] = []
    self.offers: Dict[str, str] = {}
    self._package = package  # the dotted name of the folder
    self._depth = 0  # of functions

  def _add(self, module: str, name: Optional[str] = None, lazy: bool = False, prefix: bool = False) -> None:
    self.references.append(Reference(module, name, lazy or self._depth > 0, prefix))

  def _function(self, node: ast.AST) -> None:
    self._depth += 1
    self.generic_visit(node)
    self._depth -= 1

  visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function

  def visit_If(self, node: ast.If) -> None:
    if 'TYPE_CHECKING' in (getattr(node.test, 'id', None), getattr(node.test, 'attr', None)):
      for child in node.orelse:
        self.visit(child)
    else:
      self.generic_visit(node)

  def visit_Import(self, node: ast.Import) -> None:
    for alias in node.names:
      self._add(alias.name)

  def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
    for alias in node.names:
      self._add(self._absolute('.' * node.level + (node.module or '')), alias.name)

  def visit_Constant(self, node: ast.Constant) -> None:
    if not isinstance(node.value, str):
      return
    if MODULE_NAME.fullmatch(node.value):
      self._add(node.value.split(':')[0], lazy=True)
    elif MODULE_PREFIX.fullmatch(node.value):
      self._add(node.value[:-1], lazy=True, prefix=True)
    elif '/' in node.value and node.value.endswith('.py'):
      self._add(node.value[: -len('.py')].replace('/', '.'), lazy=True)
    elif node.value == COMMAND and self._package.split('.')[0] == 'tests':
      self._add(COMMAND_MODULE, lazy=True)

  def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
    """`f'tfacme.agents.{name}.about'` names that module of every package in the folder."""
    first, last = node.values[0], node.values[-1]
    if isinstance(first, ast.Constant) and isinstance(last, ast.Constant) and first is not last:
      module, name = str(first.value), str(last.value)
      if MODULE_PREFIX.fullmatch(module) and name.startswith('.') and name[1:].isidentifier():
        self._add(module[:-1], name[1:], lazy=True, prefix=True)
        return
    self.generic_visit(node)

  def visit_Call(self, node: ast.Call) -> None:
    """`lazy_loader.attach(__name__, submodules, submod_attrs)`, and importing by name."""
    called = getattr(node.func, 'attr', getattr(node.func, 'id', ''))
    if called == 'attach':
      self._attach(node)
    elif called == 'import_module' and node.args and isinstance(node.args[0], ast.Constant):
      self._add(self._absolute(str(node.args[0].value)), lazy=True)
    self.generic_visit(node)

  def _attach(self, node: ast.Call) -> None:
    arguments = dict(zip(('package_name', 'submodules', 'submod_attrs'), node.args))
    arguments.update({keyword.arg: keyword.value for keyword in node.keywords if keyword.arg})
    for name in self._literal(arguments.get('submodules')) or ():
      self._offer(name, f'{self._package}.{name}')
    for module, names in (self._literal(arguments.get('submod_attrs')) or {}).items():
      for name in names:
        self._offer(name, f'{self._package}.{module}')

  def _offer(self, name: str, module: str) -> None:
    self.offers[name] = module
    self._add(module, lazy=True)

  def _literal(self, node: Optional[ast.AST]):
    return ast.literal_eval(node) if node is not None else None

  def _absolute(self, module: str) -> str:
    name = module.lstrip('.')
    level = len(module) - len(name)
    if not level:
      return name
    parts = self._package.split('.')
    return '.'.join(parts[: len(parts) - level + 1] + ([name] if name else []))

  def read_stub(self, tree: ast.Module) -> None:
    """`lazy_loader.attach_stub` offers what the imports in `__init__.pyi` say."""
    for node in tree.body:
      if isinstance(node, ast.ImportFrom):
        module = self._absolute('.' * node.level + (node.module or ''))
        for alias in node.names:
          self._offer(alias.asname or alias.name, module if node.module else f'{module}.{alias.name}')


def _is_slow(tree: ast.Module) -> bool:
  """Whether all tests in the file are marked slow."""

  def marked(nodes: Iterable[ast.expr]) -> bool:
    return any('pytest.mark.slow' in ast.unparse(node) for node in nodes)

  def tests(body: List[ast.stmt], slow: bool) -> Iterator[bool]:
    for node in body:
      if isinstance(node, ast.ClassDef) and node.name.startswith('Test'):
        yield from tests(node.body, slow or marked(node.decorator_list))
      elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith('test'):
        yield slow or marked(node.decorator_list)

  file_marks = [
    node.value
    for node in tree.body
    if isinstance(node, ast.Assign) and any(getattr(target, 'id', '') == 'pytestmark' for target in node.targets)
  ]
  found = list(tests(tree.body, marked(file_marks)))
  return bool(found) and all(found)


def _is_main_guard(node: ast.stmt) -> bool:
  return isinstance(node, ast.If) and '__name__' in ast.unparse(node.test) and '__main__' in ast.unparse(node.test)


def read(root: pathlib.Path, path: str) -> Source:
  """Parses one file. Raises a SyntaxError that names it if it isn't Python."""
  tree = ast.parse((root / path).read_text(encoding='utf-8'), filename=path)
  reader = _Reader(os.path.dirname(path).replace('/', '.'))
  reader.visit(tree)
  stub = root / (path + 'i')
  data: Tuple[str, ...] = ()
  if path.endswith('__init__.py') and stub.exists():
    reader.read_stub(ast.parse(stub.read_text(encoding='utf-8'), filename=path + 'i'))
    data = (os.path.basename(path) + 'i',)
  runs = any(_is_main_guard(node) for node in tree.body) or path.endswith('/__main__.py')
  return Source(path, reader.references, reader.offers, runs, _is_slow(tree), data)


class Graph:
  """Who needs whom: nodes are files, and the folders of lazy packages."""

  def __init__(self, sources: Iterable[Source]):
    self.sources = {source.path: source for source in sources}
    self._lazy: Set[str] = set()
    self._lazy = {
      source.folder
      for source in self.sources.values()
      if source.stem == '__init__'
      and any(self._targets(reference) for reference in source.references if reference.lazy)
    }
    self.edges: Dict[Node, Set[Node]] = {path: self._needs(source) for path, source in self.sources.items()}
    for folder in self._lazy:
      init = self.sources[f'{folder}/__init__.py']
      # What the file itself draws in, and what it brings when it is asked.
      self.edges[f'{folder}/'] = {init.path}.union(*(self._targets(reference) for reference in init.references))
      self.edges[f'{folder}/'].discard(f'{folder}/')

  def _file(self, module: str) -> Optional[str]:
    base = module.replace('.', '/')
    for path in (f'{base}.py', f'{base}/__init__.py'):
      if path in self.sources:
        return path
    return None

  def _whole(self, path: str) -> Node:
    """The node for a module that is used as such: of a lazy package, all that it offers."""
    source = self.sources[path]
    is_lazy = source.stem == '__init__' and source.folder in self._lazy
    return f'{source.folder}/' if is_lazy else path

  def _targets(self, reference: Reference) -> Set[Node]:
    """The nodes that a reference needs: none if it isn't to this repository."""
    if reference.prefix:
      folder = reference.module.replace('.', '/')
      ending = f'.{reference.name}' if reference.name else ''
      inside = [self._file(f'{reference.module}.{name}{ending}') for name in self._children(folder)]
      return {self._whole(path) for path in inside if path}
    if reference.name and (path := self._file(f'{reference.module}.{reference.name}')):
      return {self._whole(path)}
    path = self._file(reference.module)
    if path is None:
      # 'tfacme.agents.dqn.DQNBuilder': a string may name what is in a module.
      module = reference.module.rpartition('.')[0]
      path = self._file(module) if reference.lazy and module else None
      return {self._whole(path)} if path else set()
    offered = self.sources[path].offers.get(reference.name or '')
    if offered and (offering := self._file(offered)):
      return {path, self._whole(offering)}
    return {self._whole(path)}

  def _children(self, folder: str) -> Set[str]:
    inside = (path[len(folder) + 1 :] for path in self.sources if path.startswith(folder + '/'))
    return {re.split(r'[/.]', name)[0] for name in inside} - {'__init__'}

  def _needs(self, source: Source) -> Set[Node]:
    needs: Set[Node] = set()
    for reference in source.references:
      # What an __init__.py imports later is for those who ask for it: see `_whole`.
      if not (reference.lazy and source.stem == '__init__'):
        needs |= self._targets(reference)
    folders = [source.folder, *(parent.as_posix() for parent in pathlib.PurePosixPath(source.folder).parents)]
    inits = [init for folder in folders if (init := f'{folder}/__init__.py') in self.sources and init != source.path]
    needs |= set(inits[:1])
    if source.is_test:
      needs |= {path for folder in folders if (path := f'{folder}/conftest.py') in self.sources}
    return needs - {source.path}

  def components(self) -> List[List[Node]]:
    """The groups of nodes that need each other, those first that the others need (Tarjan's algorithm)."""
    order: Dict[Node, int] = {}
    low: Dict[Node, int] = {}
    stack: List[Node] = []
    waiting: Set[Node] = set()
    found: List[List[Node]] = []

    def visit(node: Node) -> None:
      order[node] = low[node] = len(order)
      stack.append(node)
      waiting.add(node)
      for needed in sorted(self.edges[node]):
        if needed not in order:
          visit(needed)
          low[node] = min(low[node], low[needed])
        elif needed in waiting:
          low[node] = min(low[node], order[needed])
      if low[node] == order[node]:
        component: List[Node] = []
        while not component or component[-1] != node:
          component.append(stack.pop())
          waiting.discard(component[-1])
        found.append(sorted(component))

    for node in sorted(self.edges):
      if node not in order:
        visit(node)
    return found

  def _name(self, folder: str, sources: List[Source], nodes: List[Node]) -> str:
    package = os.path.basename(folder)
    if f'{folder}/' in nodes:
      return package
    if f'{folder}/__init__.py' in nodes:
      return '__init__' if folder in self._lazy else package
    first = ([source for source in sources if source.folder == folder] or sources)[0]
    return f'{first.stem}_module' if first.stem == package else first.stem

  def targets(self) -> List[Target]:
    """All targets, with the labels that they depend on."""
    targets = []
    for nodes in self.components():
      sources = [self.sources[node] for node in nodes if node in self.sources]
      folder = os.path.commonpath([os.path.dirname(node) or '.' for node in nodes]).lstrip('.')
      targets.append(Target(folder, self._name(folder, sources, nodes), sources, nodes))
    owner = {node: target for target in targets for node in target.nodes}
    for target in targets:
      needed = {owner[needed].label for node in target.nodes for needed in self.edges[node]} - {target.label}
      target.dependencies = sorted(_short(label, target.folder) for label in needed)
    return targets


def _short(label: str, folder: str) -> str:
  """The label as buildifier writes it in that folder."""
  package, _, name = label[2:].partition(':')
  return f':{name or os.path.basename(package)}' if package == folder else label


def _list(items: Iterable[str], indent: str = '    ') -> str:
  items = list(items)
  if len(items) == 1:
    return f'["{items[0]}"]'
  return '[\n' + ''.join(f'{indent}    "{item}",\n' for item in items) + f'{indent}]'


def _order(label: str) -> Tuple[bool, str]:
  """As buildifier sorts: this folder's own before the others'."""
  return (label.startswith('//'), label.replace(':', '!'))


def _rule(target: Target) -> str:
  """The text of one rule."""
  main = target.sources[0] if len(target.sources) == 1 else None
  fields = {'name': f'"{target.name}"'}
  kind = 'py_library'
  if main and main.is_test:
    kind = 'pytest_test'
    if target.folder.startswith(LARGE_TESTS):
      fields['size'] = '"large"'
  elif main and main.runs:
    kind = 'py_binary'
  if kind != 'pytest_test' and any(source.in_tests for source in target.sources):
    fields['testonly'] = 'True'
  sources = [
    source.path[len(target.folder) :].lstrip('/')
    if source.folder == target.folder
    else f'//{source.folder}:{os.path.basename(source.path)}'
    for source in target.sources
  ]
  if sources:
    fields['srcs'] = _list(sorted(sources, key=_order))
  data = [name for source in target.sources for name in source.data]
  if data:
    fields['data'] = _list(data)
  if kind == 'py_binary' and target.name != main.stem:
    fields['main'] = f'"{main.stem}.py"'
  if kind == 'pytest_test' and main.slow:
    fields['tags'] = '["slow"]'
  if target.dependencies:
    fields['deps'] = _list(sorted(target.dependencies, key=_order))
  return f'{kind}(\n' + ''.join(f'    {name} = {value},\n' for name, value in fields.items()) + ')\n'


def _build_file(inside: List[Target], exported: Iterable[str], elsewhere: Iterable[str]) -> str:
  """The text of one BUILD file. `elsewhere` are the targets of other folders that some of its files belong to."""
  rules = [_rule(target) for target in sorted(inside, key=lambda target: target.name)]
  parts = [HEADER]
  if any(rule.startswith('pytest_test') for rule in rules):
    parts.append('load("//bazel:pytest_test.bzl", "pytest_test")\n')
  parts.append('package(default_visibility = ["//visibility:public"])\n')
  if exported:
    belong = ''.join(f'# Files of {label}, whose files import each other.\n' for label in sorted(elsewhere))
    parts.append(f'{belong}exports_files({_list(sorted(exported), indent="")})\n')
  return '\n'.join(parts + rules)


def build_files(root: pathlib.Path) -> Dict[str, str]:
  """The text of each BUILD file, by its path relative to the root."""
  inside: Dict[str, List[Target]] = {}
  exported = {folder: set(names) for folder, names in EXPORTED.items()}
  elsewhere: Dict[str, Set[str]] = {}
  for target in Graph(read(root, path) for path in find_files(root)).targets():
    inside.setdefault(target.folder, []).append(target)
    for source in target.sources:
      inside.setdefault(source.folder, [])
      if source.folder != target.folder:
        exported.setdefault(source.folder, set()).add(os.path.basename(source.path))
        elsewhere.setdefault(source.folder, set()).add(target.label)
  return {
    os.path.join(folder, 'BUILD'): _build_file(targets, exported.get(folder, ()), elsewhere.get(folder, ()))
    for folder, targets in inside.items()
  }


def differences(root: pathlib.Path) -> Dict[str, Optional[str]]:
  """The BUILD files that are not as they should be, with their text; None for one that should not be there."""
  wanted: Dict[str, Optional[str]] = dict(build_files(root))
  for path in root.rglob('BUILD'):
    name = path.relative_to(root).as_posix()
    if name not in wanted and path.is_file() and path.read_text(encoding='utf-8').startswith(HEADER):
      wanted[name] = None
  return {
    name: text
    for name, text in wanted.items()
    if ((root / name).read_text(encoding='utf-8') if (root / name).exists() else None) != text
  }


def main() -> int:
  parser = argparse.ArgumentParser(description='Writes the BUILD files from the imports.')
  parser.add_argument('--check', action='store_true', help='write nothing; fail if a file is not as it should be')
  arguments = parser.parse_args()
  root = pathlib.Path(__file__).resolve().parent.parent
  changed = differences(root)
  for name, text in sorted(changed.items()):
    if arguments.check:
      print(f'{name} is not what the imports say: run `make build-files`')
    elif text is None:
      (root / name).unlink()
      print(f'removed {name}')
    else:
      (root / name).write_text(text, encoding='utf-8')
      print(f'wrote {name}')
  return 1 if arguments.check and changed else 0


if __name__ == '__main__':
  sys.exit(main())
