"""What a check of an environment finds, in a line each."""

from __future__ import annotations

import dataclasses
from typing import Mapping

from typing_extensions import Literal

Mark = Literal['fine', 'warning', 'fault']


@dataclasses.dataclass(frozen=True)
class Finding:
  """What one check found.

  Attributes:
    mark: 'fine'; 'warning' of what a run copes with, and its user may not want; or 'fault' of what ends a run, spoils
      what it learns or leaves behind, or keeps it from being repeated.
    name: what was looked at, in a word or two.
    text: what was found, as a sentence.
    milliseconds: what was measured, by its name.
  """

  mark: Mark
  name: str
  text: str
  milliseconds: Mapping[str, float] = dataclasses.field(default_factory=dict)


def fine(name: str, text: str, **milliseconds: float) -> Finding:
  """All is well."""
  return Finding('fine', name, text, milliseconds)


def warning(name: str, text: str, **milliseconds: float) -> Finding:
  """Worth a look."""
  return Finding('warning', name, text, milliseconds)


def fault(name: str, text: str) -> Finding:
  """To be mended."""
  return Finding('fault', name, text)
