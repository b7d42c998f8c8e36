"""A repository's files and what is known of their syntax, of which only the changed are parsed."""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from lsp_server.store.files import RepositoryFile, Skipped

from .extraction_cache import ExtractionCache
from .outline import Outline
from .parsing_pool import Batch, ParsingPool
from .stored_outline import restored

LONGEST_LINE = 10_000
"""A file with a longer line, in characters, was written by a program for a program."""
BATCH_CHARACTERS = 250_000
"""Text to parse in one task of a process: about a second."""
BATCH_FILES = 256
_LONG_LINE = re.compile(rf"[^\n]{{{LONGEST_LINE + 1}}}")


@dataclass(frozen=True, slots=True)
class ExtractedFile:
    """A file and its outline; ``outline.text`` is the file's text."""

    file: RepositoryFile
    outline: Outline


@dataclass(slots=True)
class _Entry:
    """A file on its way; ``outline`` is a reason where there is none, None while not parsed."""

    file: RepositoryFile | Skipped
    key: bytes = b""
    outline: Outline | str | None = None


@dataclass(slots=True)
class _Batch:
    """Entries in order, of which some are to be parsed: at most ``BATCH_CHARACTERS`` and a file."""

    entries: list[_Entry] = field(default_factory=list)
    unparsed: list[_Entry] = field(default_factory=list)
    characters: int = 0

    def add(self, entry: _Entry) -> None:
        self.entries.append(entry)
        if isinstance(entry.file, RepositoryFile):
            self.characters += len(entry.file.text)
            if entry.outline is None:
                self.unparsed.append(entry)

    @property
    def full(self) -> bool:
        return self.characters >= BATCH_CHARACTERS or len(self.entries) >= BATCH_FILES


def extract(
    files: Iterable[RepositoryFile | Skipped],
    cache: ExtractionCache | None,
    *,
    processes: int | None = None,
) -> Iterator[ExtractedFile | Skipped]:
    """Every file's outline, in the order of ``files``; what has none is Skipped with the reason.

    What was skipped before is handed on. Parsing takes ``processes`` (all cores, up to eight) once
    there is more than a little to do; only a few batches of ``files`` are held at a time, so that
    the whole repository never is. Close the iterator (or read it to its end) to end them.
    """
    with ParsingPool(processes) as pool:
        waiting: deque[tuple[_Batch, Batch]] = deque()
        # Twice as many as are being parsed, so that no process waits for the reader.
        most = 0 if pool.processes == 1 else 2 * pool.processes
        for batch in _batches(files, cache):
            texts = [
                (entry.file.text, entry.file.language)
                for entry in batch.unparsed
                if isinstance(entry.file, RepositoryFile)
            ]
            waiting.append((batch, pool.submit(texts)))
            while len(waiting) > most:
                yield from _finished(*waiting.popleft(), cache)
        while waiting:
            yield from _finished(*waiting.popleft(), cache)


def _batches(
    files: Iterable[RepositoryFile | Skipped], cache: ExtractionCache | None
) -> Iterator[_Batch]:
    batch = _Batch()
    for file in files:
        batch.add(_entry(file, cache))
        if batch.full:
            yield batch
            batch = _Batch()
    if batch.entries:
        yield batch


def _entry(file: RepositoryFile | Skipped, cache: ExtractionCache | None) -> _Entry:
    if isinstance(file, Skipped):
        return _Entry(file)
    if _LONG_LINE.search(file.text):
        return _Entry(Skipped(file.path, f"a line of over {LONGEST_LINE} characters"))
    if cache is None:
        return _Entry(file)
    entry = _Entry(file, cache.key(file.text, file.language))
    stored = cache.get(entry.key)
    if stored is not None:
        with suppress(ValueError):  # damaged: parsed again, and replaced
            entry.outline = restored(stored, file.text)
    return entry


def _finished(
    batch: _Batch, found: Batch, cache: ExtractionCache | None
) -> Iterator[ExtractedFile | Skipped]:
    parsed = found()
    if cache:
        cache.put({entry.key: new for entry, new in zip(batch.unparsed, parsed, strict=True)})
    for entry, new in zip(batch.unparsed, parsed, strict=True):
        if isinstance(entry.file, RepositoryFile):
            entry.outline = restored(new, entry.file.text)
    for entry in batch.entries:
        if isinstance(entry.file, Skipped):
            yield entry.file
        elif isinstance(entry.outline, Outline):
            yield ExtractedFile(entry.file, entry.outline)
        else:
            yield Skipped(entry.file.path, entry.outline or "not parsed")
