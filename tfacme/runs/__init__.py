"""A run's folder: made, resumed, looked at, evaluated and recorded from.

What a user does with a run belongs here: `train`, the display, curves, animations, recordings. What happens inside a
run is in `workers`.
"""
