"""How an adapter's folder appears and disappears whole, and how its file is known again."""

import os
import shutil
from pathlib import Path

from ...errors import AdapterError, CorruptAdapterError
from ..integrity import Fingerprint, intact
from .manifest import AdapterManifest, StoredAdapter, located, write_adapter_manifest

_PUBLISHING, _REMOVING = ".publishing-", ".removing-"


def appear(candidate: Path, folder: Path, manifest: AdapterManifest) -> None:
    """Copy a candidate into the adapters' ``folder`` and have it appear whole, all on the disk.

    Raises CorruptAdapterError for a torn copy, ``OSError``: nothing has appeared then.
    """
    staged = folder / f"{_PUBLISHING}{manifest.id}"
    try:
        shutil.copytree(candidate, staged)
        write_adapter_manifest(staged, manifest)
        check_file(located(manifest, staged))
        for path in (*staged.rglob("*"), staged):
            _sync(path)
        staged.rename(folder / manifest.id)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    _sync(folder)


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
    """Remove what a killed publication left; the caller holds the lock, so nobody uses it."""
    for left in folder.iterdir():
        if left.name.startswith((_PUBLISHING, _REMOVING)):
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


def _sync(path: Path) -> None:
    """Have the disk hold a file or a folder; Windows opens no folders."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
