"""A run's folder: made, gone on with, looked at, played and recorded from.

What a user does with a run belongs here: `train`, the display, curves, animations, recordings. What happens inside of
a run is in `workers`.
"""
