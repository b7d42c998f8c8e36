"""Where a command of ``tenon adapters`` works, and what it has to say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...store.adapters import AdapterRegistry, StoredAdapter
from ...store.catalogue import STARTER
from ...store.choosing import Serving, serving_store, shelf_of, top_of
from ...store.models import InstalledModel, ModelStore
from ...store.paths import StorePaths
from ...store.repositories import RepositoryStore


@dataclass(frozen=True, slots=True)
class Answer:
    """``value`` is for a program, what ``show`` prints for a person."""

    value: Any
    show: Callable[[], None]

    @classmethod
    def lines(cls, value: Any, lines: Sequence[str]) -> "Answer":
        """Both forms, the second in lines."""
        return cls(value, lambda: print("\n".join(lines)))


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, the store whose choice holds for it (``serving``), and the one whose adapters it
    may have (``shelf``), which is another one where it chose to do without.
    """

    paths: StorePaths
    root: Path
    serving: Serving
    shelf: Serving

    @classmethod
    def of(cls, folder: Path | None) -> "Place":
        """The place of a folder; without one, of the repository around the working folder."""
        paths = StorePaths.default()
        root = _around(paths, Path.cwd()) if folder is None else folder.resolve()
        serving = serving_store(paths, root)
        return cls(paths, root, serving, shelf_of(paths, root, serving))

    @property
    def registry(self) -> AdapterRegistry:
        """What there is to choose among."""
        return AdapterRegistry(self.shelf.store)

    @property
    def choosing(self) -> AdapterRegistry:
        """Where it stands what serves."""
        return AdapterRegistry(self.serving.store)

    @property
    def own(self) -> AdapterRegistry:
        """The folder's own, though another one's may serve it."""
        return AdapterRegistry(RepositoryStore.of(self.paths, self.root))

    @property
    def models(self) -> ModelStore:
        return ModelStore(self.paths)

    @property
    def model(self) -> InstalledModel | None:
        """The model that serves, or would if an engine ran; None if it is not installed."""
        return self.models.find(self.models.chosen() or STARTER)

    @property
    def base(self) -> str | None:
        """The identity of that model."""
        return self.model.identity if self.model else None

    @property
    def whose(self) -> str:
        """Whose adapters are meant, for a sentence."""
        return _said(self.shelf)

    @property
    def whom(self) -> str:
        """Whom the choice is for, for a sentence."""
        return _said(self.serving)

    def find(self, name: str) -> StoredAdapter:
        """Raises UnknownAdapterError."""
        return self.registry.find(name)

    def follow(self) -> None:
        """Have what was just chosen hold for the folder, also where that is another store's."""
        if self.registry != self.own:
            self.own.forget()


def _said(serving: Serving) -> str:
    name = serving.store.name
    return f"{name} ({serving.reason})" if serving.reason else name


def _around(paths: StorePaths, folder: Path) -> Path:
    """The folder of a monorepo that has adapters of its own, else the repository's root."""
    folder = folder.resolve()
    top = top_of(folder) or folder
    inside = [it for it in (folder, *folder.parents) if it.is_relative_to(top)]
    return next((it for it in inside if RepositoryStore.of(paths, it).adapters.is_dir()), top)
