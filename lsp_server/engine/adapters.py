"""The LoRA adapters that are loaded, and who still uses one that was unloaded."""

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import EngineRequestError
from .generation import LoadedAdapter
from .llama import Adapter, Model


class AdapterShelf:
    """Adapters by name. An unloaded one is freed when the last request that pinned it has ended.

    Safe to use from any thread; ``free`` is called once per adapter, when nobody can reach it.
    """

    def __init__(self, model: Model, free: Callable[[LoadedAdapter], None]) -> None:
        self._model = model
        self._free = free
        self._lock = threading.Lock()
        self._loaded: dict[str, LoadedAdapter] = {}
        self._pins: dict[int, int] = {}
        self._identities = itertools.count(1)

    def all(self) -> list[LoadedAdapter]:
        """What is loaded, oldest first."""
        with self._lock:
            return list(self._loaded.values())

    def load(self, name: str, path: Path, scale: float, *, replace: bool) -> None:
        """Load a LoRA file beside the generations that run; raises ``EngineRequestError``."""
        with self._lock:
            taken = name in self._loaded
        if taken and not replace:
            raise EngineRequestError(
                f"The lora adapter '{name}' has already been loaded.", param="lora_name"
            )
        if not path.is_file():
            raise EngineRequestError(f"There is no file {path}.", status=404, param="lora_path")
        adapter = Adapter(self._model, path)
        loaded = LoadedAdapter(name, adapter, scale, next(self._identities), str(path))
        with self._lock:
            old = self._loaded.pop(name, None)
            self._loaded[name] = loaded
            unused = old is not None and not self._pins.get(old.identity)
        if old is not None and unused:
            self._free(old)

    def unload(self, name: str) -> None:
        """Forget an adapter; answers that began with it still end with it."""
        with self._lock:
            old = self._loaded.pop(name, None)
            unused = old is not None and not self._pins.get(old.identity)
        if old is None:
            raise EngineRequestError(
                f"The lora adapter '{name}' cannot be found.", status=404, param="lora_name"
            )
        if unused:
            self._free(old)

    def pin(self, name: str) -> LoadedAdapter | None:
        """An adapter that stays in memory until :meth:`unpin`; None if there is none."""
        with self._lock:
            adapter = self._loaded.get(name)
            if adapter is not None:
                self._pins[adapter.identity] = self._pins.get(adapter.identity, 0) + 1
            return adapter

    def unpin(self, adapter: LoadedAdapter) -> None:
        """The counterpart of :meth:`pin`."""
        with self._lock:
            self._pins[adapter.identity] -= 1
            unused = not self._pins[adapter.identity] and (
                self._loaded.get(adapter.name) is not adapter
            )
            if not self._pins[adapter.identity]:
                del self._pins[adapter.identity]
        if unused:
            self._free(adapter)

    def close(self) -> None:
        """Free what is loaded; nothing is pinned any more."""
        for adapter in self.all():
            adapter.adapter.close()
