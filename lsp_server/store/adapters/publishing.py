"""How an adapter's folder appears and disappears whole, and how its file is known again."""

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...errors import AdapterError, CorruptAdapterError
from ..integrity import Fingerprint, checksum, intact
from ..locks import Holder
from .manifest import FILE, AdapterManifest, StoredAdapter, write_adapter_manifest

_PUBLISHING, _REMOVING = ".publishing-", ".removing-"
_STAGED = re.compile(rf"{re.escape(_PUBLISHING)}(\d+)-(\d+)-[0-9a-f]+")
"""Process and second of its start: what a process that is gone has left is removed, and what one
that goes on, or was stopped, still needs is not."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A candidate's copy beside the adapters: whole and on the disk, but none of them yet.

    ``sha256`` and ``size`` (bytes) are its ``adapter.gguf``'s.
    """

    folder: Path
    sha256: str
    size: int

    def appear(self, manifest: AdapterManifest) -> None:
        """Become the adapter of that manifest, in one rename; raises ``OSError`` before it."""
        write_adapter_manifest(self.folder, manifest)
        _sync(self.folder)
        self.folder.rename(self.folder.with_name(manifest.id))
        _sync(self.folder.parent)


@contextmanager
def staged(candidate: Path, folder: Path) -> Iterator[Staged]:
    """Copy a candidate beside the adapters in ``folder``; it is gone at the end unless it appeared.

    All that takes long is done here, so that no lock need be held for it. Raises
    CorruptAdapterError for a torn copy, ``OSError``.
    """
    me = Holder.of(os.getpid())
    place = folder / f"{_PUBLISHING}{me.pid}-{me.started:.0f}-{uuid.uuid4().hex[:8]}"
    try:
        sha256 = checksum(candidate / FILE)
        shutil.copytree(candidate, place)
        if checksum(place / FILE) != sha256:
            raise CorruptAdapterError(
                f"what was copied to {folder} is not what {candidate} holds, so the adapter was "
                "not published; check that disk, and run the same again"
            )
        for path in (*place.rglob("*"), place):
            _sync(path)
        yield Staged(place, sha256, (place / FILE).stat().st_size)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def publishers(folder: Path) -> Iterator[Holder]:
    """The processes that are publishing into the adapters' ``folder``."""
    found = (_publisher(entry.name) for entry in folder.iterdir())
    yield from (holder for holder in found if holder is not None and holder.is_alive)


def disappear(adapter: StoredAdapter) -> None:
    """Remove an adapter; raises AdapterError if somebody holds it (on Windows an engine may)."""
    # Renamed first: what is removed halfway must not look like an adapter.
    gone = adapter.path.parent.with_name(_REMOVING + adapter.id)
    try:
        adapter.path.parent.rename(gone)
    except OSError as error:
        raise AdapterError(
            f"the adapter {adapter.id} cannot be removed ({error.strerror or error}); end what "
            "uses it, and try again"
        ) from error
    shutil.rmtree(gone, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what killed publications and removals left; the caller holds the lock."""
    for left in folder.iterdir():
        publisher = _publisher(left.name)
        abandoned = publisher is None or not publisher.is_alive
        if left.name.startswith((_PUBLISHING, _REMOVING)) and abandoned:
            shutil.rmtree(left, ignore_errors=True)


def check_file(adapter: StoredAdapter, known: Fingerprint | None = None) -> Fingerprint:
    """The fingerprint of an adapter's file, which is the published one.

    Costs one ``stat`` if it is ``known``, else a checksum. Raises CorruptAdapterError.
    """
    try:
        now = intact(adapter.path, adapter.size, adapter.sha256, known)
    except OSError as error:
        raise CorruptAdapterError(
            f"the file of the adapter {adapter.id} cannot be read ({error}); train again"
        ) from error
    if now is None:
        raise CorruptAdapterError(
            f"{adapter.path} is not the file that was published, so it is not served; train again"
        )
    return now


def _publisher(name: str) -> Holder | None:
    """Whose copy a folder of that name is; None: nobody's, or an older Tenon's."""
    match = _STAGED.fullmatch(name)
    return Holder(int(match[1]), float(match[2])) if match else None


def _sync(path: Path) -> None:
    """Have the disk hold a file or a folder; Windows opens no folders."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
