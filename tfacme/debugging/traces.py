"""TensorFlow's traces, as files."""

from __future__ import annotations

import glob
import gzip
import json
import os
from typing import Any, Dict, List


def find(folder: str) -> List[str]:
  """The traces in a folder, as TensorBoard's profiler reads them."""
  return sorted(glob.glob(os.path.join(glob.escape(folder), '**', '*.xplane.pb'), recursive=True))


def write_for_browsers(path: str) -> str:
  """Writes a trace beside itself as a browser reads it (Perfetto, chrome://tracing); returns the new file's path."""
  from tensorflow.tsl.profiler.protobuf import xplane_pb2

  space = xplane_pb2.XSpace()
  with open(path, 'rb') as file:
    space.ParseFromString(file.read())
  events: List[Dict[str, Any]] = []
  for process, plane in enumerate(space.planes):
    events.append({'ph': 'M', 'pid': process, 'name': 'process_name', 'args': {'name': plane.name}})
    for line in plane.lines:
      place = {'pid': process, 'tid': line.id}
      events.append({'ph': 'M', **place, 'name': 'thread_name', 'args': {'name': line.name}})
      for event in line.events:
        # In microseconds, as in that format; the times of a plane are in nanoseconds and picoseconds.
        times = {'ts': line.timestamp_ns / 1e3 + event.offset_ps / 1e6, 'dur': event.duration_ps / 1e6}
        events.append({'ph': 'X', **place, **times, 'name': plane.event_metadata[event.metadata_id].name})
  out = path.removesuffix('.xplane.pb') + '.trace.json.gz'
  with gzip.open(out, 'wt', encoding='utf-8') as file:
    json.dump({'traceEvents': events}, file)
  return out
