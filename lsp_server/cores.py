"""How many of the machine's cores this process may compute on.

A container's or a service's cpuset, and `taskset`, give a process fewer than the machine has. With
a thread for every core of the machine, llama.cpp's and torch's barriers then wait for threads that
do not run.
"""

import os

import psutil


def usable_cores() -> int:
    """Logical cores that this process may run on, at least one."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):  # not on macOS
        return len(process.cpu_affinity()) or 1
    return os.cpu_count() or 1


def physical_cores() -> int:
    """Cores that help a matrix product, at least one: hyper-threads only slow it down."""
    return min(psutil.cpu_count(logical=False) or usable_cores(), usable_cores())
