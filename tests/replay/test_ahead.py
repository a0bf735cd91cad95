"""Reading ahead: the same elements in the same order, one of them being made before it is asked for."""

import threading

import pytest

from tfacme.replay import ahead


def test_elements_come_in_their_order_and_one_is_made_ahead():
  made, second = [], threading.Event()

  def make(give_way):
    for i in range(4):
      give_way()
      made.append(i)
      if i == 1:
        second.set()
      yield i

  elements = ahead.Ahead(make)
  assert made == []  # until somebody wants the first
  assert next(elements) == 0
  assert second.wait(10)  # It was made with nobody waiting.
  assert list(elements) == [1, 2, 3] and made == [0, 1, 2, 3]


def test_an_element_that_is_not_made_yet_need_not_be_waited_for():
  may = threading.Event()

  def make(give_way):
    may.wait(10)
    yield 1

  elements = ahead.Ahead(make)
  assert not elements.ready(0.001)
  may.set()
  assert elements.ready() and next(elements) == 1


def test_what_fails_there_fails_here():
  def make(give_way):
    yield 1
    raise ValueError('damaged')

  elements = ahead.Ahead(make)
  assert next(elements) == 1
  for _ in range(2):
    with pytest.raises(ValueError, match='damaged'):
      next(elements)


def test_it_stops_where_it_gives_way():
  working = threading.Event()

  def make(give_way):
    yield 0
    while True:
      working.set()
      give_way()

  elements = ahead.Ahead(make)
  next(elements)
  assert working.wait(10)
  elements.close()
  assert 'reading ahead' not in [thread.name for thread in threading.enumerate()]


def test_one_that_does_not_come_to_give_way_is_left_to_end_by_itself(monkeypatch):
  monkeypatch.setattr(ahead, '_CLOSE_SECONDS', 0.05)
  may, ended = threading.Event(), threading.Event()

  def make(give_way):
    try:
      may.wait(60)  # as with a disk that does not answer
      give_way()
      yield 0
    finally:
      ended.set()

  elements = ahead.Ahead(make)
  assert not elements.ready(0.001)
  elements.close()
  assert not ended.is_set()
  may.set()
  assert ended.wait(10)
