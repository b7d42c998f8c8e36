"""What every download shares: progress, cancellation, room on the disk."""

import errno
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DownloadCancelledError, DownloadError

Progress = Callable[[int, int | None], None]
"""Called with (bytes done, bytes in all or None) between blocks, in the downloading thread."""

_MARGIN = 64 * 1024 * 1024
"""Bytes that stay free, so that a download never fills the disk to its last byte."""


def _ignore(_done: int, _total: int | None) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One download as its caller sees it."""

    progress: Progress = _ignore
    cancel: threading.Event | None = None

    def cancelled(self) -> bool:
        return self.cancel is not None and self.cancel.is_set()

    def advance(self, done: int, total: int | None) -> None:
        """Report bytes; raises DownloadCancelledError if the user has asked to stop."""
        if self.cancelled():
            raise DownloadCancelledError("it was cancelled; run the command again to go on")
        self.progress(done, total)


def check_room(folder: Path, needed: int) -> None:
    """Raises DownloadError before a transfer that ``folder``'s disk has no room for (bytes)."""
    free = shutil.disk_usage(folder).free
    if free < needed + _MARGIN:
        raise DownloadError(
            f"not enough room on the disk of {folder}: {needed / 1e6:,.0f} MB are needed and "
            f"{free / 1e6:,.0f} MB are free; {_MAKE_ROOM}"
        )


def disk_full(error: OSError, folder: Path) -> DownloadError | None:
    """The error for the user if a write failed for want of room, else None."""
    if error.errno not in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}:
        return None
    return DownloadError(f"the disk of {folder} is full: {_MAKE_ROOM}")


_MAKE_ROOM = "free some, or set TENON_HOME to a folder on a larger disk, then run the command again"
