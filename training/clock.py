"""Time in which this process ran: what it stood still for, suspended, is left out.

A paused run must not lose its time budget by that, nor its tokens per second. Whoever resumes a
process leaves no trace in it, so a thread looks at the clock all the time: where it has not for
longer than it ever waits, the process stood still.
"""

import threading
import time
from collections.abc import Callable
from typing import Self

BEAT_SECONDS = 0.1
"""How often the thread looks."""
LONGEST_BEAT = 0.5
"""Seconds between two looks that a running process may need, waiting for a core or for the
interpreter."""


class ActiveClock:
    """Seconds that passed while this process was not suspended, from 0 at its making.

    Only within its block, where the thread runs. A gap between two looks counts as far as the
    process computed in it: a busy thread may hold the interpreter for longer than a beat.
    """

    def __init__(
        self,
        source: Callable[[], float] = time.monotonic,
        computed: Callable[[], float] = time.process_time,
    ) -> None:
        """``source`` is a clock, ``computed`` the CPU time of the process, both in seconds."""
        self._source, self._computed = source, computed
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="active-clock")
        self._looked, self._used = source(), computed()
        self._active = 0.0

    def __call__(self) -> float:
        with self._lock:
            now, used = self._source(), self._computed()
            passed = max(0.0, now - self._looked)
            if passed > LONGEST_BEAT:
                passed = min(passed, max(BEAT_SECONDS, used - self._used))
            self._active += passed
            self._looked, self._used = now, used
            return self._active

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            self()
