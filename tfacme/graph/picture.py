"""The picture of a program graph: nodes in groups, arrows labelled by what flows along them. Plain SVG, made by hand.

Nodes of one role make one box, so that a hundred actors are as easy to read as one. The boxes of the roles that each
run has stand in fixed places. The arrows are curves: of a few candidates each takes the one that crosses the fewest
boxes and other arrows, the short arrows choosing first. Then each label takes the place along its arrow where it covers
the least.
"""

from __future__ import annotations

import math
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple
from xml.sax import saxutils

import numpy as np

Point = Tuple[float, float]


class NodeInfo(NamedTuple):
  """A node of a program."""

  name: str  # 'actor-3'
  role: str  # 'actor'
  index: int  # 3: its number among the nodes of its role


class Edge(NamedTuple):
  """Something that flows between two nodes."""

  source: str  # the name of the node that it comes from
  target: str
  label: str  # what flows, such as 'steps' or 'variables'


class Graph(NamedTuple):
  """The nodes of a program and what flows between them."""

  nodes: Sequence[NodeInfo]
  edges: Sequence[Edge]


class _Rectangle(NamedTuple):
  x: float
  y: float
  width: float
  height: float

  @property
  def center(self) -> Point:
    return self.x + self.width / 2, self.y + self.height / 2

  def grown(self, margin: float) -> _Rectangle:
    return _Rectangle(self.x - margin, self.y - margin, self.width + 2 * margin, self.height + 2 * margin)

  def holds(self, points: np.ndarray) -> np.ndarray:
    """Which of the points [n, 2] are in it."""
    x, y = points[:, 0], points[:, 1]
    return (self.x <= x) & (x <= self.x + self.width) & (self.y <= y) & (y <= self.y + self.height)

  def overlaps(self, other: _Rectangle) -> bool:
    apart_x = self.x + self.width <= other.x or other.x + other.width <= self.x
    apart_y = self.y + self.height <= other.y or other.y + other.height <= self.y
    return not (apart_x or apart_y)


class _Group(NamedTuple):
  """All nodes of one role, and where their box is."""

  role: str
  nodes: Sequence[NodeInfo]
  box: _Rectangle


class _Arrow(NamedTuple):
  """A drawn edge between two groups: a curve, and the rectangle of its label."""

  points: np.ndarray  # [n, 2], along the curve from the edge of one box to the edge of the other
  label: _Rectangle
  lines: Sequence[str]


# Where the roles stand: column, row. Roles that are not here take free places, row by row.
_PLACES = {
  'actor': (0, 0),
  'dataset': (0, 0),
  'replay': (1, 0),
  'learner': (2, 0),
  'counter': (0, 1),
  'saver': (1, 1),
  'evaluator': (2, 1),
}
_COLORS = {
  'actor': ('#e3f1e7', '#3f8f5b'),
  'dataset': ('#fdf0dc', '#c07f1c'),
  'replay': ('#fdf0dc', '#c07f1c'),
  'learner': ('#e2ecfa', '#3a6fb7'),
  'counter': ('#eeeef2', '#6b6f80'),
  'evaluator': ('#f3e6f5', '#8d4a9c'),
  'saver': ('#eeeef2', '#6b6f80'),
}
_OTHER_COLOR = ('#e4f3f4', '#2f8890')
_COLUMN, _ROW, _WIDTH = 330.0, 300.0, 170.0  # pixels between the middles of columns and of rows; width of a box
_TITLE, _MEMBER, _GAP = 38.0, 24.0, 6.0  # heights in a box: its title, one of its members, and the space around those
_MEMBERS_SHOWN = 4
_FONT = 13.0
_LINE = 17.0
_BENDS = (0.0, 0.12, -0.12, 0.25, -0.25, 0.4, -0.4, 0.6, -0.6)  # of a curve, as shares of its length
_PLACES_OF_LABELS = (0.5, 0.43, 0.57, 0.36, 0.64, 0.29, 0.71, 0.22, 0.78, 0.15, 0.85)  # along a curve
_STEP = 6  # a curve is drawn through every sixth of its 400 points


def graph_svg(graph: Graph) -> str:
  """The picture of a program graph, as the text of an SVG file."""
  groups = _groups(graph.nodes)
  arrows = _arrows(groups, _flows(graph))
  frame = _frame(groups, arrows)
  parts = [
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{frame.x:.0f} {frame.y:.0f} {frame.width:.0f} '
    f'{frame.height:.0f}" width="{frame.width:.0f}" height="{frame.height:.0f}" '
    f'font-family="Helvetica, Arial, sans-serif" font-size="{_FONT:.0f}">',
    '<title>Program graph</title>',
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
    'orient="auto-start-reverse"><path d="M0,1 L9,5 L0,9 z" fill="#50566b"/></marker></defs>',
    f'<rect class="page" x="{frame.x:.0f}" y="{frame.y:.0f}" width="{frame.width:.0f}" '
    f'height="{frame.height:.0f}" fill="#ffffff"/>',
  ]
  parts += [_curve_svg(arrow) for arrow in arrows]
  parts += [line for group in groups for line in _group_svg(group)]
  parts += [line for arrow in arrows for line in _label_svg(arrow)]
  return '\n'.join([*parts, '</svg>', ''])


def _groups(nodes: Sequence[NodeInfo]) -> List[_Group]:
  """One group for each role, in the order in which the roles appear."""
  members: Dict[str, List[NodeInfo]] = {}
  for node in nodes:
    members.setdefault(node.role, []).append(node)
  taken = {_PLACES[role] for role in members if role in _PLACES}
  free = ((column, row) for row in range(2, 2 + len(members)) for column in range(3))
  groups = []
  used = set()
  for role, group in members.items():
    place = _PLACES.get(role)
    if place is None or place in used:
      place = next(spot for spot in free if spot not in taken)
    used.add(place)
    group = sorted(group, key=lambda node: node.index)
    height = _TITLE + (_GAP + len(_shown(group)) * (_MEMBER + _GAP) if len(group) > 1 else 0)
    x, y = place[0] * _COLUMN, place[1] * _ROW
    groups.append(_Group(role, group, _Rectangle(x - _WIDTH / 2, y - height / 2, _WIDTH, height)))
  return groups


def _shown(nodes: Sequence[NodeInfo]) -> List[str]:
  """What is written in the box of a group: the names of its nodes, or of the first ones and the last."""
  names = [node.name for node in nodes]
  return names if len(names) <= _MEMBERS_SHOWN else [*names[: _MEMBERS_SHOWN - 2], '⋯', names[-1]]


def _flows(graph: Graph) -> Dict[Tuple[str, str], List[str]]:
  """What flows from role to role: {(source, target): labels}, each label once."""
  roles = {node.name: node.role for node in graph.nodes}
  flows: Dict[Tuple[str, str], List[str]] = {}
  for edge in graph.edges:
    labels = flows.setdefault((roles[edge.source], roles[edge.target]), [])
    if edge.label not in labels:
      labels.append(edge.label)
  return flows


def _arrows(groups: Sequence[_Group], flows: Dict[Tuple[str, str], List[str]]) -> List[_Arrow]:
  """Routes the arrows, the shortest first, and then finds places for their labels."""
  boxes = {group.role: group.box for group in groups}

  def length(pair: Tuple[str, str]) -> float:
    return math.dist(boxes[pair[0]].center, boxes[pair[1]].center)

  pairs = sorted((pair for pair in flows if pair[0] != pair[1]), key=length)
  curves: List[np.ndarray] = []
  for source, target in pairs:
    in_the_way = [box for role, box in boxes.items() if role not in (source, target)]
    # Two arrows between the same boxes must not lie on each other, so neither is straight.
    bends = _BENDS[1:] if (target, source) in flows else _BENDS
    candidates = [_curve(boxes[source], boxes[target], bend) for bend in bends]
    curves.append(min(candidates, key=lambda curve: _curve_cost(curve, in_the_way, curves)))
  arrows: List[_Arrow] = []
  for pair, curve in zip(pairs, curves):
    obstacles = [*boxes.values(), *(arrow.label for arrow in arrows)]
    others = [other for other in curves if other is not curve]
    label = min(_labels(curve, flows[pair]), key=lambda label: _label_cost(label, obstacles, others))
    arrows.append(_Arrow(curve, label, flows[pair]))
  return arrows


def _curve(source: _Rectangle, target: _Rectangle, bend: float) -> np.ndarray:
  """Points [n, 2] along a quadratic Bezier curve between two boxes, without what lies in them."""
  start, end = np.array(source.center), np.array(target.center)
  across = np.array([start[1] - end[1], end[0] - start[0]])
  control = (start + end) / 2 + 2 * bend * across
  t = np.linspace(0.0, 1.0, 400)[:, None]
  points = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
  between = points[~(source.grown(3).holds(points) | target.grown(6).holds(points))]
  return np.concatenate([between[:-_STEP:_STEP], between[-1:]])


def _curve_cost(curve: np.ndarray, boxes: Sequence[_Rectangle], drawn: Sequence[np.ndarray]) -> float:
  """How bad a curve is: the points of it that lie in boxes or on other curves, and its length."""
  in_boxes = sum(int(box.grown(14).holds(curve).sum()) for box in boxes)
  touching = sum(int((_distances(curve, other) < 12).any(axis=1).sum()) for other in drawn)
  length = float(np.hypot(*np.diff(curve, axis=0).T).sum())
  return 1000 * in_boxes + 20 * touching + length


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """From each point to each: [len(a), len(b)]."""
  return np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1])


def _labels(curve: np.ndarray, lines: Sequence[str]) -> Iterator[_Rectangle]:
  """The places that the label of a curve may have, the middle first."""
  width = max(len(line) for line in lines) * _FONT * 0.58 + 8
  height = len(lines) * _LINE + 2
  for share in _PLACES_OF_LABELS:
    x, y = curve[round(share * (len(curve) - 1))]
    yield _Rectangle(x - width / 2, y - height / 2, width, height)


def _label_cost(label: _Rectangle, boxes: Sequence[_Rectangle], curves: Sequence[np.ndarray]) -> float:
  """How bad a place of a label is: the boxes, other labels and curves of other arrows that it covers."""
  label = label.grown(5)
  return 10 * sum(label.overlaps(box) for box in boxes) + sum(bool(label.holds(curve).any()) for curve in curves)


def _frame(groups: Sequence[_Group], arrows: Sequence[_Arrow]) -> _Rectangle:
  """What holds everything, with a margin."""
  corners = []
  for box in [group.box for group in groups] + [arrow.label for arrow in arrows]:
    corners += [(box.x, box.y), (box.x + box.width, box.y + box.height)]
  corners += [tuple(point) for arrow in arrows for point in arrow.points]
  xs, ys = zip(*corners) if corners else ((0.0,), (0.0,))
  return _Rectangle(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)).grown(28)


def _group_svg(group: _Group) -> Iterator[str]:
  fill, stroke = _COLORS.get(group.role, _OTHER_COLOR)
  box = group.box
  count = len(group.nodes)
  title = f'{group.role} × {count}' if count > 1 else group.nodes[0].name
  yield _rectangle_svg('group', box, f'rx="9" fill="{fill}" stroke="{stroke}" stroke-width="1.6"')
  yield _text_svg('title', box.center[0], box.y + _TITLE / 2, title, 'font-weight="bold" fill="#20232e"')
  if count == 1:
    return
  y = box.y + _TITLE
  for name in _shown(group.nodes):
    member = _Rectangle(box.x + 14, y, box.width - 28, _MEMBER)
    if name == '⋯':
      yield _text_svg('more', *member.center, name, f'fill="{stroke}"')
    else:
      yield _rectangle_svg('member', member, f'rx="5" fill="#ffffff" stroke="{stroke}" stroke-width="1"')
      yield _text_svg('name', *member.center, name, 'fill="#20232e"')
    y += _MEMBER + _GAP


def _curve_svg(arrow: _Arrow) -> str:
  # Through all the sampled points: the piece of the curve that is left between its boxes has no simple formula.
  path = ' L'.join(f'{x:.1f},{y:.1f}' for x, y in arrow.points)
  return f'<path class="edge" d="M{path}" fill="none" stroke="#50566b" stroke-width="1.4" marker-end="url(#head)"/>'


def _label_svg(arrow: _Arrow) -> Iterator[str]:
  yield _rectangle_svg('background', arrow.label, 'rx="3" fill="#ffffff" fill-opacity="0.92"')
  for index, line in enumerate(arrow.lines):
    y = arrow.label.y + 1 + _LINE * (index + 0.5)
    yield _text_svg('label', arrow.label.center[0], y, line, 'font-style="italic" fill="#3a3f52"')


def _rectangle_svg(kind: str, box: _Rectangle, style: str) -> str:
  return (
    f'<rect class="{kind}" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" {style}/>'
  )


def _text_svg(kind: str, x: float, y: float, text: str, style: str) -> str:
  # A third of the font's size below the middle puts the letters' middle there; not all viewers know dominant-baseline.
  return (
    f'<text class="{kind}" x="{x:.1f}" y="{y + _FONT / 3:.1f}" text-anchor="middle" {style}>'
    f'{saxutils.escape(text)}</text>'
  )
