"""What the nodes of a run do: act, learn, evaluate, count, save, and pass variables on.

A worker is stepped by an engine, and does not know by which. What it needs is in its parts, which `graph` makes. The
mathematics of an agent belongs in its own package.
"""
