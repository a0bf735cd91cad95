"""The scores that pages tell of agents that learn from recorded data."""

import collections
import csv
import json
import re

import numpy as np

from tests.pages import ROOT


def _tables(text):
  """(environment, kinds of data, cells of a row) of each row of a table of scores of recorded data."""
  environment, kinds = None, ()
  for line in text.splitlines():
    cells = [cell.strip() for cell in line.strip('|').split('|')] if line.startswith('|') else ()
    if len(cells) > 1 and 'expert' in cells:
      environment, kinds = cells[0].strip('`'), cells[1:]
    elif cells and environment and not cells[0].startswith('---'):
      yield environment, kinds, cells
    elif not cells:
      environment = None


def test_scores_of_recorded_data_are_those_of_the_results():
  """Of all seeds, as whole numbers; the agents' own pages have the mean in front."""
  with open(ROOT / 'benchmarks/results/offline/scores.csv', encoding='utf-8') as file:
    rows = list(csv.DictReader(file))
  made = json.loads((ROOT / 'benchmarks/results/offline/datasets.json').read_text(encoding='utf-8'))
  tasks = {one['environment']: task for task, one in made.items()}
  checked = collections.Counter()
  for path in [ROOT / 'README.md', *sorted((ROOT / 'tfacme/agents').glob('*/README.md'))]:
    for environment, kinds, (name, *cells) in _tables(path.read_text(encoding='utf-8')):
      linked = re.search(r'agents/(\w+)/', name)
      agent = linked[1] if linked else name
      for kind, cell in zip(kinds, cells, strict=True):
        found = [r for r in rows if (r['task'], r['data'], r['agent']) == (tasks[environment], kind, agent)]
        scores = [float(row['score']) for row in sorted(found, key=lambda row: int(row['seed']))]
        each = ', '.join(f'{score:.0f}' for score in scores)
        assert cell == (each if linked else f'{np.mean(scores):.0f} ({each})'), (path, environment, agent, kind)
        checked[path.parent.name] += 1
  assert len(checked) == 10 and sum(checked.values()) > 80  # nine pages of agents, and that of all
