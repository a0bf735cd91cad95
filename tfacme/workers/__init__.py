"""What the nodes of a run do: act, learn, evaluate, count, save, and pass variables on.

A worker is stepped by whoever runs it and never knows by which engine. What a worker is told is in its parts; which
parts those are is worked out in `graph`. The mathematics of an agent belongs into its own package.
"""
