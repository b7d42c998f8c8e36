"""What became of suggestions, in one SQLite file on this machine: when, whose, how long, no text.

Every editor's server writes the same file, in SQLite's write-ahead mode. A file that is damaged is
set aside and begun anew; one of a newer Tenon is left alone; where nothing can be written, nothing
is kept, and the caller hears it as ``OSError``.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

_log = logging.getLogger(__name__)

EventKind = Literal["shown", "accepted", "partlyAccepted", "dismissed"]
AnsweredBy = Literal["engine", "cache"]
KEPT_DAYS = 180
BUSY_SECONDS = 5.0
"""What a write waits for another process's."""
MIGRATIONS = (
    """
    CREATE TABLE suggestions (
        id TEXT PRIMARY KEY,
        time REAL NOT NULL,
        repository TEXT NOT NULL,
        language TEXT NOT NULL,
        adapter TEXT,
        model TEXT NOT NULL,
        answered_by TEXT NOT NULL,
        latency_ms REAL NOT NULL,
        characters INTEGER NOT NULL,
        lines INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX suggestions_by_time ON suggestions (time);
    CREATE TABLE events (
        suggestion TEXT NOT NULL REFERENCES suggestions (id) ON DELETE CASCADE,
        time REAL NOT NULL,
        kind TEXT NOT NULL,
        characters INTEGER NOT NULL,
        inferred INTEGER NOT NULL
    );
    CREATE INDEX events_by_suggestion ON events (suggestion);
    """,
)
"""Script n leads from schema n to n + 1; ``PRAGMA user_version`` says where a file stands."""
SCHEMA = len(MIGRATIONS)


class NewerFeedbackError(OSError):
    """The file is of a newer Tenon, which may mean something else by what it holds."""


@dataclass(frozen=True, slots=True)
class SuggestionRecord:
    """One suggestion that an editor was given; the fields are the columns.

    ``time`` is in seconds since the epoch, ``repository`` the name of the folder that Tenon keeps
    of it (""; none), ``adapter`` who answered (None: the base alone), ``characters`` and ``lines``
    how long the suggestion was.
    """

    id: str
    time: float
    repository: str
    language: str
    adapter: str | None
    model: str
    answered_by: AnsweredBy
    latency_ms: float
    characters: int
    lines: int


@dataclass(frozen=True, slots=True)
class EventRecord:
    """What happened to a suggestion; ``characters`` of it were taken."""

    suggestion: str
    time: float
    kind: EventKind
    characters: int = 0
    inferred: bool = False


class FeedbackStore:
    """The file, open for writing; used by one thread at a time, and by any number of processes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path, now: float | None = None) -> "FeedbackStore":
        """Make the file if there is none; forget what is older than :data:`KEPT_DAYS`.

        Raises NewerFeedbackError, and ``OSError`` where it cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = _opened(path)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise _unwritable(path, error) from error
            _set_aside(path, error)
            try:
                connection = _opened(path)
            except sqlite3.Error as again:
                raise _unwritable(path, again) from again
        store = cls(connection)
        try:
            store.forget((time.time() if now is None else now) - KEPT_DAYS * 86_400)
        except OSError:
            store.close()
            raise
        return store

    def add(self, suggestions: Sequence[SuggestionRecord], events: Sequence[EventRecord]) -> None:
        """Keep all of them or none; an event of a suggestion that is not kept is left out.

        Raises ``OSError`` (disk full, read-only, damaged, locked for too long).
        """
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO suggestions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [astuple(entry) for entry in suggestions],
            )
            connection.executemany(
                "INSERT INTO events SELECT ?1, ?2, ?3, ?4, ?5"
                " WHERE EXISTS (SELECT 1 FROM suggestions WHERE id = ?1)",
                [astuple(entry) for entry in events],
            )

    def forget(self, before: float) -> None:
        """Delete suggestions older than ``before`` (seconds since the epoch) and their events."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM suggestions WHERE time < ?", (before,))

    def close(self) -> None:
        """Give the file back."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _unwritable(None, error) from error


def _opened(path: Path) -> sqlite3.Connection:
    """A connection to a file of our schema; raises ``sqlite3.Error`` and NewerFeedbackError."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _migrate(connection, path)  # first: a newer Tenon's file is not even touched
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("SELECT 1 FROM suggestions LIMIT 1").fetchone()
        connection.execute("SELECT 1 FROM events LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an older file up to date, in one transaction that another process waits for."""
    found = _schema(connection)
    if found > SCHEMA:
        raise NewerFeedbackError(
            f"{path} is of a newer Tenon (schema {found}, this one knows {SCHEMA}); it is left "
            "alone, and no feedback is kept: update Tenon"
        )
    if found == SCHEMA:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for script in MIGRATIONS[_schema(connection) :]:  # another process may have been faster
            for statement in script.split(";"):  # executescript() would commit before it begins
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {max(SCHEMA, _schema(connection))}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _schema(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether a file is no database, or not ours, rather than out of reach for now."""
    if not isinstance(error, sqlite3.OperationalError):
        return True
    return "no such table" in str(error) or "already exists" in str(error)


def _set_aside(path: Path, error: sqlite3.Error) -> None:
    """Move a damaged file out of the way, keeping the last one; raises ``OSError``.

    Of two processes that find it damaged, the second sees under the lock that the first has
    begun a new one.
    """
    aside = path.with_name(f"{path.name}.damaged")
    try:
        with FileLock(f"{path}.lock", timeout=BUSY_SECONDS):
            try:
                with closing(_opened(path)):
                    return
            except sqlite3.DatabaseError as again:
                if not _is_damage(again):
                    raise _unwritable(path, again) from again
            path.replace(aside)
            for ending in ("-wal", "-shm"):
                Path(f"{path}{ending}").unlink(missing_ok=True)
    except Timeout as timeout:
        raise OSError(f"{path} is damaged, and another process does not let go of it") from timeout
    _log.warning("%s was damaged (%s): it is now %s, and a new one begins", path, error, aside.name)


def _unwritable(path: Path | None, error: sqlite3.Error) -> OSError:
    where = path or "the feedback file"
    return OSError(f"{where} cannot be written: {error}")
