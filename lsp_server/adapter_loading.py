"""Has a running engine serve what was learnt of the folders that are open, off the request path.

Which adapter serves a repository stands in its ``active.json``, which others write: a run that
trains, a command, another version of Tenon. A query looks at that file at most once a second, and
never waits for the look: until an adapter is loaded, the one before it goes on, or the base.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .completion.engine import CompletionEngine
from .errors import AdapterError, EngineError, EngineRequestError, WrongBaseError
from .store.adapters import ActiveAdapter, AdapterRegistry
from .store.adapters.manifest import base_identity
from .store.choosing import serving_store
from .store.integrity import Fingerprint
from .store.models import ModelStore
from .store.paths import StorePaths
from .store.repositories import RepositoryStore

_log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
"""Between two looks at a repository's ``active.json``."""
RELATIVES_SECONDS = 30.0
"""Between two searches for another folder whose adapters serve a repository that has none."""
SERVER_FAULT = 500
"""An HTTP status from which on a refusal is not the request's fault."""


class AdaptableEngine(CompletionEngine, Protocol):
    """An engine that may hold adapters; raises ``EngineRequestError`` for one that it refuses."""

    async def have_adapter(self, name: str, path: Path, scale: float) -> None: ...


@dataclass(frozen=True, slots=True)
class LoadedAdapter:
    """``name`` is what an engine is asked for, ``least_confidence`` what the gate measured for it
    (None: the model's own holds).
    """

    name: str
    scale: float
    least_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What an adapter was loaded for: a choice on disk, and the model that an engine served."""

    choice: Fingerprint | None
    model: str
    sha256: str


@dataclass(slots=True)
class _Repository:
    root: str
    store: RepositoryStore | None = None
    searched: float = 0.0
    engine: AdaptableEngine | None = None
    seen: _Seen | None = None
    loaded: LoadedAdapter | None = None
    looked: float = 0.0
    look: asyncio.Task[None] | None = None
    looked_with: AdaptableEngine | None = None
    told: str = ""

    @property
    def adapter(self) -> str | None:
        return self.loaded.name if self.loaded else None


class AdapterLoader:
    """The adapters of the folders that an editor has open.

    ``on_change`` is called when another adapter serves, or none, and when a trouble is over;
    ``on_trouble`` hears, once and in a sentence for the user, why the base alone serves a
    repository that has an adapter.
    """

    def __init__(
        self,
        paths: StorePaths,
        on_change: Callable[[], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._paths = paths
        self._on_change = on_change
        self._on_trouble = on_trouble
        self._repositories: dict[str, _Repository] = {}
        self._latest: _Repository | None = None

    @property
    def serving(self) -> str | None:
        """The adapter that is loaded for the folder that was asked about last."""
        return self._latest.adapter if self._latest else None

    @property
    def trouble(self) -> str:
        """Why the base alone serves that folder, which has an adapter; empty: nothing is wrong."""
        return self._latest.told if self._latest else ""

    def open(self, root: str) -> None:
        """A folder that will be asked about: :meth:`follow` loads its adapter beforehand."""
        repository = self._repositories.setdefault(root, _Repository(root))
        self._latest = self._latest or repository

    def adapter_of(self, root: str, engine: AdaptableEngine) -> LoadedAdapter | None:
        """What to ask ``engine`` for; None: the base. Never waits, but may begin a look."""
        self.open(root)
        repository = self._repositories[root]
        if repository is not self._latest:
            self._latest = repository
            self._on_change()
        if time.monotonic() - repository.looked >= LOOK_SECONDS:
            self._begin(repository, engine)
        return repository.loaded if repository.engine is engine else None

    def lost(self, root: str, engine: AdaptableEngine) -> None:
        """The engine did not know the adapter: it began anew, or serves another model."""
        repository = self._repositories.get(root)
        if repository is not None and repository.engine is engine:
            self._serve(repository, None)
            repository.seen = None
            self._begin(repository, engine)

    async def follow(self, engine: AdaptableEngine, *, anew: bool = False) -> None:
        """Have ``engine`` serve what is active now for every folder; cancelling it ends no load.

        With ``anew``, a look that is under way does not count: it may have read what was chosen
        before.
        """
        under_way = [entry.look for entry in self._repositories.values() if entry.look]
        if anew and under_way:
            await asyncio.wait(under_way)
        looks = [self._begin(repository, engine) for repository in self._repositories.values()]
        if looks:
            await asyncio.wait(looks)

    async def close(self, root: str) -> None:
        """A folder was closed: nobody asks for its adapter any more."""
        repository = self._repositories.pop(root, None)
        if repository is None:
            return
        if repository.look is not None:
            repository.look.cancel()
            await asyncio.gather(repository.look, return_exceptions=True)
        if repository is self._latest:
            self._latest = None
            self._on_change()

    async def aclose(self) -> None:
        """End the looks; what is loaded stays, for other windows have it too."""
        looks = [entry.look for entry in self._repositories.values() if entry.look]
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    def _begin(self, repository: _Repository, engine: AdaptableEngine) -> asyncio.Task[None]:
        """The look that is under way, or a new one; one at an engine that is gone is ended."""
        if repository.look is not None and not repository.look.done():
            if repository.looked_with is engine:
                return repository.look
            repository.look.cancel()
        repository.looked_with = engine
        repository.look = asyncio.create_task(self._look(repository, engine))
        return repository.look

    async def _look(self, repository: _Repository, engine: AdaptableEngine) -> None:
        try:
            await self._follow(repository, engine)
        except EngineError as error:  # it is on its way out, and its successor is looked at anew
            _log.info("the engine did not say what it serves: %s", error)
        except Exception as error:  # noqa: BLE001  # else the task's fault would be nobody's
            trouble = f"the adapter of {repository.root} could not be looked up: {error!r}"
            if trouble != repository.told:
                _log.exception("%s", trouble)
            repository.seen = None  # or the next look would find nothing new, and the trouble stay
            self._tell(repository, trouble)
        finally:
            repository.looked = time.monotonic()

    async def _follow(self, repository: _Repository, engine: AdaptableEngine) -> None:
        """Load what is active, if that or the engine is another one than at the last look."""
        info = await engine.info()
        store, choice = await asyncio.to_thread(self._choice, repository)
        seen = _Seen(choice, info.model, info.sha256)
        if repository.engine is engine and repository.seen == seen:
            return
        if repository.engine is not engine:
            self._serve(repository, None)
        active, trouble, settled = None, "", True
        try:
            if choice is not None:
                active = await asyncio.to_thread(self._active, store, info.model, info.sha256)
            if active is not None:
                await engine.have_adapter(active.adapter.id, active.adapter.path, active.scale)
        except (AdapterError, EngineRequestError, OSError) as error:
            active, trouble = None, f"the base alone serves {repository.root}: {error}"
            settled = not _may_pass(error)
        # What may pass by itself is tried again at the next look.
        repository.engine, repository.seen = engine, seen if settled else None
        self._serve(repository, _loaded(active) if active else None)
        self._tell(repository, trouble)

    def _choice(self, repository: _Repository) -> tuple[RepositoryStore, Fingerprint | None]:
        """Reads the disk: which version of ``active.json`` there is; None: the base serves."""
        own, now = RepositoryStore.of(self._paths, Path(repository.root)), time.monotonic()
        if own.active_json.exists():
            # Once that is taken back, relatives are searched for at the next look.
            repository.store, repository.searched = own, -math.inf
        elif repository.store is None or now - repository.searched >= RELATIVES_SECONDS:
            repository.store = serving_store(self._paths, own.root).store
            repository.searched = now
        try:
            return repository.store, Fingerprint.of(repository.store.active_json)
        except (FileNotFoundError, NotADirectoryError):
            return repository.store, None

    def _active(self, store: RepositoryStore, model: str, sha256: str) -> ActiveAdapter | None:
        """Reads the disk; raises AdapterError and ``OSError``."""
        registry = AdapterRegistry(store)
        chosen = registry.active_id()
        if chosen is not None and not sha256:
            raise WrongBaseError(
                f"its adapter {chosen} belongs to one model file, and this engine "
                "does not say which one it serves; leave `tenon.engineUrl` empty to have it served"
            )
        return registry.active(base_identity(ModelStore(self._paths), model, sha256))

    def _serve(self, repository: _Repository, loaded: LoadedAdapter | None) -> None:
        before, repository.loaded = repository.adapter, loaded
        if repository.adapter == before:
            return
        _log.info("%s serves %s", repository.adapter or "the base alone", repository.root)
        if repository is self._latest:
            self._on_change()

    def _tell(self, repository: _Repository, trouble: str) -> None:
        before, repository.told = repository.told, trouble
        if trouble and trouble != before:
            self._on_trouble(trouble)
        elif before and not trouble and repository is self._latest:
            self._on_change()


def _loaded(active: ActiveAdapter) -> LoadedAdapter:
    return LoadedAdapter(active.adapter.id, active.scale, active.adapter.least_confidence)


def _may_pass(error: Exception) -> bool:
    """Whether the same adapter may be read, and loaded, the next time."""
    if isinstance(error, EngineRequestError):
        return error.status >= SERVER_FAULT
    return isinstance(error, OSError)
