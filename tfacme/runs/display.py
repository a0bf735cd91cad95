"""What a user sees during a run: a live display on a terminal, and plain lines where there is none."""

from __future__ import annotations

import collections
import itertools
import re
import sys
import time
from typing import Any, Callable, Deque, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import rich.console
import rich.live
import rich.progress_bar
import rich.table
import rich.text

from tfacme import errors
from tfacme.runs import reporting
from tfacme.workers import playing

_REFRESH_SECONDS = 0.25  # of the live display
_LINE_SECONDS = 10.0  # between plain lines, unless a tenth of the budget has passed
_LINES = 10
_STALL_SECONDS = 10.0  # a side that waits for longer is worth a line
_EVALUATOR = 'evaluator'  # the name of an evaluation that has been given none
_RATE_SECONDS = 20.0  # over which rates are taken


class _Sample(NamedTuple):
  """The counts at a time."""

  seconds: float
  held: float  # seconds of evaluations that paused all else
  steps: int
  actor_steps: int
  learner_steps: int


class Display:
  """Shows the progress of a run, from the statuses that it is given.

  A status is a plain dict:

      {'unit': 'actor_steps', 'steps': 1200, 'budget': 30000,
       'totals': {'actor_steps': 1200, 'actor_episodes': 130, 'learner_steps': 300, 'evaluator_episodes': 20},
       'held_seconds': 2.5, 'ended': None,
       'notes': {'actor-0': {'recent_return': 0.8, 'blocked': None, 'blocked_seconds': 0.0},
                 'learner': {'loss': 0.1, 'replay_size': 900, 'replay_max': 100000,
                             'blocked': 'the rate limiter to allow a sample', 'blocked_seconds': 12.0},
                 'saver': {'doing': 'saving a checkpoint'},
                 'evaluator': {'evaluation_return': 0.6, 'evaluation_columns': {'normalized_score': 80.0},
                               'evaluation_cut': None,
                               'evaluating': {'episodes': 3, 'of': 20, 'steps': 70, 'seconds': 0.1,
                                              'max_steps': 27000}}},
       'nodes': {'actor-0': {'counts': {'actor_steps': 1200}, 'restarts': 0, 'lost': False, 'finished': False,
                             'silent_seconds': 0.3}}}

  `notes` are what each node reports, in the order in which they are shown; all of them may be missing, as may `nodes`,
  which are for `tfacme status`. `held_seconds`
  is for how long evaluations have paused all else, as they do in one thread; `ended` is why the run ends before its
  budget is spent. A display is no part of the run: it raises nothing, and an error in it ends the display with one line
  on standard error.
  """

  def __init__(
    self, clock: Callable[[], float] = time.monotonic, console: Optional[rich.console.Console] = None, live: Any = None
  ):
    """A display on standard output, or on `console`.

    Args:
      clock: tells the time in seconds.
      console: where to show.
      live: whether to redraw in place; None does so on a terminal.
    """
    self._clock = clock
    self._console = console or rich.console.Console(file=sys.stdout, highlight=False)
    self._live_wanted = self._console.is_terminal if live is None else live
    self._live: Optional[rich.live.Live] = None
    self._failed = False
    self._first: Optional[_Sample] = None
    self._samples: Deque[_Sample] = collections.deque()
    self._still: Optional[_Sample] = None  # the newest before steps were made in this process
    self._moved: Optional[_Sample] = None  # the first at which all steps so far had been made
    self._doing = ''  # what nodes do, as it was last shown
    self._stalled: Set[str] = set()
    self._hanging: Set[str] = set()
    self._long: Set[str] = set()  # nodes whose long episode has been reported
    self._cut: Dict[str, str] = {}  # what each node last said of episodes that were cut off
    self._status: Mapping[str, Any] = {}
    self._shown_at = float('-inf')
    self._shown_part = 0

  def __enter__(self) -> Display:
    self._guard(self._start)
    return self

  def __exit__(self, *exception: Any) -> None:
    self._guard(self._finish)

  def update(self, status: Mapping[str, Any]) -> None:
    """Shows a status; may be called at any rate."""
    self._guard(self._update, status)

  def _guard(self, function: Callable[..., None], *arguments: Any) -> None:
    """Calls one of the display's own functions; the first that fails is the last."""
    if self._failed:
      return
    try:
      function(*arguments)
    except Exception as error:  # pylint: disable=broad-exception-caught  # A closed terminal must not end a run.
      self._failed = True
      print(f'tfacme: the display stopped ({type(error).__name__}: {error}); the run continues.', file=sys.stderr)

  def _start(self) -> None:
    if self._live_wanted:
      # Refreshed by `update`, so that the display has no thread and no other clock than its own.
      self._live = rich.live.Live(console=self._console, auto_refresh=False, transient=True)
      self._live.start()

  def _update(self, status: Mapping[str, Any]) -> None:
    self.take(status)
    news = (self._new_stalls, self._newly_hanging, self._new_long_episodes, self._newly_cut)
    for line in itertools.chain.from_iterable(new(status) for new in news):
      self._print(line)
    now, doing = self._clock(), _doing(status)
    if self._live is not None:
      # What a node begins may be all that happens for seconds.
      if doing != self._doing or now - self._shown_at >= _REFRESH_SECONDS:
        self._shown_at, self._doing = now, doing
        self._live.update(self.table(), refresh=True)
      return
    part = _LINES * status['steps'] // max(1, status['budget'])
    # Many a tenth is where a checkpoint is written: its line comes after that.
    if (part > self._shown_part and not doing) or now - self._shown_at >= _LINE_SECONDS:
      self._shown_at, self._shown_part = now, part
      self._print(self._line())

  def _finish(self) -> None:
    if self._live is not None:
      self._live.stop()
    if self._status:
      self._print(self._summary())

  def _print(self, line: str) -> None:
    # A line stays one line, however narrow what it is written to claims to be.
    self._console.print(line, markup=False, soft_wrap=True)

  def take(self, status: Mapping[str, Any]) -> None:
    """Takes in a status, and shows nothing: what rates and averages are made of."""
    self._status = status
    totals = status['totals']
    counts = (status['steps'], totals.get('actor_steps', 0), totals.get('learner_steps', 0))
    sample = _Sample(self._clock(), status.get('held_seconds', 0.0), *counts)
    self._first = self._first or sample
    if self._moved is None or sample.steps != self._moved.steps:
      self._moved = sample
    if sample.steps == self._first.steps:
      self._still = sample
      self._samples.clear()  # Starting is no pace.
    if self._samples and sample.learner_steps < self._samples[-1].learner_steps:
      self._samples.clear()  # A resumed learner has reported where it begins.
    self._samples.append(sample)
    while sample.seconds - self._samples[0].seconds > _RATE_SECONDS and len(self._samples) > 2:
      self._samples.popleft()

  def _new_stalls(self, status: Mapping[str, Any]) -> Iterator[str]:
    """A line for each side that has begun to wait for too long; a side is all nodes of a role."""
    waiting: Dict[str, List[Tuple[float, str]]] = {}
    for name, note in status.get('notes', {}).items():
      seconds = note.get('blocked_seconds') or 0.0
      if note.get('blocked') and seconds >= _STALL_SECONDS:
        waiting.setdefault(re.sub(r'-\d+$', '', name), []).append((seconds, note['blocked']))
    for side, nodes in waiting.items():
      if side not in self._stalled:
        who = f'The {side} has' if len(nodes) == 1 else f'{len(nodes)} {side}s have'
        seconds, reason = max(nodes)
        yield f'{who} been waiting for {seconds:.0f} s for {reason}.'
    self._stalled = set(waiting)

  def _newly_hanging(self, status: Mapping[str, Any]) -> Iterator[str]:
    """A line for each node that has begun to hang in its environment."""
    for name, seconds, call in _hanging(status):
      if name not in self._hanging:
        yield f'{name} has been in {call} for {seconds:.0f} s.'
    self._hanging = {name for name, _, _ in _hanging(status)}

  def _new_long_episodes(self, status: Mapping[str, Any]) -> Iterator[str]:
    """A line for each evaluation whose episode has begun to take long."""
    for name, news in _noted(status, 'evaluating'):
      if news['seconds'] >= playing.LONG_SECONDS and name not in self._long:
        self._long.add(name)
        yield f'{name}: {playing.long_episode(news["steps"], news["seconds"], news["max_steps"])}'
    self._long &= {name for name, _ in _noted(status, 'evaluating')}

  def _newly_cut(self, status: Mapping[str, Any]) -> Iterator[str]:
    """A line for each evaluation that has cut episodes off."""
    for name, line in _noted(status, 'evaluation_cut'):
      if self._cut.get(name) != line:
        self._cut[name] = line
        yield line

  def _facts(self) -> Dict[str, str]:
    """What there is to say, in words."""
    status, totals = self._status, self._status['totals']
    facts = {'steps': f'{status["steps"]:,} of {status["budget"]:,} {_unit(status["unit"])}'}
    acting, learning, remaining = self._rates()
    spent = status['steps'] >= status['budget']
    if status.get('ended'):
      facts['stops since'] = status['ended']
    elif remaining is not None and not spent:
      facts['time left'] = duration(remaining)
    if doing := _doing(status):
      facts['now'] = doing
    elif spent:
      facts['now'] = 'learning what is left, then evaluating and saving'
    if (recent := _recent_return(status)) is not None:
      facts['return'] = f'{recent:.2f}'
    elif totals.get('actor_steps') and not totals.get('actor_episodes'):
      facts['return'] = 'none, no episode has ended yet'
    facts.update(_evaluations(status))
    playing_now = [
      f'{news["episodes"]} of {news["of"]} episodes{"" if name == _EVALUATOR else f" of {name}"}, the longest has '
      f'{news["steps"]:,} steps'
      for name, news in _noted(status, 'evaluating')
    ]
    if playing_now:
      facts['evaluating'] = '; '.join(playing_now)
    if len(self._samples) > 1:  # Before there is a second one no rate is known.
      # All may wait for an evaluation, and once the steps are made there is no rate any more.
      if status['unit'] == 'actor_steps' and not spent and not (playing_now and not acting):
        facts['acting'] = f'{acting:,.0f} steps/s'
      facts['learning'] = f'{totals.get("learner_steps", 0):,} steps, {learning:,.0f}/s'
    for loss in _notes(status, 'loss'):
      facts['loss'] = f'{loss:.3g}'
    for size, most in zip(_notes(status, 'replay_size'), _notes(status, 'replay_max')):
      facts['replay'] = f'{size:,.0f} of {most:,.0f} items'
    if hanging := _hanging(status):
      name, seconds, call = max(hanging, key=lambda found: found[1])
      facts['hanging'] = f'{name} in {call} for {seconds:.0f} s'
    held = [f'{name} for {note["blocked"]}' for name, note in status.get('notes', {}).items() if note.get('blocked')]
    if held:
      more = f' (and {len(held) - 1} more)' if len(held) > 1 else ''
      facts['waiting'] = held[0] + more
    return facts

  def _rates(self) -> Tuple[float, float, Optional[float]]:
    """Environment steps and learner steps a second, and the seconds that the run still takes (None: not known)."""
    old, new = self._samples[0], self._samples[-1]
    elapsed = new.seconds - old.seconds
    if elapsed <= 0:
      return 0.0, 0.0, None
    speed = (new.steps - old.steps) / elapsed
    seconds = max(1e-9, elapsed - (new.held - old.held))
    # While nothing is learned yet the actors are several times as fast as they will be.
    remaining = (self._status['budget'] - new.steps) / speed if speed > 0 and new.learner_steps else None
    return (new.actor_steps - old.actor_steps) / seconds, (new.learner_steps - old.learner_steps) / seconds, remaining

  def _line(self) -> str:
    return ' | '.join(text if name == 'steps' else f'{name} {text}' for name, text in self._facts().items())

  def table(self) -> rich.table.Table:
    """The picture on a terminal: a bar, and under it a line for each fact."""
    table = rich.table.Table.grid(padding=(0, 2))
    table.add_column(style='bold cyan', justify='right')
    table.add_column()
    total = max(1, self._status['budget'])
    table.add_row('progress', _bar(total, self._status['steps']))
    for name, text in self._facts().items():
      style = 'yellow' if name in ('waiting', 'hanging') else ''
      table.add_row(name, rich.text.Text(text, style=style, no_wrap=True, overflow='ellipsis'))
    return table

  def _summary(self) -> str:
    """The line that is left at the end: how long it took in this process, and how fast it was.

    What came of it is said by the line after it, or here, if the run was stopped.
    """
    status, first = self._status, self._first
    assert first is not None
    complete = status['steps'] >= status['budget'] or bool(status.get('ended'))
    took = duration(max(0.0, self._clock() - first.seconds))
    so_far = f'{status["steps"]:,} of {status["budget"]:,} {_unit(status["unit"])} in {took}'
    parts = [f'Took {took}' if complete else so_far]
    if pace := self._pace():
      parts.append(pace)
    learned = status['totals'].get('learner_steps', 0)
    if status['unit'] == 'actor_steps' and learned:
      parts.append(f'{learned:,} learner steps')
    if not complete:
      evaluations = _evaluations(status)
      parts += [f'{name} return {text}' for name, text in evaluations.items()]
      if not evaluations and (recent := _recent_return(status)) is not None:
        parts.append(f'return {recent:.2f}')
    return ', '.join(parts) + '.'

  def _pace(self) -> str:
    """How fast the steps of this process were made: from the first to the last of them, without evaluations."""
    begun, ended = self._still, self._moved
    if begun is None or ended is None or ended.steps <= begun.steps:
      return ''
    held = ended.held - begun.held
    seconds = max(1e-9, ended.seconds - begun.seconds - held)
    what = 'acting' if self._status['unit'] == 'actor_steps' else 'learning'
    without = f' without {duration(held)} of evaluations' if held >= 1 else ''
    return f'{what} at {(ended.steps - begun.steps) / seconds:,.0f} steps/s{without}'


def table(statuses: Sequence[Tuple[float, Mapping[str, Any]]]) -> rich.table.Table:
  """The picture of the last of some statuses, with the rates since the first one.

  Args:
    statuses: each with its time in seconds.
  """
  times: List[float] = []
  shown = Display(clock=lambda: times[-1])
  for seconds, status in statuses:
    times.append(seconds)
    shown.take(status)
  return shown.table()


def _doing(status: Mapping[str, Any]) -> str:
  """What nodes do that takes long: 'starting and compiling (actor-0, learner)'."""
  nodes: Dict[str, List[str]] = {}
  for name, what in _noted(status, 'doing'):
    nodes.setdefault(what, []).append(name)
  return '; '.join(f'{what} ({errors.listed(names)})' for what, names in nodes.items())


def _noted(status: Mapping[str, Any], key: str) -> Iterator[Tuple[str, Any]]:
  """What the nodes say under a key, those that say it, with their names."""
  for name, note in status.get('notes', {}).items():
    if note.get(key) is not None:
      yield name, note[key]


def _hanging(status: Mapping[str, Any]) -> List[Tuple[str, float, str]]:
  """Which nodes hang in their environments, for how many seconds, and in which call."""
  return [(name, status['notes'][name]['hangs_seconds'], call) for name, call in _noted(status, 'hangs_in')]


def _notes(status: Mapping[str, Any], key: str) -> Iterator[Any]:
  return (value for _, value in _noted(status, key))


def _evaluations(status: Mapping[str, Any]) -> Dict[str, str]:
  """What came of each evaluation so far, by what it is called: '0.60 (normalized_score 80)'."""
  made = dict(_noted(status, 'evaluation_columns'))
  columns = {name: reporting.columns(made.get(name, {})) for name, _ in _noted(status, 'evaluation_return')}
  return {
    'evaluation' if name == _EVALUATOR else name: f'{value:.2f}{f" ({columns[name]})" if columns[name] else ""}'
    for name, value in _noted(status, 'evaluation_return')
  }


def _recent_return(status: Mapping[str, Any]) -> Optional[float]:
  """The mean over the actors that have ended an episode; None if none has."""
  returns = list(_notes(status, 'recent_return'))
  return sum(returns) / len(returns) if returns else None


def _bar(total: int, completed: int) -> rich.progress_bar.ProgressBar:
  # In colours that every terminal has: rich's own for a finished bar is grey on some.
  return rich.progress_bar.ProgressBar(total, completed, width=48, complete_style='cyan', finished_style='green')


def _unit(unit: str) -> str:
  return 'environment steps' if unit == 'actor_steps' else 'learner steps'


def duration(seconds: float) -> str:
  """'48 s', '3 min 20 s', '2 h 5 min'."""
  seconds = round(seconds)
  if seconds < 60:
    return f'{seconds} s'
  if seconds < 3600:
    return f'{seconds // 60} min {seconds % 60} s'
  return f'{seconds // 3600} h {seconds % 3600 // 60} min'
