"""Whether the files of a data set are what was written."""

from __future__ import annotations

from typing import Any, List

from tfacme import errors


def damages(dataset: Any) -> List[str]:
  """What is wrong with the files of a data set, a sentence for each that is missing, cut or altered.

  Args:
    dataset: of `rlds`. Of each of its files all bytes are read, and all checksums compared.
  """
  found = []
  for shard in dataset.shards:
    try:
      shard.places()
      shard.verify()
    except errors.UserError as error:
      found.append(str(error))
  return found
