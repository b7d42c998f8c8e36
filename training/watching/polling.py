"""Looks for changes now and then, where the system cannot tell of them."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from lsp_server.store.files import language_of
from lsp_server.store.rules import Rules
from lsp_server.store.walking import Found, walk

from .bursts import Changed

SECONDS = 30.0
"""Between two looks, at least."""
LEAST_REST = 50
"""Times as long as a look took is rested, so that looking takes 2 % of a core at most."""


class Poller:
    """A thread that walks a repository and compares; it holds one number for each folder."""

    def __init__(
        self, root: Path, rules: Rules, changed: Callable[[Changed], None], seconds: float = SECONDS
    ) -> None:
        self._root, self._rules, self._changed = root, rules, changed
        self._seconds = seconds
        self._ended = Event()
        self._rules_seen = self._of_rules()
        self._seen = self._look()
        self._thread = Thread(target=self._run, daemon=True, name="tenon-poller")
        self._thread.start()

    def stop(self) -> None:
        """No more looks."""
        self._ended.set()
        self._thread.join()

    @property
    def count(self) -> int:
        """Folders that are looked at."""
        return len(self._seen)

    def _run(self) -> None:
        rest = self._seconds
        while not self._ended.wait(rest):
            started = time.thread_time()
            rules = self._of_rules()
            seen = self._look()
            both = self._seen.keys() | seen.keys()
            changed = {it for it in both if self._seen.get(it) != seen.get(it)}
            if rules != self._rules_seen:
                self._changed(Changed(rules=True))
            elif changed:
                self._changed(Changed(frozenset()) | Changed(frozenset(changed)))
            self._rules_seen, self._seen = rules, seen
            rest = max(self._seconds, LEAST_REST * (time.thread_time() - started))

    def _look(self) -> dict[str, int]:
        """A number for each folder that has code, which changes with its files."""
        found: dict[str, int] = {}
        for entry in walk(self._root, self._rules):
            if isinstance(entry, Found) and language_of(entry.path):
                folder = entry.path[: entry.path.rfind("/") + 1]
                of_file = hash((entry.path, entry.size, entry.modified_ns))
                found[folder] = found.get(folder, 0) ^ of_file
        return found

    def _of_rules(self) -> tuple[object, ...]:
        """What changes with the files at the root that say which others are read."""
        told: list[object] = []
        for name in (".gitignore", "tenon.toml"):
            try:
                status = (self._root / name).stat()
            except OSError:
                told.append(None)
            else:
                told.append((status.st_size, status.st_mtime_ns))
        return tuple(told)
