"""Cross-file context, looked up once for all the keys of a line.

What may be shown is a function of whole lines above and below the cursor's own, of the window's
edges and of the index. While somebody types inside a line none of these change, so the last answer
of each document is kept.
"""

from threading import Lock

from cachetools import LRUCache

from .assemble import Snippet, Source
from .snippets import Candidate, SnippetSource, candidates_for, fit
from .window import CountTokens, Window

DOCUMENTS = 8
"""Documents between which somebody goes to and fro."""


class Recall:
    """Remembers the last candidates of some documents; threads may share one."""

    def __init__(self) -> None:
        self._lock = Lock()  # looking into these caches changes them
        self._found: LRUCache[str, tuple[tuple[object, ...], tuple[Candidate, ...]]] = LRUCache(
            DOCUMENTS
        )
        self._fitted: LRUCache[str, tuple[object, int, tuple[Snippet, ...]]] = LRUCache(DOCUMENTS)

    def candidates(
        self, source: Source, index: SnippetSource, shown: Window
    ) -> tuple[Candidate, ...]:
        """As :func:`.snippets.candidates_for`; the very same object while nothing changed."""
        version = index.version(source.path)
        if (known := self._at(version, source, index, shown)) is not None:
            return known
        found = candidates_for(source, index, shown)
        with self._lock:
            self._found[source.path] = _key(version, source, index, shown), found
        return found

    def known(
        self, source: Source, index: SnippetSource, shown: Window
    ) -> tuple[Candidate, ...] | None:
        """The candidates, if nothing changed since they were looked up; takes no time."""
        version = index.current(source.path)
        return None if version is None else self._at(version, source, index, shown)

    def _at(
        self, version: int, source: Source, index: SnippetSource, shown: Window
    ) -> tuple[Candidate, ...] | None:
        with self._lock:
            known = self._found.get(source.path)
        if known is None or known[0] != _key(version, source, index, shown):
            return None
        return known[1]

    def fitted(
        self, path: str, candidates: tuple[Candidate, ...], budget_tokens: int
    ) -> tuple[Snippet, ...] | None:
        """What :meth:`fit` made of these very candidates for this budget; None if it did not."""
        with self._lock:
            known = self._fitted.get(path)
        if known is None or known[0] is not candidates or known[1] != budget_tokens:
            return None
        return known[2]

    def fit(
        self, path: str, candidates: tuple[Candidate, ...], budget_tokens: int, count: CountTokens
    ) -> tuple[Snippet, ...]:
        """As :func:`.snippets.fit`, and remembered."""
        snippets = fit(candidates, budget_tokens, count)
        with self._lock:
            self._fitted[path] = candidates, budget_tokens, snippets
        return snippets


def _key(version: int, source: Source, index: SnippetSource, shown: Window) -> tuple[object, ...]:
    """All that the candidates depend on; the cursor's own line is not among it."""
    before, after = source.before, source.after
    above = before[: before.rfind("\n") + 1]
    newline = after.find("\n")
    below = after[newline:] if newline >= 0 else ""
    edges = len(before) - len(shown.prefix), len(after) - len(shown.suffix)
    return source.path, above, below, edges, index, version
