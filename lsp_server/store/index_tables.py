"""The tables of a repository's index, and what one file puts into them.

A file's text lies in ``chunks`` of :data:`WINDOW_STEP` lines, so that a window or a definition is
read without the rest of it. A file's chunks have neighbouring numbers, the first of which stands in
``files``; the window that begins with a chunk goes by that chunk's number. ``terms`` is a full-text
table that keeps no text of its own, and of each window only which terms it has: they are made again
from the lines when a file leaves. Line numbers count from 0.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from ..prompt.identifiers import terms
from ..prompt.passages import WINDOW_LINES, WINDOW_STEP
from .files import RepositoryFile
from .secrets import find_secrets
from .symbols import symbols
from .walking import Skipped

VERSION = 3
"""Grows whenever the tables, the terms, the symbols or the secrets become others."""

SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, language TEXT NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL,
    included INTEGER NOT NULL,
    lines INTEGER NOT NULL, windows INTEGER NOT NULL, chunk INTEGER NOT NULL);
CREATE TABLE passed (
    path TEXT PRIMARY KEY, reason TEXT NOT NULL, size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL, included INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE chunks (id INTEGER PRIMARY KEY, file INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE symbols (
    file INTEGER NOT NULL, name TEXT NOT NULL, qualified TEXT NOT NULL, kind TEXT NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL, head TEXT NOT NULL);
CREATE INDEX symbols_name ON symbols (name, file, first, last, kind, qualified);
CREATE INDEX symbols_file ON symbols (file);
CREATE VIRTUAL TABLE terms USING fts5 (
    words, content = '', detail = none, columnsize = 0,
    tokenize = "unicode61 remove_diacritics 0 tokenchars '_'");
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

    def sha256(self, path: str) -> str:
        """What is known of a file's bytes; "" if it is not in."""
        rows = self.connection.execute("SELECT sha256 FROM files WHERE path = ?", (path,))
        return next((found for (found,) in rows), "")

    def files(self) -> int:
        """How many files are in."""
        found: int = self.connection.execute("SELECT count(*) FROM files").fetchone()[0]
        return found

    def replace(self, file: RepositoryFile, state: State = UNKNOWN) -> None:
        """Put a file in, in place of what is known under its path."""
        self.remove(file.path)
        execute, many = self.connection.execute, self.connection.executemany
        lines = _without_secrets(file)
        windows = list(_windows(lines))
        chunk = (execute("SELECT max(id) FROM chunks").fetchone()[0] or 0) + 1
        number = execute(
            "INSERT INTO files (path, language, sha256, size, modified_ns, included, lines, "
            "windows, chunk) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (file.path, file.language, file.sha256, *state, len(lines), len(windows), chunk),
        ).lastrowid
        many(
            "INSERT INTO chunks VALUES (?, ?, ?)",
            (
                (
                    chunk + first // WINDOW_STEP,
                    number,
                    "\n".join(lines[first : first + WINDOW_STEP]),
                )
                for first in range(0, len(lines), WINDOW_STEP)
            ),
        )
        many(
            "INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (number, found.name, found.qualified, found.kind, found.first, found.last,
                 found.head)
                for found in symbols(file.language, file.text, lines)
            ),
        )  # fmt: skip
        many(
            "INSERT INTO terms (rowid, words) VALUES (?, ?)",
            ((chunk + first // WINDOW_STEP, words) for first, words in windows),
        )

    def remove(self, path: str) -> None:
        """Take a file out, with all that is known of it."""
        execute, many = self.connection.execute, self.connection.executemany
        execute("DELETE FROM passed WHERE path = ?", (path,))
        found = execute("SELECT id, chunk, lines FROM files WHERE path = ?", (path,)).fetchone()
        if found is None:
            return
        number, chunk, count = found
        span = chunk, chunk + chunks_in(count) - 1
        rows = execute("SELECT text FROM chunks WHERE id BETWEEN ? AND ? ORDER BY id", span)
        lines = "\n".join(text for (text,) in rows).split("\n")
        many(
            "INSERT INTO terms (terms, rowid, words) VALUES ('delete', ?, ?)",
            [(chunk + first // WINDOW_STEP, words) for first, words in _windows(lines)],
        )
        execute("DELETE FROM chunks WHERE id BETWEEN ? AND ?", span)
        execute("DELETE FROM symbols WHERE file = ?", (number,))
        execute("DELETE FROM files WHERE id = ?", (number,))


def chunks_in(lines: int) -> int:
    """How many chunks so many lines take."""
    return -(-lines // WINDOW_STEP)


def _without_secrets(file: RepositoryFile) -> list[str]:
    """A file's lines; one that holds a secret is blank, so that the others keep their numbers."""
    text = file.text
    lines = text.split("\n")
    for start, end in find_secrets(text, file.path):
        first = text.count("\n", 0, start)
        for number in range(first, first + text.count("\n", start, end) + 1):
            lines[number] = ""
    return lines


def _windows(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(first line, distinct terms) of overlapping windows; those without a word are left out."""
    words = [tuple(terms(line)) for line in lines]
    for first in range(0, max(len(lines) - WINDOW_STEP, 1), WINDOW_STEP):
        distinct = dict.fromkeys(chain.from_iterable(words[first : first + WINDOW_LINES]))
        if distinct:
            yield first, " ".join(distinct)
