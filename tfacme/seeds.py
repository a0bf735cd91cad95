"""Every seed of a run is a function of the run's seed, a role and an index; no global generator is used."""

from __future__ import annotations

import hashlib


def derive(seed: int, role: str, index: int = 0) -> int:
  """A 31-bit seed for one part of a run."""
  digest = hashlib.blake2b(f'{seed}/{role}/{index}'.encode(), digest_size=4).digest()
  return int.from_bytes(digest, 'little') >> 1
