"""Many threads that meet in one object, switched between as often as can be."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

SEEDS = (1, 3, 7, 11)


def at_once(ask: Callable[[int], None]) -> None:
    """Call ``ask`` in four threads, each with a number of its own; raises what any of them does."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(SEEDS)) as pool:
            list(pool.map(ask, SEEDS))
    finally:
        sys.setswitchinterval(interval)
