"""Losses and return estimators: pure functions of tensors, one module for each family."""
