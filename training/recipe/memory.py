"""Memory that was freed goes back to the system.

Batches of ever other lengths leave holes in glibc's heap: without this a run on a CPU grows by some
hundred megabytes a minute that nobody uses.
"""

import ctypes
import sys
from collections.abc import Callable


def trimmer() -> Callable[[], None]:
    """What hands free memory back; does nothing where the C library is not glibc."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:  # musl
        return lambda: None
    return lambda: _ignored(trim(0))


def _ignored(_released: int) -> None:
    pass
