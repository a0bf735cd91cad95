"""Recorded experience: episodes in memory, and RLDS data sets on disk.

    data = datasets.rlds('recordings/walker')
    data.check()                              # one sentence if something is wrong with it
    for episode in data.episodes(seed=1):     # a core.Step with leaves [T + 1, ...]
      ...

    with datasets.RLDSWriter('recordings/walker', core.step_spec(environment_spec)) as writer:
      writer.write(datasets.episode(rows))

An episode is kept once `write` has returned. `RLDSWriter(path, spec, part='one')` writes a part of a data set beside
other writers, and `recover` takes in what a killed one has left.

`Options` says which episodes of a data set are read and what its files leave open; `several` makes one of several data
sets, `named` opens what a command line names, and `names` says how one names such a data set. `best(data, 0.1)` is the
best tenth of whatever was made without such options, several as one among it. `Wrapped` is data as it would have been
recorded through wrappers, for when that it was recorded within them can't be seen (`fit`).

What is written is a plain TensorFlow data set: `tfds.builder_from_directory(path).as_dataset()` reads it too. Importing
this package imports neither TensorFlow nor TensorFlow Datasets.
"""

from tfacme.datasets.choosing import Best as Best
from tfacme.datasets.choosing import best as best
from tfacme.datasets.episodes import Dataset as Dataset
from tfacme.datasets.episodes import episode as episode
from tfacme.datasets.fitting import fit as fit
from tfacme.datasets.folder import check as check
from tfacme.datasets.folder import count as count
from tfacme.datasets.in_memory import Memory as Memory
from tfacme.datasets.in_memory import memory as memory
from tfacme.datasets.layout import Recorded as Recorded
from tfacme.datasets.metadata import METADATA as METADATA
from tfacme.datasets.metadata import MetadataSummary as MetadataSummary
from tfacme.datasets.metadata import Origin as Origin
from tfacme.datasets.metadata import metadata_of as metadata_of
from tfacme.datasets.options import Options as Options
from tfacme.datasets.ranges import Ranges as Ranges
from tfacme.datasets.ranges import leaves as leaves
from tfacme.datasets.reader import RLDS as RLDS
from tfacme.datasets.reader import named as named
from tfacme.datasets.reader import names as names
from tfacme.datasets.reader import rlds as rlds
from tfacme.datasets.several import Several as Several
from tfacme.datasets.several import several as several
from tfacme.datasets.shards import left_open as left_open
from tfacme.datasets.shards import recover as recover
from tfacme.datasets.verifying import damages as damages
from tfacme.datasets.wrapped import Wrapped as Wrapped
from tfacme.datasets.writer import RLDSWriter as RLDSWriter
from tfacme.datasets.writer import check_part as check_part
from tfacme.datasets.writer import continued as continued
