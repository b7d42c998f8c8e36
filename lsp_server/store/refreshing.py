"""Brings an index up to what lies on disk: the whole tree, or the one file that was just saved.

Both may go on at once, in several processes. What is written was read while nobody else wrote, or
before anybody else has written the same file: so nobody puts an older text over a newer one.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .files import RepositoryFile, read_file, refusal
from .index_file import IndexFile
from .index_tables import UNKNOWN, State, Tables
from .rules import Rules
from .walking import Found, Skipped, look_at, walk

MOST_FILES = 20_000
"""Files in an index; the rest is skipped, so that a home folder opened by mistake does no harm."""
BATCH_SECONDS = 1.0
"""A commit at least so often: what has been read is there for whoever asks meanwhile."""
RACY_NS = 2_000_000_000
"""A file that changed so shortly before it was read may change again and look the same."""
UNSEEN: tuple[State, str] = (UNKNOWN, "")


@dataclass(slots=True)
class Refreshed:
    """What a refresh found: files in the index, of which how many were read anew or taken out."""

    files: int = 0
    changed: int = 0
    removed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    seconds: float = 0.0


Progress = Callable[[Refreshed], None]


def refresh(file: IndexFile, root: Path, rules: Rules, progress: Progress | None) -> Refreshed:
    """Bring an index up to what lies below ``root``; only files that changed are read.

    Of two processes that refresh, the second waits and then finds little to do. An index that
    turns out to be damaged is made anew, once. Raises ``OSError`` if it cannot be written.
    """
    with file.alone():
        try:
            return _refresh(file, root, rules, progress)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise OSError(f"{file.path} is in use; try again") from error
            file.discard()
            file.create()
    try:
        return _refresh(file, root, rules, progress)
    except sqlite3.DatabaseError as error:
        raise OSError(f"{file.path} cannot be written: {error}; remove it") from error


def take_in(index: Path, root: Path, rules: Rules, path: str) -> bool:
    """Have an index know one file below ``root`` as it is on disk now.

    False if that is left to a refresh: there is no whole index, or it cannot be written.
    """
    file = IndexFile(index, writable=True)
    try:
        if not file.join():
            return False
        with file.transaction() as tables:
            found = look_at(root, rules, path)
            if isinstance(found, Skipped) or refusal(found, rules):
                tables.remove(path)  # a walk does not even open it
                return True
            if not tables.sha256(path) and tables.files() >= MOST_FILES:
                return True
            _write_one(tables, found, read_file(found, rules), time.time_ns())
    except (sqlite3.Error, OSError):
        return False
    finally:
        file.close()
    return True


def _refresh(file: IndexFile, root: Path, rules: Rules, progress: Progress | None) -> Refreshed:
    started = time.monotonic()
    outcome = Refreshed()
    with file.transaction() as tables:
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
            _write(file, pending, known, rules)
            committed = time.monotonic()
            if progress is not None:
                progress(outcome)
    _write(file, pending, known, rules)
    with file.transaction() as tables:
        for path in sorted((known.keys() | passed.keys()) - seen):
            outcome.removed += path in known
            tables.remove(path)
    outcome.seconds = time.monotonic() - started
    return outcome


def _write(
    file: IndexFile,
    pending: list[tuple[Found, RepositoryFile | Skipped]],
    known: dict[str, tuple[State, str]],
    rules: Rules,
) -> None:
    now = time.time_ns()
    with file.transaction() as tables:
        for found, read in pending:
            if tables.sha256(found.path) != known.get(found.path, UNSEEN)[1]:
                # Somebody took it in meanwhile: what was read before may be older.
                read = read_file(found, rules)  # noqa: PLW2901
            _write_one(tables, found, read, now)
    pending.clear()


def _write_one(tables: Tables, found: Found, file: RepositoryFile | Skipped, now: int) -> None:
    settled = found.modified_ns < now - RACY_NS
    state = found.size, found.modified_ns if settled else 0, found.included
    if isinstance(file, Skipped):
        tables.pass_over(file, state)
    elif tables.sha256(file.path) == file.sha256:
        tables.touch(file.path, state)
    else:
        tables.replace(file, state)


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
