"""The tables of a repository's index, and what one file puts into them.

``terms`` is a full-text table that keeps no text of its own: a file's terms are made again from its
lines when it leaves. Line numbers count from 0.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..prompt.identifiers import terms
from ..prompt.passages import WINDOW_LINES, WINDOW_STEP
from .files import RepositoryFile
from .secrets import find_secrets
from .symbols import symbols
from .walking import Skipped

VERSION = 2
"""Grows whenever the tables, the terms, the symbols or the secrets become others."""

SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, language TEXT NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
    included INTEGER NOT NULL,
    lines INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE passed (
    path TEXT PRIMARY KEY, reason TEXT NOT NULL, size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL, included INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE windows (
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE INDEX windows_file ON windows (file);
CREATE TABLE symbols (
    file INTEGER NOT NULL, name TEXT NOT NULL, qualified TEXT NOT NULL, kind TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, head TEXT NOT NULL);
CREATE INDEX symbols_name ON symbols (name);
CREATE INDEX symbols_file ON symbols (file);
CREATE VIRTUAL TABLE terms USING fts5 (
    words, content = '', tokenize = "unicode61 remove_diacritics 0 tokenchars '_'");
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (terms, row);
PRAGMA user_version = {VERSION};
COMMIT;
"""

State = tuple[int, int, bool]
"""Of a file on disk: bytes, time of change in nanoseconds, whether tenon.toml asks for it."""
UNKNOWN: State = (0, 0, False)


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables within one transaction."""

    connection: sqlite3.Connection

    def known(self) -> dict[str, tuple[State, str]]:
        """State and sha256 of the files that are in, by path."""
        return self._states("SELECT path, size, modified_ns, included, sha256 FROM files")

    def passed(self) -> dict[str, tuple[State, str]]:
        """State and reason of the files that were read and left out, by path."""
        return self._states("SELECT path, size, modified_ns, included, reason FROM passed")

    def _states(self, statement: str) -> dict[str, tuple[State, str]]:
        rows = self.connection.execute(statement)
        return {path: ((size, time, bool(asked)), what) for path, size, time, asked, what in rows}

    def pass_over(self, skipped: Skipped, state: State) -> None:
        """Take a file out, and remember not to read it again before it changes."""
        self.remove(skipped.path)
        self.connection.execute(
            "INSERT INTO passed VALUES (?, ?, ?, ?, ?)",
            (skipped.path, skipped.reason, *state),
        )

    def touch(self, path: str, state: State) -> None:
        """A file's time has changed, and its bytes have not."""
        self.connection.execute(
            "UPDATE files SET size = ?, modified_ns = ?, included = ? WHERE path = ?",
            (*state, path),
        )

    def replace(self, file: RepositoryFile, state: State = UNKNOWN) -> None:
        """Put a file in, in place of what is known under its path."""
        self.remove(file.path)
        lines = _without_secrets(file)
        cursor = self.connection.execute(
            "INSERT INTO files (path, language, sha256, size, modified_ns, included, lines, text) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (file.path, file.language, file.sha256, *state, len(lines), "\n".join(lines)),
        )  # fmt: skip
        number = cursor.lastrowid
        self.connection.executemany(
            "INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (number, found.name, found.qualified, found.kind, found.first, found.last,
                 found.head)
                for found in symbols(file.language, file.text, lines)
            ),
        )  # fmt: skip
        for first, last, text in _windows(lines):
            row = self.connection.execute(
                "INSERT INTO windows (file, first, last) VALUES (?, ?, ?)", (number, first, last)
            ).lastrowid
            self.connection.execute("INSERT INTO terms (rowid, words) VALUES (?, ?)", (row, text))

    def remove(self, path: str) -> None:
        """Take a file out, with all that is known of it."""
        self.connection.execute("DELETE FROM passed WHERE path = ?", (path,))
        found = self.connection.execute(
            "SELECT id, text FROM files WHERE path = ?", (path,)
        ).fetchone()
        if found is None:
            return
        number, text = found
        rows = self.connection.execute(
            "SELECT id FROM windows WHERE file = ? ORDER BY id", (number,)
        ).fetchall()
        for (row,), (_, _, words) in zip(rows, _windows(text.split("\n")), strict=True):
            self.connection.execute(
                "INSERT INTO terms (terms, rowid, words) VALUES ('delete', ?, ?)", (row, words)
            )
        for table, column in (("windows", "file"), ("symbols", "file"), ("files", "id")):
            self.connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))  # noqa: S608 - constants


def _without_secrets(file: RepositoryFile) -> list[str]:
    """A file's lines; one that holds a secret is blank, so that the others keep their numbers."""
    text = file.text
    lines = text.split("\n")
    for start, end in find_secrets(text, file.path):
        first = text.count("\n", 0, start)
        for number in range(first, first + text.count("\n", start, end) + 1):
            lines[number] = ""
    return lines


def _windows(lines: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(first, last, terms) of overlapping windows; those without a word are left out."""
    words = [" ".join(terms(line)) for line in lines]
    for first in range(0, max(len(lines) - WINDOW_STEP, 1), WINDOW_STEP):
        last = min(first + WINDOW_LINES, len(lines)) - 1
        text = " ".join(word for word in words[first : last + 1] if word)
        if text:
            yield first, last, text
