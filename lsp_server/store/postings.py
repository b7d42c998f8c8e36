"""Which windows of an index have a term, and how many: kept while nothing in the index changes.

While somebody types, nearly all terms are those of the line before.
"""

import math
import threading
from collections.abc import Collection, Mapping, Sequence

from cachetools import LRUCache

from .index_file import IndexFile

MOST_COUNTS = 10_000
"""Terms of which it is kept how many windows have them."""
MOST_KEPT = 400_000
"""Windows that are kept, of all terms together."""


class Postings:
    """Answers from one index file; threads may share it."""

    def __init__(self, file: IndexFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._version = -1
        self._total = 0
        self._counts: dict[str, int] = {}
        self._windows: LRUCache[str, Sequence[int]] = self._none()

    def counts(self, terms: Collection[str]) -> tuple[int, dict[str, int]]:
        """How many windows there are, and how many have each term; terms that none has are out."""
        with self._lock:
            self._follow()
            if len(self._counts) > MOST_COUNTS:
                self._counts.clear()
            counts = self._counts
            unknown = sorted(term for term in terms if term not in counts)
            if unknown:
                marks = ",".join("?" * len(unknown))
                rows = self._file.query(
                    f"SELECT term, doc FROM vocabulary WHERE term IN ({marks})",  # noqa: S608 - marks
                    unknown,
                )
                counts.update(dict.fromkeys(unknown, 0) | dict(rows))
            return self._total, {term: counts[term] for term in terms if counts[term]}

    def windows(self, terms: Sequence[str]) -> list[Sequence[int]]:
        """The numbers of the windows that have each of some terms, which :meth:`counts` knows."""
        with self._lock:
            self._follow()
            kept = self._windows
            found = {term: kept[term] for term in terms if term in kept}
            unknown = [term for term in terms if term not in found]
            asked = [(f'"{term}"',) for term in unknown]
            rows = self._file.query_each("SELECT rowid FROM terms WHERE terms MATCH ?", asked)
            for term, matching in zip(unknown, rows, strict=True):
                found[term] = [number for (number,) in matching]
                if len(matching) < MOST_KEPT:
                    kept[term] = found[term]
            return [found[term] for term in terms]

    def _follow(self) -> None:
        if self._file.look() == self._version:
            return
        self._version = self._file.changes
        total = self._file.query("SELECT sum(windows) FROM files")
        self._total = (total[0][0] or 0) if total else 0
        self._counts, self._windows = {}, self._none()

    @staticmethod
    def _none() -> LRUCache[str, Sequence[int]]:
        return LRUCache(MOST_KEPT, getsizeof=lambda windows: len(windows) + 1)


def rarity(windows: int, having: int) -> float:
    """How much a term tells that so many of all windows have, as BM25 has it."""
    return math.log1p((windows - having + 0.5) / (having + 0.5))


def rarities(terms: Collection[str], windows: int, found: Mapping[str, int]) -> dict[str, float]:
    """The same for each of some terms; most of all one that no window has."""
    return {term: rarity(windows, found.get(term, 0)) for term in terms}
