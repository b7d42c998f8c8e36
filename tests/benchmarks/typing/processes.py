"""CPU seconds of process trees, those that have ended included."""

import contextlib
from collections.abc import Iterable

import psutil


def cpu_seconds(roots: Iterable[psutil.Process]) -> float:
    """User and system seconds of processes, of their children, and of children that were waited
    for.
    """
    total = 0.0
    for process in _family(roots):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
            total += getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
    return total


def memory_mib(roots: Iterable[psutil.Process]) -> float:
    """Memory of processes and their children, MiB; mapped files count where they are resident."""
    total = 0.0
    for process in _family(roots):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 2**20


def _family(roots: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Each process once: an engine may be a child of the server that started it."""
    found: dict[int, psutil.Process] = {}
    for root in roots:
        with contextlib.suppress(psutil.Error):
            found |= {process.pid: process for process in (root, *root.children(recursive=True))}
    return list(found.values())
