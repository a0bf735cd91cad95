# TensorFlow 2.12 has no types, and the stubs that pyright brings are for another version and only for part of it: what
# they say of the rest is wrong. To the type checker everything in it is Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
