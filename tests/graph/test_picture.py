"""The picture of a graph: it parses, nothing overlaps, every label is there."""

import itertools
from xml.etree import ElementTree

import pytest

from tfacme.graph import picture

_SVG = '{http://www.w3.org/2000/svg}'


def online_graph(actors, others=()):
  """The graph of an online run, with extra nodes of the user's own that talk to replay."""
  nodes = [picture.NodeInfo(name, name, 0) for name in ('replay', 'counter', 'learner', 'evaluator', 'saver')]
  nodes += [picture.NodeInfo(f'actor-{index}', 'actor', index) for index in range(actors)]
  nodes += [picture.NodeInfo(name, name, 0) for name in others]
  edges = [
    picture.Edge('replay', 'learner', 'batches'),
    picture.Edge('learner', 'replay', 'priorities'),
    picture.Edge('learner', 'evaluator', 'variables'),
    picture.Edge('learner', 'counter', 'counts'),
    picture.Edge('evaluator', 'counter', 'counts'),
    picture.Edge('counter', 'evaluator', 'counts'),
    picture.Edge('saver', 'learner', 'state'),
    picture.Edge('saver', 'replay', 'state'),
    picture.Edge('saver', 'counter', 'state'),
  ]
  for index in range(actors):
    actor = f'actor-{index}'
    edges.append(picture.Edge(actor, 'replay', 'steps'))
    edges.append(picture.Edge('learner', actor, 'variables'))
    edges.append(picture.Edge(actor, 'counter', 'counts'))
    edges.append(picture.Edge('counter', actor, 'budget'))
    edges.append(picture.Edge('counter', actor, 'steps so far'))
  edges += [picture.Edge(name, 'replay', 'steps <raw> & more') for name in others]
  return picture.Graph(nodes, edges)


def _rectangles(root, kind):
  for rectangle in root.iter(f'{_SVG}rect'):
    if rectangle.get('class') == kind:
      yield [float(rectangle.get(name)) for name in ('x', 'y', 'width', 'height')]


def _overlap(a, b):
  return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@pytest.mark.parametrize(
  ('actors', 'others'), [(0, ()), (1, ()), (4, ()), (100, ()), (4, ('prefill', 'monitor', 'planner', 'demonstrator'))]
)
def test_boxes_and_labels(actors, others):
  graph = online_graph(actors, others)
  root = ElementTree.fromstring(picture.graph_svg(graph))
  boxes = list(_rectangles(root, 'group'))
  assert len(boxes) == 5 + bool(actors) + len(others)
  labels = list(_rectangles(root, 'background'))
  for a, b in itertools.combinations(boxes + labels, 2):
    assert not _overlap(a, b)
  (page,) = _rectangles(root, 'page')
  for x, y, width, height in boxes + labels:
    assert page[0] <= x and x + width <= page[0] + page[2]
    assert page[1] <= y and y + height <= page[1] + page[3]
  members = list(_rectangles(root, 'member'))
  assert len(members) == {0: 0, 1: 0, 4: 4, 100: 3}[actors]
  for a, b in itertools.combinations(members, 2):
    assert not _overlap(a, b)


@pytest.mark.parametrize('actors', [1, 4, 100])
def test_all_that_flows_is_written(actors):
  graph = online_graph(actors, ('prefill',))
  roles = {node.name: node.role for node in graph.nodes}
  root = ElementTree.fromstring(picture.graph_svg(graph))
  written = [text.text for text in root.iter(f'{_SVG}text') if text.get('class') == 'label']
  expected = {(roles[edge.source], roles[edge.target], edge.label) for edge in graph.edges}
  assert sorted(written) == sorted(label for _, _, label in expected)
  arrows = [path for path in root.iter(f'{_SVG}path') if path.get('class') == 'edge']
  assert len(arrows) == len({(source, target) for source, target, _ in expected})
  titles = [text.text for text in root.iter(f'{_SVG}text') if text.get('class') == 'title']
  assert ('actor-0' if actors == 1 else f'actor × {actors}') in titles


def test_a_graph_without_nodes():
  ElementTree.fromstring(picture.graph_svg(picture.Graph((), ())))
