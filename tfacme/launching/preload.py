"""What the process that nodes are forked from imports once; no TensorFlow operation may run in it before a fork."""

import tensorflow_probability  # noqa: F401  (takes seconds, and many losses need it)
import trfl  # noqa: F401

import tfacme.export  # noqa: F401
import tfacme.launching.local  # noqa: F401
import tfacme.program  # noqa: F401
