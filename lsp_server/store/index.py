"""The index of a repository: windows of its files for BM25, and where its names are defined.

One SQLite file. Whoever refreshes it (a process of its own, while somebody types) writes; the
server reads beside it, in SQLite's write-ahead mode. A process that is killed leaves the last
commit; a file that is damaged, or of another version, is made anew.
"""

import heapq
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..prompt.passages import WINDOW_LINES, WINDOW_STEP, Passage
from ..prompt.snippets import Definition, Place
from .files import RepositoryFile
from .index_file import IN_MEMORY, IndexFile
from .index_tables import chunks_in
from .postings import Postings, rarities, rarity
from .refreshing import Progress, Refreshed, refresh
from .rules import Rules

MOST_MATCHES = 3_000
"""Windows that a search may have to weigh: the rarest terms come first, and the rest stay out."""
MOST_PLACES = 500
"""A name that more places define (``__init__``) is not told: it would leave no room for others."""
_MOST_TERMS = 48
_COMMON_SHARE = 4
"""A term that is in more than one window of so many says nothing."""
_FEW_WINDOWS = 40
_MOST_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Contents:
    """How much an index holds; ``languages`` counts files by language."""

    files: int
    lines: int
    windows: int
    symbols: int
    languages: dict[str, int]


class RepositoryIndex:
    """A :class:`lsp_server.prompt.snippets.SnippetSource` over one SQLite file.

    Reading never raises: an index that is not there, or not whole, knows nothing.
    """

    def __init__(self, file: IndexFile) -> None:
        self._file = file
        self._postings = Postings(file)

    @classmethod
    def open(cls, path: Path) -> Self:
        """For refreshing; the file is made, or made anew, if need be. Raises ``OSError``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = IndexFile(path, writable=True)
        with file.alone():
            file.create()
        return cls(file)

    @classmethod
    def reading(cls, path: Path) -> Self:
        """For serving: nothing is written, and the file may come, go and change meanwhile."""
        return cls(IndexFile(path, writable=False))

    @classmethod
    def of_files(cls, files: Iterable[RepositoryFile], path: str | Path = IN_MEMORY) -> Self:
        """An index of these very files, for training and evaluation."""
        made = IndexFile(path, writable=True)
        made.create()
        with made.transaction() as tables:
            for file in files:
                tables.replace(file)
        return cls(made)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; the next question opens it again."""
        self._file.close()

    # Writing

    def replace_file(self, file: RepositoryFile) -> None:
        """Take a file in, in place of what is known under its path."""
        with self._file.transaction() as tables:
            tables.replace(file)

    def remove(self, path: str) -> None:
        """Forget a file."""
        with self._file.transaction() as tables:
            tables.remove(path)

    def refresh(self, root: Path, rules: Rules, progress: Progress | None = None) -> Refreshed:
        """Bring the index up to what lies below ``root``, see :func:`.refreshing.refresh`."""
        return refresh(self._file, root, rules, progress)

    # Reading

    def version(self, exclude: str = "") -> int:
        """Another number whenever something else may be in the index; costs one look at it."""
        del exclude
        return self._file.look()

    def current(self, exclude: str = "") -> int | None:
        """The same: nothing has to be read for it."""
        return self.version(exclude)

    def places(
        self, names: Collection[str], exclude: str, *, hidden: Collection[str] = ()
    ) -> Sequence[Place]:
        """Where names are defined, sorted by name, path and line; ``hidden`` files are left out."""
        ordered = sorted(names)
        counts = self._file.query_each(
            "SELECT count(*) FROM (SELECT 1 FROM symbols WHERE name = ? LIMIT ?)",
            [(name, MOST_PLACES + 1) for name in ordered],
        )
        telling = [name for name, rows in zip(ordered, counts, strict=True)
                   if rows and 0 < rows[0][0] <= MOST_PLACES]  # fmt: skip
        if not telling:
            return []
        out = sorted({exclude, *hidden})
        rows = self._file.query(
            "SELECT s.name, s.qualified, s.kind, f.path, s.first, s.last FROM symbols s "  # noqa: S608 - marks
            f"JOIN files f ON f.id = s.file WHERE s.name IN ({_marks(telling)}) "
            f"AND f.path NOT IN ({_marks(out)}) ORDER BY s.name, f.path, s.first LIMIT ?",
            (*telling, *out, _MOST_ROWS),
        )
        return [Place(*row) for row in rows]

    def definition(self, place: Place) -> Definition | None:
        """A definition's text; None if it is not there any more."""
        rows = self._file.query(
            "SELECT s.head, f.chunk, f.lines FROM symbols s JOIN files f ON f.id = s.file "
            "WHERE f.path = ? AND s.name = ? AND s.first = ? AND s.qualified = ?",
            (place.path, place.name, place.first, place.qualified),
        )
        if not rows or place.last >= rows[0][2]:
            return None
        head, chunk, _ = rows[0]
        above, inside = divmod(place.first, WINDOW_STEP)
        texts = self._file.query(
            "SELECT text FROM chunks WHERE id BETWEEN ? AND ? ORDER BY id",
            (chunk + above, chunk + place.last // WINDOW_STEP),
        )
        lines = "\n".join(text for (text,) in texts).split("\n")
        return Definition("\n".join(lines[inside : inside + place.last - place.first + 1]), head)

    def search(
        self, terms: Sequence[str], exclude: str, limit: int, *, hidden: Collection[str] = ()
    ) -> Sequence[Passage]:
        """The windows that share most with ``terms`` (lower case), best first.

        A term that is there counts its rarity, however often. Windows of a file overlap; of those,
        whoever asks takes one.
        """
        scores = self._scores(terms)
        for chunk, lines in self._spans({exclude, *hidden}):
            for number in range(chunk, chunk + chunks_in(lines)):
                scores.pop(number, None)
        rows = self._file.query_each(
            "SELECT c.id, f.path, c.id - f.chunk, f.lines, c.text, next.text FROM chunks c "
            "JOIN files f ON f.id = c.file "
            "LEFT JOIN chunks next ON next.id = c.id + 1 AND next.file = c.file WHERE c.id = ?",
            [(number,) for number in self._best(scores, limit)],
        )
        found: list[Passage] = []
        for number, path, chunk, lines, text, following in (row for some in rows for row in some):
            first = chunk * WINDOW_STEP
            last = min(first + WINDOW_LINES, lines) - 1
            whole = text if following is None else f"{text}\n{following}"
            found.append(Passage(path, first, last, whole, scores[number]))
        return sorted(found, key=lambda one: (-one.score, one.path, one.first))

    def rarity(self, terms: Collection[str]) -> Mapping[str, float]:
        """How much each term tells, as BM25 has it; most of all one that no file has."""
        return rarities(terms, *self._postings.counts(terms))

    def _scores(self, wanted: Sequence[str]) -> dict[int, float]:
        """Of every window that has one of the rarest terms, by its number: their rarities' sum."""
        words = [term for term in dict.fromkeys(wanted) if '"' not in term]
        windows, found = self._postings.counts(words)
        chosen = _telling(windows, found)
        scores: dict[int, float] = {}
        known = scores.get
        for term, numbers in zip(chosen, self._postings.windows(chosen), strict=True):
            weight = rarity(windows, found[term])
            for number in numbers:
                scores[number] = known(number, 0.0) + weight
        return scores

    def _best(self, scores: dict[int, float], limit: int) -> list[int]:
        """The windows with the highest scores; of equal ones the first by path and line."""
        if len(scores) <= limit:
            return list(scores)
        least = heapq.nlargest(limit, scores.values())[-1]
        best = [number for number, score in scores.items() if score > least]
        equal = [number for number, score in scores.items() if score == least]
        if len(best) + len(equal) > limit:
            rows = self._file.query(
                "SELECT c.id FROM chunks c JOIN files f ON f.id = c.file "
                "WHERE c.id IN (SELECT value FROM json_each(?)) ORDER BY f.path, c.id LIMIT ?",
                (json.dumps(equal), limit - len(best)),
            )
            equal = [number for (number,) in rows]
        return best + equal

    def _spans(self, paths: Collection[str]) -> list[tuple[int, int]]:
        """First chunk and lines of those files that are in."""
        return self._file.query(
            f"SELECT chunk, lines FROM files WHERE path IN ({_marks(paths)})",  # noqa: S608 - marks
            sorted(paths),
        )

    def hashes(self, paths: Collection[str]) -> dict[str, str]:
        """sha256 of the bytes that files had when they were taken in, of those that are in."""
        rows = self._file.query(
            f"SELECT path, sha256 FROM files WHERE path IN ({_marks(paths)})",  # noqa: S608 - marks
            sorted(paths),
        )
        return dict(rows)

    def contents(self) -> Contents:
        """Counts, for people."""
        files = self._file.query(
            "SELECT language, count(*), sum(lines), sum(windows) FROM files GROUP BY 1"
        )
        symbols = self._file.query("SELECT count(*) FROM symbols") or [(0,)]
        languages = Counter({language or "text": count for language, count, *_ in files})
        return Contents(
            files=languages.total(),
            lines=sum(lines for _, _, lines, _ in files),
            windows=sum(windows for *_, windows in files),
            symbols=symbols[0][0],
            languages=dict(languages.most_common()),
        )


def _marks(values: Collection[str]) -> str:
    return ",".join("?" * len(values))


def _telling(windows: int, found: Mapping[str, int]) -> list[str]:
    """The rarest of some terms, as many as may be weighed in a few milliseconds."""
    most = max(windows // _COMMON_SHARE, _FEW_WINDOWS)
    chosen: list[str] = []
    weighed = 0
    for documents, term in sorted((documents, term) for term, documents in found.items()):
        weighed += documents
        if documents > most or weighed > MOST_MATCHES or len(chosen) == _MOST_TERMS:
            break
        chosen.append(term)
    return chosen
