"""Arrays on disk, a piece at a time."""

import numpy as np
import pytest

from tfacme.replay import array_file


def _write(path, arrays):
  with array_file.ArrayWriter(path) as file:
    for name, array in arrays.items():
      half = len(array) // 2
      file.write(name, array.dtype, array.shape, [array[:half], array[half:]])
    return file.digest


def _arrays():
  random = np.random.default_rng(0)
  return {
    'rows/observation': random.integers(0, 256, (5000, 4096), np.uint8),  # Three pieces.
    'replay/priorities': random.random(7),
    'replay/numbers': random.integers(0, 100, 3_000_000, np.int32),
    'replay/none': np.zeros((0, 3), np.float32),
  }


def test_arrays_come_back_whole_and_in_pieces(tmp_path):
  path, arrays = str(tmp_path / 'replay.npz'), _arrays()
  digest = _write(path, arrays)
  with array_file.ArrayReader(path) as file:
    for name, array in arrays.items():
      got = file.read(name)
      assert got.dtype == array.dtype
      np.testing.assert_array_equal(got, array)
    assert file.digest == digest
  with array_file.ArrayReader(path) as file:
    for name, array in arrays.items():
      with file.pieces(name, multiple=7) as (count, pieces):
        assert count == len(array)
        start = 0
        for piece in pieces:
          np.testing.assert_array_equal(piece, array[start : start + len(piece)])
          assert len(piece) % 7 == 0 or start + len(piece) == count
          start += len(piece)
        assert start == count
    assert file.digest == digest


def test_numpy_reads_it(tmp_path):
  path, arrays = str(tmp_path / 'replay.npz'), _arrays()
  _write(path, arrays)
  with np.load(path) as file:
    assert set(file.files) == set(arrays)
    np.testing.assert_array_equal(file['rows/observation'], arrays['rows/observation'])


@pytest.mark.parametrize('other', [{'a': np.zeros(3)}, {'b': np.ones(3)}, {'b': np.zeros(3, np.int64)}, {}])
def test_the_digest_shows_every_difference(other, tmp_path):
  path = str(tmp_path / 'replay.npz')
  assert _write(path, {'b': np.zeros(3)}) != _write(path, other)


def test_bytes_that_have_changed_are_noticed(tmp_path):
  path, arrays = str(tmp_path / 'replay.npz'), _arrays()
  digest = _write(path, arrays)
  with open(path, 'r+b') as file:
    file.seek(10_000)
    file.write(b'\x00\x01\x02')
  with pytest.raises(Exception, match='CRC|differs'):  # noqa: B017
    with array_file.ArrayReader(path) as file:
      file.read('rows/observation')
      assert file.digest == digest, 'differs'
