"""Whether what only training needs is installed; for whoever starts a training, on either side."""

import importlib
from collections.abc import Sequence
from importlib.util import find_spec

NEEDED = ("torch", "transformers", "peft", "tokenizers", "watchdog")
"""Stand for all that ``tenon setup train`` installs: the large ones, and what a watcher needs."""


def missing_packages() -> list[str]:
    """Which of the packages that a watcher and a run need are not installed; reads the disk."""
    importlib.invalidate_caches()  # they may have been installed since
    return [name for name in NEEDED if find_spec(name) is None]


def to_install(missing: Sequence[str]) -> str:
    """What is missing, and what to do about it."""
    return (
        f"What training needs is not installed ({', '.join(missing)}): run the command "
        "`tenon.setupTraining`, or `tenon setup train` in a shell."
    )
