"""Which docstring/implementation pairs a repository has, and which of them were learnt, in SQLite.

A pair is known by its text without white space, so that a formatter's work, a moved function and a
renamed file are nothing new.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lsp_server.store.repositories import RepositoryStore

from ..outlines.parts import Outline, Pair

FILE_NAME = "pairs.sqlite"
REMEMBERED_RUNS = 5
"""What was learnt so many runs ago and stood nowhere since counts as new when it comes back."""
BUSY_SECONDS = 20.0
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (path TEXT PRIMARY KEY, size INTEGER, modified INTEGER);
CREATE TABLE IF NOT EXISTS pair (path TEXT, hash INTEGER);
CREATE INDEX IF NOT EXISTS pair_path ON pair (path);
CREATE TABLE IF NOT EXISTS learnt (hash INTEGER PRIMARY KEY, run INTEGER);
CREATE TABLE IF NOT EXISTS learning (hash INTEGER PRIMARY KEY);
"""
_PENDING = "hash NOT IN (SELECT hash FROM learnt)"
_UNDER = "substr(path, 1, ?) = ?"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A file's size in bytes and when it was modified, in nanoseconds."""

    size: int
    modified: int


class PairRecord:
    """The record of one repository; safe between processes, whole after a kill.

    A damaged file is made anew: all pairs are new then. Raises ``sqlite3.Error`` or ``OSError``
    where it cannot be written (disk full, read-only home). For one thread at a time.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = _opened(path)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in _DAMAGED:
                raise
            for suffix in ("", "-journal"):
                with suppress(FileNotFoundError):
                    path.with_name(path.name + suffix).unlink()
            self._database = _opened(path)

    @classmethod
    def of(cls, repository: RepositoryStore) -> Self:
        """The one in a repository's store."""
        return cls(repository.folder / FILE_NAME)

    def fingerprints(self, folder: str = "") -> dict[str, Fingerprint]:
        """The files that are known below a folder, by path."""
        rows = self._database.execute(
            f"SELECT path, size, modified FROM file WHERE {_UNDER}",  # noqa: S608
            (len(folder), folder),
        )
        return {path: Fingerprint(size, modified) for path, size, modified in rows}

    def put(self, files: Iterable[tuple[str, Fingerprint, Iterable[int]]]) -> None:
        """Files with the hashes of their pairs, in one transaction."""
        with self._database as database:
            for path, found, hashes in files:
                database.execute("DELETE FROM pair WHERE path = ?", (path,))
                database.execute(
                    "INSERT OR REPLACE INTO file VALUES (?, ?, ?)",
                    (path, found.size, found.modified),
                )
                database.executemany(
                    "INSERT INTO pair VALUES (?, ?)", ((path, it) for it in hashes)
                )

    def remove(self, paths: Iterable[str]) -> None:
        """Files that are gone."""
        gone = [(path,) for path in paths]
        with self._database as database:
            database.executemany("DELETE FROM pair WHERE path = ?", gone)
            database.executemany("DELETE FROM file WHERE path = ?", gone)

    def pending(self) -> int:
        """How many pairs are new or changed since the last run."""
        (count,) = self._database.execute(
            f"SELECT count(DISTINCT hash) FROM pair WHERE {_PENDING}"  # noqa: S608
        ).fetchone()
        return int(count)

    def pending_files(self, most: int) -> list[str]:
        """Files with pending pairs, the newest first."""
        pending = f"SELECT path FROM pair WHERE {_PENDING}"  # noqa: S608
        rows = self._database.execute(
            f"SELECT path FROM file WHERE path IN ({pending}) "  # noqa: S608
            "ORDER BY modified DESC, path LIMIT ?",
            (most,),
        )
        return [path for (path,) in rows]

    def is_pending(self, pair_hash: int) -> bool:
        """Whether a pair was not learnt yet."""
        found = self._database.execute("SELECT 1 FROM learnt WHERE hash = ?", (pair_hash,))
        return found.fetchone() is None

    def begin(self) -> None:
        """A run begins: what there is now is what it learns."""
        with self._database as database:
            database.execute("DELETE FROM learning")
            database.execute("INSERT INTO learning SELECT DISTINCT hash FROM pair")

    def finish(self) -> None:
        """That run came to its end, promoted or not: what it learnt is no longer pending."""
        with self._database as database:
            (last,) = database.execute("SELECT coalesce(max(run), 0) FROM learnt").fetchone()
            database.execute("INSERT OR REPLACE INTO learnt SELECT hash, ? FROM learning",
                             (last + 1,))  # fmt: skip
            database.execute("DELETE FROM learning")
            database.execute("DELETE FROM learnt WHERE run <= ?", (last + 1 - REMEMBERED_RUNS,))

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def countable(outline: Outline) -> Iterator[tuple[Pair, int]]:
    """The pairs that are counted, with their hashes: functions and methods, since a class's body
    would count what its methods count.
    """
    for pair in outline.pairs:
        if pair.kind != "class":
            yield pair, _hash(outline.text[pair.start : pair.end])


def _hash(text: str) -> int:
    bare = "".join(text.split()).replace("'", '"').replace(",)", ")").replace(",]", "]")
    digest = hashlib.blake2b(bare.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        database.executescript(_SCHEMA)
    except BaseException:
        database.close()
        raise
    return database
