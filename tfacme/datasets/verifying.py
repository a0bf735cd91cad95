"""Whether the files of a data set are what was written."""

from __future__ import annotations

import os
from typing import Any, List

from tfacme import errors
from tfacme.datasets import folder


def damages(dataset: Any) -> List[str]:
  """What is wrong with the files of a data set, a sentence for each that is missing, cut or altered.

  Args:
    dataset: of `rlds`. Of each of its files all bytes are read, and all checksums compared.
  """
  path = os.path.abspath(os.path.expanduser(dataset.path))
  found = []
  for shard in folder.shards(folder.builder(path), path, dataset.split):
    try:
      shard.places()
      shard.verify()
    except errors.UserError as error:
      found.append(str(error))
  return found
