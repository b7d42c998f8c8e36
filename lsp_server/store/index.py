"""The index of a repository: windows of its files for BM25, and where its names are defined.

One SQLite file. Whoever refreshes it (a process of its own, while somebody types) writes; the
server reads beside it, in SQLite's write-ahead mode. A process that is killed leaves the last
commit; a file that is damaged, or of another version, is made anew.
"""

import math
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Self

from cachetools import LRUCache

from ..prompt.passages import Passage
from ..prompt.snippets import Definition, Place
from .files import RepositoryFile, read_file, refusal
from .index_file import IN_MEMORY, IndexFile
from .index_tables import UNKNOWN, State
from .rules import Rules
from .walking import Found, Skipped, walk

MOST_FILES = 20_000
"""Files in an index; the rest is skipped, so that a home folder opened by mistake does no harm."""
BATCH_SECONDS = 1.0
"""A commit at least so often: what has been read is there for whoever asks meanwhile."""
RACY_NS = 2_000_000_000
"""A file that changed so shortly before it was read may change again and look the same."""
MOST_MATCHES = 6_000
"""Windows that a search may have to weigh: the rarest terms come first, and the rest stay out."""
MOST_COUNTS = 10_000
"""Terms of which it is kept how many windows have them."""
_MOST_TERMS = 48
_COMMON_SHARE = 4
"""A term that is in more than one window of so many says nothing."""
_FEW_WINDOWS = 40
_MOST_ROWS = 2_000
UNSEEN: tuple[State, str] = (UNKNOWN, "")


@dataclass(slots=True)
class Refreshed:
    """What a refresh found: files in the index, of which how many were read anew or taken out."""

    files: int = 0
    changed: int = 0
    removed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    seconds: float = 0.0


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
        self._lock = Lock()  # threads ask, and looking into this cache changes it
        self._lines: LRUCache[tuple[str, int], list[str]] = LRUCache(maxsize=128)
        self._counts: dict[str, int] = {}
        self._windows, self._counted = 0, -1

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

    def refresh(
        self, root: Path, rules: Rules, progress: Callable[[Refreshed], None] | None = None
    ) -> Refreshed:
        """Bring the index up to what lies below ``root``; only files that changed are read.

        Of two processes that refresh, the second waits and then finds little to do. An index that
        turns out to be damaged is made anew, once. Raises ``OSError`` if it cannot be written.
        """
        with self._file.alone():
            try:
                return self._refresh(root, rules, progress)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                    raise OSError(f"{self._file.path} is in use; try again") from error
                self._file.discard()
                self._file.create()
        try:
            return self._refresh(root, rules, progress)
        except sqlite3.DatabaseError as error:
            raise OSError(f"{self._file.path} cannot be written: {error}; remove it") from error

    def _refresh(
        self, root: Path, rules: Rules, progress: Callable[[Refreshed], None] | None
    ) -> Refreshed:
        started = time.monotonic()
        outcome = Refreshed()
        with self._file.transaction() as tables:
            known, passed = tables.known(), tables.passed()
        seen: set[str] = set()
        pending: list[tuple[Found, RepositoryFile | Skipped]] = []
        committed = time.monotonic()
        for entry in walk(root, rules):
            reason = entry.reason if isinstance(entry, Skipped) else refusal(entry, rules)
            if not reason and outcome.files >= MOST_FILES:
                reason = "index is full"
            if reason or isinstance(entry, Skipped):
                outcome.skipped.append(Skipped(entry.path, reason))
                continue
            seen.add(entry.path)
            state = entry.size, entry.modified_ns, entry.included
            if passed.get(entry.path, UNSEEN)[0] == state:
                outcome.skipped.append(Skipped(entry.path, passed[entry.path][1]))
                continue
            if known.get(entry.path, UNSEEN)[0] == state:
                outcome.files += 1
                continue
            pending.append((entry, read_file(entry, rules)))
            _tell(outcome, pending[-1][1], known)
            if time.monotonic() - committed > BATCH_SECONDS:
                self._write(pending, known)
                committed = time.monotonic()
                if progress is not None:
                    progress(outcome)
        self._write(pending, known)
        with self._file.transaction() as tables:
            for path in sorted((known.keys() | passed.keys()) - seen):
                outcome.removed += path in known
                tables.remove(path)
        outcome.seconds = time.monotonic() - started
        return outcome

    def _write(
        self,
        pending: list[tuple[Found, RepositoryFile | Skipped]],
        known: dict[str, tuple[State, str]],
    ) -> None:
        now = time.time_ns()
        with self._file.transaction() as tables:
            for found, file in pending:
                settled = found.modified_ns < now - RACY_NS
                state = found.size, found.modified_ns if settled else 0, found.included
                if isinstance(file, Skipped):
                    tables.pass_over(file, state)
                elif known.get(file.path, UNSEEN)[1] == file.sha256:
                    tables.touch(file.path, state)
                else:
                    tables.replace(file, state)
        pending.clear()

    # Reading

    def version(self) -> int:
        """Another number whenever something else may be in the index; costs one look at it."""
        self._file.query("SELECT 1", ())
        return self._file.changes

    def places(self, names: Collection[str], exclude: str) -> Sequence[Place]:
        """Where names are defined, sorted by name, path and line."""
        if not names:
            return []
        marks = ",".join("?" * len(names))
        rows = self._file.query(
            "SELECT s.name, s.qualified, s.kind, f.path, s.first, s.last FROM symbols s "  # noqa: S608 - marks
            f"JOIN files f ON f.id = s.file WHERE s.name IN ({marks}) AND f.path != ? "
            "ORDER BY s.name, f.path, s.first LIMIT ?",
            (*sorted(names), exclude, _MOST_ROWS),
        )
        return [Place(*row) for row in rows]

    def definition(self, place: Place) -> Definition | None:
        """A definition's text; None if it is not there any more."""
        rows = self._file.query(
            "SELECT s.head FROM symbols s JOIN files f ON f.id = s.file "
            "WHERE f.path = ? AND s.name = ? AND s.first = ? AND s.qualified = ?",
            (place.path, place.name, place.first, place.qualified),
        )
        lines = self._text_lines(place.path)
        if not rows or place.last >= len(lines):
            return None
        return Definition("\n".join(lines[place.first : place.last + 1]), rows[0][0])

    def search(self, terms: Sequence[str], exclude: str, limit: int) -> Sequence[Passage]:
        """The windows that share most with ``terms`` (lower case), best first.

        Windows of a file overlap; of those, whoever asks takes one.
        """
        chosen = self._telling(terms)
        if not chosen:
            return []
        match = " OR ".join(f'"{term}"' for term in chosen)
        rows = self._file.query(
            "SELECT f.path, w.first, w.last, -bm25(terms) AS score FROM terms "
            "JOIN windows w ON w.id = terms.rowid JOIN files f ON f.id = w.file "
            "WHERE terms MATCH ? AND f.path != ? ORDER BY score DESC, f.path, w.first LIMIT ?",
            (match, exclude, limit),
        )
        found: list[Passage] = []
        for path, first, last, score in rows:
            lines = self._text_lines(path)[first : last + 1]
            found.append(Passage(path, first, last, "\n".join(lines), score))
        return found

    def rarity(self, terms: Collection[str]) -> Mapping[str, float]:
        """How much each term tells, as BM25 has it; most of all one that no file has."""
        windows, found = self._windows_with(terms)
        return {
            term: math.log1p((windows - found.get(term, 0) + 0.5) / (found.get(term, 0) + 0.5))
            for term in terms
        }

    def _telling(self, wanted: Sequence[str]) -> list[str]:
        """The rarest of some terms, as many as may be weighed in a few milliseconds."""
        words = [term for term in dict.fromkeys(wanted) if '"' not in term]
        windows, found = self._windows_with(words)
        most = max(windows // _COMMON_SHARE, _FEW_WINDOWS)
        chosen: list[str] = []
        weighed = 0
        for documents, term in sorted((documents, term) for term, documents in found.items()):
            weighed += documents
            if documents > most or weighed > MOST_MATCHES or len(chosen) == _MOST_TERMS:
                break
            chosen.append(term)
        return chosen

    def _windows_with(self, terms: Collection[str]) -> tuple[int, dict[str, int]]:
        """How many windows there are, and how many hold each term; terms that none has are out.

        Counts are kept while nothing changes: one query asks for the same terms twice, and the
        next one for most of them again.
        """
        version = self.version()
        if version != self._counted or len(self._counts) > MOST_COUNTS:
            total = self._file.query("SELECT count(*) FROM windows", ())
            self._windows = total[0][0] if total else 0
            self._counts, self._counted = {}, version
        counts = self._counts  # another thread may begin anew meanwhile
        unknown = sorted(term for term in terms if term not in counts)
        if unknown:
            marks = ",".join("?" * len(unknown))
            rows = self._file.query(
                f"SELECT term, doc FROM vocabulary WHERE term IN ({marks})",  # noqa: S608 - marks
                unknown,
            )
            counts.update(dict.fromkeys(unknown, 0) | dict(rows))
        return self._windows, {term: counts[term] for term in terms if counts[term]}

    def contents(self) -> Contents:
        """Counts, for people."""
        files = self._file.query("SELECT language, count(*), sum(lines) FROM files GROUP BY 1", ())
        windows = self._file.query("SELECT count(*) FROM windows", ()) or [(0,)]
        symbols = self._file.query("SELECT count(*) FROM symbols", ()) or [(0,)]
        languages = Counter({language or "text": count for language, count, _ in files})
        return Contents(
            files=languages.total(),
            lines=sum(lines for _, _, lines in files),
            windows=windows[0][0],
            symbols=symbols[0][0],
            languages=dict(languages.most_common()),
        )

    def _text_lines(self, path: str) -> list[str]:
        key = path, self._file.changes
        with self._lock:
            lines = self._lines.get(key)
        if lines is None:
            rows = self._file.query("SELECT text FROM files WHERE path = ?", (path,))
            lines = rows[0][0].split("\n") if rows else []
            with self._lock:
                self._lines[path, self._file.changes] = lines
        return lines


def _tell(
    outcome: Refreshed, file: RepositoryFile | Skipped, known: dict[str, tuple[State, str]]
) -> None:
    """Count a file that was read."""
    if isinstance(file, Skipped):
        outcome.skipped.append(file)
        outcome.removed += file.path in known
    else:
        outcome.files += 1
        outcome.changed += known.get(file.path, UNSEEN)[1] != file.sha256
