"""Sonnet modules, and the creation of their variables from a seed.

What it offers is in `__init__.pyi`, and each name is imported when it is first used: what only names networks, as the
command's options do, needs no TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
