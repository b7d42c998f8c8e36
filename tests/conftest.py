"""What must be settled before any test changes the environment."""

import os

# huggingface_hub reads this once, at import: a test that sets it must not be the first to import.
os.environ.pop("HF_HUB_OFFLINE", None)
import huggingface_hub.constants  # noqa: F401
