"""Whether somebody is at work on this machine: keys, pressed in any window, and files, saved."""

from lsp_server.store.paths import StorePaths
from lsp_server.store.typing_mark import TypingMark

RESUME_SECONDS = 3.0
"""Without a keystroke before a run goes on."""


class Presence:
    """Times are a monotonic clock's seconds; at first somebody has just come, and typed nothing."""

    def __init__(self, paths: StorePaths, now: float) -> None:
        self._mark = TypingMark(paths)
        self._typed: float | None = None
        self._active = now

    def typed(self, now: float) -> None:
        """A key was pressed."""
        self._typed = self._active = now

    def saved(self, now: float) -> None:
        """A file has changed."""
        self._active = now

    def has_typed_elsewhere(self) -> bool:
        """Whether a key was pressed in some window since this was asked last."""
        return self._mark.is_new()

    def types(self, now: float) -> bool:
        """Whether the last key may not be the last."""
        return self._typed is not None and now - self._typed < RESUME_SECONDS

    def quiet(self, now: float) -> float:
        """Seconds since the last keystroke or save."""
        return now - self._active
