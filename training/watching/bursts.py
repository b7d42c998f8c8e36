"""Folds many changes into one wake-up: after a quiet moment, or when it has lasted long enough."""

from dataclasses import dataclass

from lsp_server.store.files import language_of
from lsp_server.store.rules import FILE_NAME

QUIET_SECONDS = 2.0
"""Without a change before a burst is over: tools write files one after the other."""
MOST_SECONDS = 30.0
"""After which it is looked at all the same: something may write for ever."""
MOST_FOLDERS = 500
"""Folders that are named one by one; of more, all are looked at."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The folders (relative, "" or ending in ``/``) in which something changed; None is all.

    A folder that is gone is named itself. ``rules`` is whether other files may count now.
    """

    folders: frozenset[str] | None = None
    rules: bool = False

    @classmethod
    def of(cls, folder: str, name: str) -> "Changed | None":
        """What a changed file means; None for one that nobody learns from."""
        if name == ".gitignore" or (name == FILE_NAME and not folder):
            return cls(rules=True)
        return cls(frozenset((folder,))) if language_of(name) else None

    def __or__(self, other: "Changed") -> "Changed":
        rules = self.rules or other.rules
        if self.folders is None or other.folders is None:
            return Changed(None, rules)
        both = self.folders | other.folders
        return Changed(both if len(both) <= MOST_FOLDERS else None, rules)


NOTHING = Changed(frozenset())


@dataclass(slots=True)
class Burst:
    """Changes that have not been looked at; times are a monotonic clock's seconds."""

    quiet_seconds: float = QUIET_SECONDS
    most_seconds: float = MOST_SECONDS
    _changed: Changed = NOTHING
    _first: float | None = None
    _last: float = 0.0

    def add(self, changed: Changed, now: float) -> None:
        """Something changed."""
        if self._first is None:
            self._first = now
        self._last = now
        self._changed = self._changed | changed

    @property
    def due(self) -> float | None:
        """When it is to be looked at; None if there is nothing to look at."""
        if self._first is None:
            return None
        return min(self._last + self.quiet_seconds, self._first + self.most_seconds)

    def take(self, now: float) -> Changed | None:
        """What changed, once it is due; forgotten from then on."""
        if self.due is None or now < self.due:
            return None
        changed, self._changed, self._first = self._changed, NOTHING, None
        return changed
