"""When a key was pressed last, in whichever editor: the time of an empty file in Tenon's home.

Windows know nothing of each other, and each has trainers of its own folders only. But they compute
on one machine: a run has to make room for a key wherever it is pressed.
"""

from contextlib import suppress

from .paths import StorePaths


class TypingMark:
    """Servers set it, watchers look at it. Both take microseconds, and neither raises."""

    def __init__(self, paths: StorePaths) -> None:
        self._path = paths.typed
        self._seen = self._time()

    def set(self) -> None:
        """A key was pressed now. Where nothing can be written, only this window's trainers know."""
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()

    def is_new(self) -> bool:
        """Whether it was set since this was asked last; by that alone, for clocks are set back."""
        before, self._seen = self._seen, self._time()
        return self._seen not in {before, None}

    def _time(self) -> int | None:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None
