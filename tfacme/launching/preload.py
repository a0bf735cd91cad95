"""What the process that nodes are forked from imports once; no TensorFlow operation may run in it before a fork."""

import tfacme.graph.program  # noqa: F401
import tfacme.launching.local  # noqa: F401
import tfacme.workers.export  # noqa: F401
