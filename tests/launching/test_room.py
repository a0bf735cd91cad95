"""How many nodes the hosts of a cluster have room for."""

import pytest

from tfacme import errors
from tfacme.launching import room

_SMALL, _LARGE = {'CPU': 4.0, 'memory': 8e9}, {'CPU': 16.0, 'GPU': 2.0, 'memory': 64e9}


@pytest.mark.parametrize(
  'needs, told, small, large',
  [
    (room.Needs(1), 'a processor', 4, 16),
    (room.Needs(2, memory=4), '2 processors and 4 GB of memory', 2, 8),
    (room.Needs(0.1), '0.1 of a processor', 40, 160),
    (room.Needs(1, 1), 'a processor and a GPU', 0, 2),
    (room.Needs(8), '8 processors', 0, 2),
    (room.Needs(1, memory=16.5), 'a processor and 16.5 GB of memory', 0, 3),
    (room.Needs(gpus=0.5), '0.5 of a GPU', 0, 4),
  ],
)
def test_a_host_has_room_for_what_it_has_the_least_of(needs, told, small, large):
  assert str(needs) == told
  assert [needs.room([host]) for host in (_SMALL, _LARGE)] == [small, large]
  # Of several that each are too small, none is placed.
  assert needs.room([_SMALL, _LARGE, _SMALL]) == 2 * small + large


def test_what_there_is_no_room_for_is_one_sentence():
  room.check(4, room.Needs(1), 4)
  with pytest.raises(errors.UserError, match='takes 2 processors, and the Ray cluster has room for 3 of 4: make it'):
    room.check(4, room.Needs(2), 3)
  with pytest.raises(errors.UserError, match='has room for 0 of 1: make it larger, or have each take less'):
    room.check(1, room.Needs(2), 0)
