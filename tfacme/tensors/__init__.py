"""What TensorFlow needs from us to be fast: compiled calls, memory that it takes as it is, states that are reset.

Nothing here knows what reinforcement learning is, beyond the shapes of nests.
"""
