"""Trains adapters for repositories; runs in processes of its own."""

import logging

# At its import, which is PEFT's, it warns of kernels for CPUs that nobody here asks for. This is
# the only place that comes before every such import.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
