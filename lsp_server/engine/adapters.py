"""The LoRA adapters that are loaded, who still uses one that was unloaded, and what they weigh."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import CorruptModelError, EngineRequestError
from . import lora_file
from .generation import LoadedAdapter
from .llama import Adapter, Model


@dataclass(frozen=True, slots=True)
class ShelfState:
    """``size`` is in bytes, those included that were unloaded and still serve an answer.

    ``evicted`` counts those that had to make room, since the model was loaded.
    """

    adapters: int
    size: int
    capacity: int
    evicted: int


class AdapterShelf:
    """Adapters by name. An unloaded one is freed when the last request that pinned it has ended.

    Above ``capacity`` bytes the least recently used go, but never one that is in use, nor the one
    that was loaded or used last: however large it is, somebody is about to ask for it. Safe to use
    from any thread; ``free`` is called once per adapter, when nobody can reach it.
    """

    def __init__(
        self, model: Model, free: Callable[[LoadedAdapter], None], *, capacity: int
    ) -> None:
        self._model = model
        self._free = free
        self._capacity = capacity
        self._loading = threading.Lock()
        self._lock = threading.Lock()
        self._loaded: dict[str, LoadedAdapter] = {}
        self._pins: dict[int, int] = {}
        self._used: dict[int, int] = {}
        self._size = self._evicted = 0
        self._identities = itertools.count(1)
        self._uses = itertools.count(1)

    def all(self) -> list[LoadedAdapter]:
        """What is loaded, oldest first."""
        with self._lock:
            return list(self._loaded.values())

    def uses(self, adapter: LoadedAdapter) -> int:
        """How many requests hold it now."""
        with self._lock:
            return self._pins.get(adapter.identity, 0)

    @property
    def state(self) -> ShelfState:
        with self._lock:
            return ShelfState(len(self._loaded), self._size, self._capacity, self._evicted)

    def load(self, name: str, path: Path, scale: float, *, replace: bool) -> None:
        """Load a LoRA file beside the generations that run, and make room for it.

        Raises ``EngineRequestError``. The file may be replaced or removed as soon as this returns.
        """
        with self._loading:  # of two that load the same name, the second finds it loaded
            with self._lock:
                taken = name in self._loaded
            if taken and not replace:
                raise EngineRequestError(
                    f"The lora adapter '{name}' has already been loaded.", param="lora_name"
                )
            if not path.is_file():
                raise EngineRequestError(f"There is no file {path}.", status=404, param="lora_path")
            size = lora_file.check(path, self._model.architecture, self._model.path)
            try:
                adapter = Adapter(self._model, path)
            except CorruptModelError as error:
                raise lora_file.refusal(str(error)) from error
            loaded = LoadedAdapter(name, adapter, scale, next(self._identities), str(path), size)
            with self._lock:
                unused = self._take(name)
                self._loaded[name] = loaded
                self._used[loaded.identity] = next(self._uses)
                self._size += size
                unused += self._evict()
        self._free_all(unused)

    def unload(self, name: str) -> None:
        """Forget an adapter; answers that began with it still end with it."""
        with self._lock:
            if name not in self._loaded:
                raise EngineRequestError(
                    f"The lora adapter '{name}' cannot be found.", status=404, param="lora_name"
                )
            unused = self._take(name)
        self._free_all(unused)

    def pin(self, name: str) -> LoadedAdapter | None:
        """An adapter that stays in memory until :meth:`unpin`; None if there is none."""
        with self._lock:
            adapter = self._loaded.get(name)
            if adapter is not None:
                self._pins[adapter.identity] = self._pins.get(adapter.identity, 0) + 1
                self._used[adapter.identity] = next(self._uses)
            return adapter

    def unpin(self, adapter: LoadedAdapter) -> None:
        """The counterpart of :meth:`pin`; what stayed above the capacity for its sake may go."""
        with self._lock:
            self._pins[adapter.identity] -= 1
            unused: list[LoadedAdapter] = []
            if not self._pins[adapter.identity]:
                del self._pins[adapter.identity]
                is_loaded = self._loaded.get(adapter.name) is adapter
                unused = self._evict() if is_loaded else self._forget(adapter)
        self._free_all(unused)

    def close(self) -> None:
        """Free what is loaded; nothing is pinned any more."""
        for adapter in self.all():
            adapter.adapter.close()

    def _take(self, name: str) -> list[LoadedAdapter]:
        """Off the shelf; returns it if nobody uses it."""
        old = self._loaded.pop(name, None)
        if old is None or self._pins.get(old.identity):
            return []
        return self._forget(old)

    def _evict(self) -> list[LoadedAdapter]:
        """Take the least recently used away until what is loaded fits; returns them."""
        ordered = sorted(self._loaded.values(), key=lambda entry: self._used[entry.identity])
        held = sum(entry.size for entry in ordered)
        evicted: list[LoadedAdapter] = []
        for entry in ordered[:-1]:
            if held <= self._capacity:
                break
            if not self._pins.get(entry.identity):
                evicted += self._take(entry.name)
                held -= entry.size
        self._evicted += len(evicted)
        return evicted

    def _forget(self, adapter: LoadedAdapter) -> list[LoadedAdapter]:
        del self._used[adapter.identity]
        self._size -= adapter.size
        return [adapter]

    def _free_all(self, adapters: list[LoadedAdapter]) -> None:
        for adapter in adapters:
            self._free(adapter)
