"""One SQLite file with the tables of an index: opened, read beside a writer, written, made anew."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .index_tables import SCHEMA, VERSION, Tables

LOCK_SECONDS = 300.0
BUSY_MS = 5_000
IN_MEMORY = ":memory:"


class IndexFile:
    """An index's file, for writing (from one object at a time) or for reading alone.

    ``changes`` grows whenever something else may be in it than before. Threads may share one.
    """

    def __init__(self, path: str | Path, *, writable: bool) -> None:
        self.path = path
        self.changes = 0
        self._writable = writable
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._seen: int | None = None

    def close(self) -> None:
        """Give the file back; a reader's next question opens it again."""
        with self._lock:
            self._close()

    def query(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """All rows; none of a file that is not there, or damaged, or of another version."""
        with self._lock:
            try:
                connection = self._connected()
                if connection is None:
                    return []
                version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != self._seen:
                    self._seen = version
                    self.changes += 1
                return connection.execute(statement, values).fetchall()
            except sqlite3.Error:
                self._close()
                return []

    def _connected(self) -> sqlite3.Connection | None:
        """The connection, opened again if the file was replaced; None if there is none."""
        if self._writable:
            return self._connection
        try:
            status = Path(self.path).stat()
        except OSError:
            self._close()
            return None
        identity = status.st_dev, status.st_ino
        if self._connection is None or identity != self._identity:
            self._close()
            self._connection = _connect(f"{Path(self.path).absolute().as_uri()}?mode=ro")
            self._identity = identity
            self._connection.execute("PRAGMA query_only = 1")
        if self._connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            return None
        return self._connection

    def create(self) -> None:
        """Open for writing, and make the tables if there are none; else start from nothing.

        Within :meth:`alone`: of two that make the tables, the second would take them for damaged.
        Raises ``OSError``.
        """
        for is_last in (False, True):
            try:
                self._connection = _connect(self.path)
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                found = self._connection.execute("PRAGMA user_version").fetchone()[0]
                if found == VERSION:
                    return
                empty = self._connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
                if empty:
                    self._connection.executescript(SCHEMA)
                    return
            except sqlite3.DatabaseError as error:
                if is_last or "locked" in str(error):
                    raise OSError(f"{self.path} cannot be written: {error}") from error
            self.discard()

    def discard(self) -> None:
        """Delete the file, whatever is in it; who reads it finds the next one."""
        self.close()
        if self.path == IN_MEMORY:
            return
        for ending in ("", "-wal", "-shm"):
            Path(f"{self.path}{ending}").unlink(missing_ok=True)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Tables]:
        """All or nothing; another process that writes is waited for."""
        with self._lock:
            if not self._writable or self._connection is None:
                raise OSError(f"{self.path} is open for reading")
            self.changes += 1
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Tables(self._connection)
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One refresh at a time; whoever waits too long goes on, which costs work and no harm."""
        if self.path == IN_MEMORY:
            yield
            return
        lock = FileLock(f"{self.path}.lock")
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except (Timeout, OSError):
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = self._identity = self._seen = None
        self.changes += 1


def _connect(path: str | Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        str(path),
        timeout=BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        uri=str(path).startswith("file:"),
    )
    # Not mapped into memory: a file that somebody cuts short would end the process.
    connection.execute("PRAGMA cache_size = -16384")
    return connection
