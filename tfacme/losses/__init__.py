"""Losses and return estimators, one module for each family.

They are pure functions of tensors. One that draws samples takes its seeds from `networks.draw()`, as networks do.
"""
