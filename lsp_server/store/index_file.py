"""One SQLite file with the tables of an index: opened, read beside a writer, written, made anew."""

import contextlib
import os
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
        self._is_ours = False

    def close(self) -> None:
        """Give the file back; a reader's next question opens it again."""
        with self._lock:
            self._close()

    def look(self) -> int:
        """``changes``, after a look at the file."""
        self.query_each("SELECT 1", ())
        return self.changes

    def query(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows; none of a file that is not there, or damaged, or of another version."""
        return self.query_each(statement, (values,))[0]

    def query_each(
        self, statement: str, values: Sequence[Sequence[object]]
    ) -> list[list[tuple[Any, ...]]]:
        """The same for each of some values, with one look at the file for all of them."""
        with self._lock:
            try:
                connection = self._connected()
                if connection is not None:
                    return [connection.execute(statement, each).fetchall() for each in values]
            except sqlite3.Error:
                self._close()
            return [[] for _ in values]

    def _connected(self) -> sqlite3.Connection | None:
        """The connection, if it leads to whole tables of this version; None if there are none."""
        if not self._writable:
            self._follow()
        if self._connection is None:
            return None
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._seen:  # or it is a new connection
            self._seen = version
            self.changes += 1
            found = self._connection.execute("PRAGMA user_version").fetchone()[0]
            self._is_ours = found == VERSION
        return self._connection if self._is_ours else None

    def _follow(self) -> None:
        """Open the file, again if it was replaced, and close one that went."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 - asked all the time, and half as long
        except OSError:
            self._close()
            return
        identity = status.st_dev, status.st_ino
        if self._connection is None or identity != self._identity:
            self._close()
            self._connection = _connect(f"{Path(self.path).absolute().as_uri()}?mode=ro")
            self._identity = identity
            self._connection.execute("PRAGMA query_only = 1")

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

    def join(self) -> bool:
        """Open for writing what somebody else has made; False if nothing whole is there."""
        if not Path(self.path).is_file():
            return False
        try:
            self._connection = _connect(self.path)
            self._connection.execute("PRAGMA synchronous = NORMAL")
            found: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError:
            return False
        return found == VERSION

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
        if self._connection is None:
            return
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
