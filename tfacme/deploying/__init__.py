"""A run as files with which a cluster starts it.

Each module writes those of one kind of cluster, as text with comments, since whoever has the cluster may have to change
them. Nothing here reaches a cluster, nor knows an agent: a run is a command, and what its layout takes of hosts.
"""
