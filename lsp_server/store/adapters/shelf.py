"""The adapters that are kept of a repository, and what a user notes on them: pins and tags."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
from filelock import FileLock, Timeout

from ...errors import AdapterError, UnknownAdapterError
from ..repositories import RepositoryStore
from .manifest import StoredAdapter, is_adapter_id, read_adapter
from .marks import Marks, check_tag, read_marks, write_marks
from .publishing import publishers

LOCK_SECONDS = 10.0
"""For which a change waits for another one. A change takes milliseconds, unless its process was
stopped in the middle of it, as the watcher stops a run at a key."""
SHORTEST = 4
"""Characters of an id, of its checksum or of a commit that may stand for all of it."""


@dataclass(frozen=True, slots=True)
class AdapterShelf:
    """The adapters of one repository by id, and by what a user calls them."""

    repository: RepositoryStore

    def all(self) -> list[StoredAdapter]:
        """Every published adapter, newest first; a folder without a readable manifest is none."""
        folder = self.repository.adapters
        if not folder.is_dir():
            return []
        found = (read_adapter(entry) for entry in folder.iterdir() if is_adapter_id(entry.name))
        known = [adapter for adapter in found if adapter is not None]
        return sorted(known, key=lambda adapter: (adapter.created, adapter.id), reverse=True)

    def read(self, adapter_id: str) -> StoredAdapter:
        """Raises UnknownAdapterError."""
        folder = self.repository.adapters / adapter_id
        adapter = read_adapter(folder) if is_adapter_id(adapter_id) else None
        if adapter is None:
            raise UnknownAdapterError(
                f"there is no adapter {adapter_id!r} of {self.repository.name}; `tenon adapters "
                "list` shows those that there are, and `tenon train` makes one"
            )
        return adapter

    def find(self, name: str) -> StoredAdapter:
        """The adapter that a user means: by its id, a tag, or how its id or checksum begins, or the
        commit that it was trained at (the newest of several).

        Raises UnknownAdapterError, which names those that it may be.
        """
        if is_adapter_id(name):
            return self.read(name)
        adapters = self.all()
        tagged = [adapter for adapter in adapters if name in self.marks(adapter).tags]
        if tagged:
            return tagged[0]
        if len(name) < SHORTEST:
            return self.read(name)
        meant = [
            adapter
            for adapter in adapters
            if adapter.id.startswith(name) or adapter.sha256.startswith(name)
        ]
        if len(meant) > 1:
            raise UnknownAdapterError(
                f"{name!r} may be {' or '.join(adapter.id for adapter in meant)}; give more of it"
            )
        at_commit = [adapter for adapter in adapters if (adapter.commit or "").startswith(name)]
        return next(iter([*meant, *at_commit]), None) or self.read(name)

    def marks(self, adapter: StoredAdapter) -> Marks:
        """Whether it is pinned, and its tags."""
        return read_marks(adapter.path.parent)

    def pin(self, adapter_id: str, *, pinned: bool = True) -> None:
        """Have retention keep an adapter, or not. Raises UnknownAdapterError, ``OSError``."""
        with self.locked():
            adapter = self.read(adapter_id)
            marks = msgspec.structs.replace(self.marks(adapter), pinned=pinned)
            write_marks(adapter.path.parent, marks)

    def tag(self, adapter_id: str | None, tag: str) -> None:
        """Have an adapter go by a tag, which another one loses; None: none goes by it any more.

        Raises AdapterError for a name that cannot be a tag, UnknownAdapterError, ``OSError``.
        """
        check_tag(tag)
        with self.locked():
            wanted = self.read(adapter_id) if adapter_id is not None else None
            for adapter in self.all():
                marks = self.marks(adapter)
                others = tuple(name for name in marks.tags if name != tag)
                tags = (*others, tag) if adapter == wanted else others
                if tags != marks.tags:
                    folder = adapter.path.parent
                    write_marks(folder, msgspec.structs.replace(marks, tags=tags))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the adapters of this repository for a change; raises AdapterError, which says who
        holds them, and ``OSError``.
        """
        folder = self.repository.adapters
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise AdapterError(self._busy()) from None
        try:
            yield
        finally:
            lock.release()

    def _busy(self) -> str:
        """What is wrong, and what to do about it."""
        others = [it.pid for it in publishers(self.repository.adapters) if it.pid != os.getpid()]
        who = "another process"
        if others:
            who = f"the process {others[0]}, which publishes an adapter,"
        return (
            f"{who} has held the adapters of {self.repository.name} for {LOCK_SECONDS:g} s; if it "
            "was stopped, let it go on (`tenon watch` does as soon as you stop typing) or end it, "
            "and run the same again"
        )
