"""Replay on Reverb, for a replay that serves several threads, processes or hosts."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import zlib
from typing import Any, Dict, List, Optional, Sequence, Type

import reverb

from tfacme import errors
from tfacme.replay import packing, reverb_answers, reverb_tables, servers, streams, tables
from tfacme.replay.reverb_reader import ReverbReader, Scale
from tfacme.replay.reverb_writers import EpisodeWriter, ItemWriter, Writers

# Items that the writers of a client may have on their way together, or one each if that is more. More hides the
# server's delay from an actor; fewer follow the limiter more closely.
_PENDING = 8
_LONGEST_WAIT = 60  # seconds that a checkpoint waits for the server
_SAVED = 'reverb'  # a server's checkpoint within ours
SERVER_FOLDER = 'replay_server'  # of a run's, where each server has a folder for its own checkpoints


class ReverbReplay:
  """The tables of a Reverb server, as its clients see them; see `streams.Replay`."""

  kind = 'reverb'

  def __init__(self, client: reverb.Client, codec: packing.Codec, described: Sequence[tables.Table]):
    self.codec = codec
    self._client = client
    self._server = reverb_answers.Asked(client)
    self._tables = tuple(described)
    self._writers = 0
    self._readers: List[ReverbReader] = []
    self._scales = {table.name: Scale() for table in self._tables}
    unknown = math.nan
    self._usage = {t.name: streams.usage(t, unknown, unknown, unknown) for t in self._tables}

  def writer(self, role: str = 'actor') -> streams.StreamWriter:
    """A writer for one stream of a role."""
    kinds: Dict[Type[Any], List[tables.Table]] = {ItemWriter: [], EpisodeWriter: []}
    for table in self._tables:
      if role not in table.written_by:
        continue
      kinds[EpisodeWriter if table.items.length is None else ItemWriter].append(table)
    self._writers += 1
    writers = [
      kind(self._client, self._server, described, self.codec, self._pending)
      for kind, described in kinds.items()
      if described
    ]
    return writers[0] if len(writers) == 1 else Writers(writers)

  def reader(self, table: tables.Table, batch_size: int) -> ReverbReader:
    """A reader of batches from a table."""
    self._readers.append(
      ReverbReader(self._client, self._server, self.codec, table, batch_size, self._scales[table.name])
    )
    return self._readers[-1]

  def close(self) -> None:
    """Ends its readers, without waiting for them."""
    for reader in self._readers:
      reader.close()

  def usage(self) -> Dict[str, streams.Usage]:
    """How much each table is used, by what the server says, or said last if it is busy."""
    with contextlib.suppress(reverb.errors.DeadlineExceededError):
      info = self._client.server_info(timeout=10)
      self._usage.update({table.name: reverb_tables.usage(info[table.name], table) for table in self._tables})
    return dict(self._usage)

  def _pending(self) -> int:
    """Items that each writer of this client may have on their way.

    None to a queue: what comes to it is of the newest policy only if nobody acts ahead of the learner.
    """
    return 0 if any(table.is_queue for table in self._tables) else max(1, _PENDING // self._writers)

  def save(self, path: str) -> None:
    """Has the server write a checkpoint in its own folder, and takes it over into the folder `path`.

    A server removes its older checkpoints, also those that ours still need.
    """
    # Waits for a connection if there is none yet, as `checkpoint` does not, and for a server that is busy.
    self._client.server_info(timeout=_LONGEST_WAIT)
    written = self._client.checkpoint()
    if not os.path.isdir(written):
      raise errors.UserError(
        f'The replay server wrote its checkpoint to {written}, which can not be seen from here; put the work '
        'directory into a file system that all hosts share.'
      )
    _check_whole(written)
    _copy(written, os.path.join(path, _SAVED, os.path.basename(os.path.normpath(written))))


def _check_whole(path: str) -> None:
  """Raises an `OSError` unless a server has written all of its checkpoint: where the disk is full, it may not have.

  It says so itself of all but the last bytes of a file, which it writes when it closes it.
  """
  for name in sorted(os.listdir(path)):
    if name.endswith('.tfrecord') and not _is_whole(os.path.join(path, name)):
      raise OSError(errno.EIO, f'the disk took only a part of {name}')


def _is_whole(file: str) -> bool:
  stream = zlib.decompressobj()
  with open(file, 'rb') as compressed:
    try:
      while piece := compressed.read(1 << 16):  # which may be a thousand times as long
        stream.decompress(piece)
    except zlib.error:
      return False
  return stream.eof


def can_restore(path: str) -> bool:
  """Whether what is in the folder `path` was written by `ReverbReplay.save`."""
  return os.path.isdir(os.path.join(path, _SAVED))


def prepare_restore(checkpoint: Optional[str], names: Sequence[str], path: str) -> None:
  """Leaves, before servers start, each just what a checkpoint has of it.

  Args:
    checkpoint: of the run, or None.
    names: of the servers, which start from nothing where the checkpoint is of another number of them.
    path: the folder with a folder for each.
  """
  shutil.rmtree(path, ignore_errors=True)
  for name in names if servers.are_saved(checkpoint, names) else ():
    saved = os.path.join(str(checkpoint), name, _SAVED)
    if os.path.isdir(saved):
      _copy(saved, os.path.join(path, name))


def _copy(source: str, target: str) -> None:
  """Copies a folder of files that nobody alters; where the file system has links, it costs no space."""

  def copy(file: str, to: str) -> None:
    try:
      os.link(file, to)
    except OSError:
      shutil.copy2(file, to)

  shutil.copytree(source, target, copy_function=copy)
