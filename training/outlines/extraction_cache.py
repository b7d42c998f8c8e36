"""Outlines of files that were parsed before, by their content, in one SQLite file."""

import sqlite3
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Self

from .languages import LANGUAGES
from .stored_outline import FORMAT

LIMIT = 256 << 20
"""Bytes of outlines that are kept; those go first that were not asked for longest."""
_BUSY_SECONDS = 2.0
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SCHEMA = """
CREATE TABLE IF NOT EXISTS outline (key BLOB PRIMARY KEY, run INTEGER, value BLOB) WITHOUT ROWID
"""


class ExtractionCache:
    """A cache saves time and nothing else: where it cannot be read or written, it is empty.

    Entries are written in transactions, so that a process that is killed leaves a whole file; a
    damaged one is made anew. Used as a context manager, or closed by :meth:`close`.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path, self._limit = path, limit
        self._used: set[bytes] = set()
        self._versions = {name: entry.version() for name, entry in LANGUAGES.items()}
        self._versions["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
        self._run = 0
        self._database: sqlite3.Connection | None = None
        self._open()

    def key(self, text: str, language: str) -> bytes:
        """What an outline depends on: the text, and what parses it."""
        parser = f"{FORMAT}/{language}/{self._versions.get(language, '')}/"
        return sha256(parser.encode() + text.encode("utf-8", "surrogatepass")).digest()

    def get(self, key: bytes) -> bytes | None:
        """The stored outline, or None."""
        row: tuple[bytes] | None = None
        if self._database:
            try:
                found = self._database.execute("SELECT value FROM outline WHERE key = ?", (key,))
                row = found.fetchone()
            except sqlite3.Error as error:
                self._failed(error)
        if row is None:
            return None
        self._used.add(key)
        return row[0]

    def put(self, entries: dict[bytes, bytes]) -> None:
        """Keep outlines by their keys."""
        if not self._database or not entries:
            return
        rows = [(key, self._run, value) for key, value in entries.items()]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO outline VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            self._failed(error)

    def close(self) -> None:
        """Note what was used, leave out what is too much, and let go of the file."""
        if not self._database:
            return
        try:
            with self._database:
                self._database.executemany(
                    "UPDATE outline SET run = ? WHERE key = ?",
                    [(self._run, key) for key in self._used],
                )
                self._shrink(self._database)
        except sqlite3.Error as error:
            self._failed(error)
        if self._database:
            self._database.close()
            self._database = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _open(self) -> None:
        for _ in range(2):  # a damaged file is taken away, and then there is none
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._database = sqlite3.connect(self._path, timeout=_BUSY_SECONDS)
                self._database.execute("PRAGMA auto_vacuum = FULL")
                self._database.execute(_SCHEMA)
                (last,) = self._database.execute("SELECT max(run) FROM outline").fetchone()
            except (sqlite3.Error, OSError) as error:
                self._failed(error)
            else:
                self._run = (last or 0) + 1
                return

    def _failed(self, error: Exception) -> None:
        """Go on without a cache; a damaged file does not meet the next run again."""
        if self._database:
            with suppress(sqlite3.Error):
                self._database.close()
        self._database = None
        if getattr(error, "sqlite_errorcode", None) in _DAMAGED:
            for suffix in ("", "-journal"):
                with suppress(OSError):
                    self._path.with_name(self._path.name + suffix).unlink()

    def _shrink(self, database: sqlite3.Connection) -> None:
        """Take away the entries that were used longest ago."""
        sizes = database.execute("SELECT key, length(value) FROM outline ORDER BY run DESC, key")
        total = 0
        excess = []
        for key, size in sizes:
            total += size
            if total > self._limit:
                excess.append((key,))
        database.executemany("DELETE FROM outline WHERE key = ?", excess)
