"""Files that were not written just now, so that what reads them takes their times for settled."""

import os
import time
from pathlib import Path

OLD = time.time() - 3600


def write(root: Path, path: str, text: str, *, when: float = OLD) -> None:
    """A file below ``root``, with its folders; ``when`` it seems to have been written."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    os.utime(target, (when, when))
