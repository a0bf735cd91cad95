"""What the process that nodes are forked from imports once; no TensorFlow operation may run in it before a fork."""

import gc

gc.disable()  # What is imported stays: to look for garbage in it takes a fifth of the time.

import tfacme.graph.program  # noqa: E402, F401
import tfacme.launching.local  # noqa: E402, F401
import tfacme.workers.export  # noqa: E402, F401
from tfacme import startup  # noqa: E402

startup.collect_less()
gc.freeze()  # Nor do nodes look, so that they go on sharing its memory.
gc.enable()
