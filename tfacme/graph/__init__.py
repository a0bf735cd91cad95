"""An experiment as a program graph: what the nodes are, what they agree on, how they call each other, how they look.

What makes a node, gives it its parts or carries a call between two of them belongs here. What a node does when it runs
is in `workers`; where it runs, in `launching`. Beside `launching`, this is the only place that imports Launchpad.
"""
