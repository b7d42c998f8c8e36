"""How a run gives way: to whoever works at this machine, and to what serves them."""

import os
import sys

import psutil

from lsp_server.cores import usable_cores

TERMINAL_NICE, BACKGROUND_NICE = 5, 19
"""On Unix; of 0 … 19, more is less."""


def give_way(*, background: bool) -> None:
    """Lower this process's priority: a little, or in the ``background`` to the system's lowest.

    What it starts from now on inherits that, and there takes its share of the cores alone.
    """
    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(
            psutil.IDLE_PRIORITY_CLASS if background else psutil.BELOW_NORMAL_PRIORITY_CLASS
        )
        if background:
            process.ionice(psutil.IOPRIO_VERYLOW)
        return
    process.nice(max(process.nice(), BACKGROUND_NICE if background else TERMINAL_NICE))
    if background:
        if hasattr(process, "ionice"):  # Linux
            process.ionice(psutil.IOPRIO_CLASS_IDLE)
        for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS"):  # tokenizers, and children's torch
            os.environ[name] = str(half_of_the_cores())


def half_of_the_cores() -> int:
    """Half of those that this process may run on, at least one."""
    return max(1, usable_cores() // 2)
