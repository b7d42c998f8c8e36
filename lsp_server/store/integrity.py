"""Whether a file on disk is still, byte for byte, the one that was published."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..errors import DownloadCancelledError

BLOCK = 4 * 1024 * 1024
"""Bytes between two looks at a cancellation."""


class Fingerprint(msgspec.Struct, frozen=True):
    """What a changed file cannot keep by accident; far cheaper than a checksum of gigabytes.

    ``size`` in bytes, ``mtime_ns`` in nanoseconds since the epoch, ``inode`` as the file system
    numbers files (0 where it does not).
    """

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "Fingerprint":
        """Raises ``OSError`` if the file is gone."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


def intact(
    path: Path, size: int, sha256: str, known: Fingerprint | None = None
) -> Fingerprint | None:
    """The fingerprint of a file that is the published one; None for another one.

    Costs one ``stat`` if the file is still the ``known`` one, which was checked before, else a
    checksum. Raises ``OSError``.
    """
    now = Fingerprint.of(path)
    if now == known or (now.size == size and checksum(path) == sha256):
        return now
    return None


def checksum(path: Path, cancelled: Callable[[], bool] | None = None) -> str:
    """The sha256 of a file, in lower-case hexadecimal.

    Raises ``OSError``, and DownloadCancelledError as soon as ``cancelled`` says so.
    """
    digest = hashlib.sha256()
    block = memoryview(bytearray(BLOCK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(block):
            if cancelled is not None and cancelled():
                raise DownloadCancelledError("cancelled while the file was checked")
            digest.update(block[:count])
    return digest.hexdigest()
