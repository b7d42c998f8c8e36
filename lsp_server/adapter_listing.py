"""The adapters of a repository as an editor and ``tenon adapters list`` show them."""

from collections.abc import Iterable
from pathlib import Path

from .errors import AdapterError
from .protocol import AdapterLine, AdapterList
from .store.adapters import AdapterRegistry, StoredAdapter
from .store.adapters.choice import NOTHING
from .store.choosing import serving_store, shelf_of
from .store.paths import StorePaths


def adapter_list(paths: StorePaths, root: Path, base: str | None = None) -> AdapterList:
    """What was learnt of ``root``, or of the repository whose adapters it may have; newest first.

    ``base`` is the identity of the model that serves, None if nobody knows: then all of them are
    usable that no gate rejected. Where the choice cannot be read, ``trouble`` says so. Reads the
    disk and asks git, so it is not for an event loop.
    """
    serving = serving_store(paths, root)
    shelf = shelf_of(paths, root, serving)
    registry = AdapterRegistry(shelf.store)
    trouble = ""
    try:
        choice = AdapterRegistry(serving.store).choice() or NOTHING
    except AdapterError as error:
        choice, trouble = NOTHING, str(error)
    return AdapterList(
        root=str(root.resolve()),
        repository=shelf.store.name,
        active=choice.adapter_id,
        adapters=tuple(_lines(registry, registry.all(), choice.adapter_id, base)),
        manual=choice.manual,
        origin=shelf.reason,
        trouble=trouble,
    )


def _lines(
    registry: AdapterRegistry,
    adapters: Iterable[StoredAdapter],
    active: str | None,
    base: str | None,
) -> Iterable[AdapterLine]:
    for adapter in adapters:
        marks = registry.marks(adapter)
        yield AdapterLine(
            id=adapter.id,
            created=adapter.created.isoformat(),
            commit=adapter.commit,
            verdict=adapter.verdict,
            gain=adapter.gate.gain,
            lower=adapter.gate.lower,
            spans=adapter.gate.spans,
            reason=adapter.gate.reason,
            scale=adapter.scale,
            rank=adapter.rank,
            base=adapter.base_name,
            size=adapter.size,
            active=adapter.id == active,
            pinned=marks.pinned,
            usable=not adapter.lost and base in {None, adapter.base},
            lost=adapter.lost,
            tags=marks.tags,
        )
