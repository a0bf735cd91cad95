"""Stands before JAX in the path of commands that are tested, which are to be as users have them: without it."""

raise ImportError('There is no JAX here.')
