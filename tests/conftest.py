"""What all tests share."""

import os

import hypothesis

# JAX, of which the parity tests take their reference, would set it to 1 here, and so for processes that tests start.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile('any machine', deadline=None)
hypothesis.settings.load_profile('any machine')
