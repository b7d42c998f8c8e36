"""The adapters of one repository as its user changes them: on disk alone, engines follow."""

from dataclasses import dataclass
from pathlib import Path

from .adapter_listing import adapter_list
from .completion.engine import EngineInfo
from .errors import UnknownAdapterError, WrongBaseError
from .protocol import AdapterList
from .store.adapters import AdapterRegistry
from .store.adapters.manifest import base_identity
from .store.choosing import serving_store, shelf_of
from .store.models import ModelStore
from .store.paths import StorePaths
from .store.repositories import RepositoryStore

AUTOMATIC = "auto"


@dataclass(frozen=True, slots=True)
class Switch:
    """Every method reads or writes the disk, and may ask git; none is for an event loop.

    ``base`` is the identity of the model that serves; None: nothing serves, or nobody knows.
    """

    paths: StorePaths
    root: Path
    base: str | None

    @classmethod
    def of(cls, paths: StorePaths, root: str, info: EngineInfo | None) -> "Switch":
        """Of the repository at ``root``, with what an engine says of itself."""
        known = info is not None and info.sha256
        base = base_identity(ModelStore(paths), info.model, info.sha256) if info and known else None
        return cls(paths, Path(root), base)

    def listed(self) -> AdapterList:
        """What was learnt of the repository."""
        return adapter_list(self.paths, self.root, self.base)

    def activate(self, name: str) -> None:
        """Have an adapter serve, by its id or a tag; "" is the base alone, ``auto`` the gate's.

        One of the repository that the folder belongs to serves both from then on: it is chosen
        where it lies. Raises AdapterError and ``OSError``: what served goes on.
        """
        own = AdapterRegistry(RepositoryStore.of(self.paths, self.root))
        if not name:
            own.deactivate()
            return
        if name == AUTOMATIC:
            AdapterRegistry(serving_store(self.paths, self.root).store).automatic(self.base)
            return
        registry = own
        try:
            adapter = own.find(name)
        except UnknownAdapterError:
            # A worktree or a clone is served by those of another folder, until it has its own.
            registry = AdapterRegistry(shelf_of(self.paths, self.root).store)
            adapter = registry.find(name)
        if self.base not in {None, adapter.base}:
            raise WrongBaseError(
                f"the adapter {adapter.id} belongs to {adapter.base_name}, which does not serve "
                f"now; choose that model first (`tenon models use {adapter.base_name}`)"
            )
        registry.activate(adapter.id)
        if registry != own:
            own.forget()  # a "none" of the folder alone would go before it

    def rollback(self) -> str | None:
        """The id of what serves again; None: the base alone. Raises AdapterError."""
        registry = AdapterRegistry(serving_store(self.paths, self.root).store)
        active = registry.rollback(base=self.base)
        return active.adapter.id if active else None
