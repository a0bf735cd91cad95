"""What all tests share."""

import os

# JAX, of which the parity tests take their reference, would set it to 1 here, and so for processes that tests start.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
