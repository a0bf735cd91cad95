"""Says which files, functions and constructors of tfacme are too long to be read in one go: `make lint`."""

from __future__ import annotations

import ast
import pathlib
import sys
from typing import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE, FUNCTION, CONSTRUCTOR = 400, 50, 8  # lines, lines and arguments that there are fewer of


def too_long(path: str, text: str) -> Iterator[str]:
  """A line for each thing in a file of this text."""
  count = len(text.splitlines())
  if count >= FILE:
    yield f'{path}: {count} lines; split it'
  for node in ast.walk(ast.parse(text)):
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
      continue
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    arguments = len([*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]) - 1
    if lines >= FUNCTION:
      yield f'{path}:{node.lineno}: {node.name} has {lines} lines; split it'
    if node.name == '__init__' and arguments >= CONSTRUCTOR:
      yield f'{path}:{node.lineno}: a constructor has {arguments} arguments; let some be one thing'


def main() -> int:
  """Prints what is too long; 1 if anything is."""
  paths = sorted((ROOT / 'tfacme').rglob('*.py'))
  found = [line for path in paths for line in too_long(str(path.relative_to(ROOT)), path.read_text())]
  print(*found, sep='\n', end='\n' if found else '')
  return 1 if found else 0


if __name__ == '__main__':
  sys.exit(main())
