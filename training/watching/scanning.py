"""Brings the record of pairs up to date with the files: only the changed are read and parsed."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from lsp_server.store.files import Skipped, language_of, read_file
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.rules import Rules
from lsp_server.store.walking import Found, walk

from ..outlines.extract import ExtractedFile, extract
from ..outlines.extraction_cache import ExtractionCache
from .bursts import Changed
from .pairs import Fingerprint, PairRecord, countable

BATCH_FILES = 200
"""Files of one transaction: what a kill loses at most."""
SMALL_BYTES = 200_000
"""Text that is parsed in the watcher's own process, which must never be busy for long."""
SMALL_FOLDERS = 20


def scan(root: Path, store: RepositoryStore, changed: Changed, *, processes: int = 1) -> int:
    """Look at what changed; returns how many pairs are pending then.

    Raises ``SettingsError`` for a faulty ``tenon.toml``, ``sqlite3.Error`` and ``OSError`` for a
    store that cannot be written.
    """
    rules = Rules.of(root)
    with PairRecord.of(store) as record, ExtractionCache(store.cache / "outlines.sqlite") as cache:
        new = _look(root, rules, record, changed)
        files = (read_file(found, rules) for found in new)
        by_path = {found.path: _fingerprint(found) for found in new}
        extracted = extract(files, cache, processes=processes)
        while batch := list(islice(extracted, BATCH_FILES)):
            record.put((_path(it), by_path[_path(it)], _hashes(it)) for it in batch)
        return record.pending()


def is_small(root: Path, store: RepositoryStore, changed: Changed) -> bool:
    """Whether looking at what changed takes but a moment."""
    if changed.folders is None or len(changed.folders) > SMALL_FOLDERS:
        return False
    rules = Rules.of(root)
    with PairRecord.of(store) as record:
        sizes = (found.size for found in _differing(root, rules, record, changed.folders)[0])
        return sum(sizes) <= SMALL_BYTES


def _look(root: Path, rules: Rules, record: PairRecord, changed: Changed) -> list[Found]:
    """The files to read; those that are gone are taken out of the record."""
    if changed.folders is not None:
        new, gone = _differing(root, rules, record, changed.folders)
    else:
        known = record.fingerprints()
        found = _code(walk(root, rules))
        new = [it for it in found if known.pop(it.path, None) != _fingerprint(it)]
        gone = list(known)
    record.remove(gone)
    return new


def _differing(
    root: Path, rules: Rules, record: PairRecord, folders: Iterable[str]
) -> tuple[list[Found], list[str]]:
    """Files of folders that are not as they were, and those that are gone."""
    new: list[Found] = []
    gone: list[str] = []
    for folder in sorted(folders):
        entered: list[str] = []
        found = list(_code(walk(root, rules, below=folder, deep=False, entered=entered.append)))
        known = record.fingerprints(folder)
        if entered:  # what lies deeper is another folder's business
            known = {path: it for path, it in known.items() if "/" not in path[len(folder) :]}
        new += [it for it in found if known.pop(it.path, None) != _fingerprint(it)]
        gone += known
    return new, gone


def _code(entries: Iterable[Found | Skipped]) -> Iterator[Found]:
    return (it for it in entries if isinstance(it, Found) and language_of(it.path))


def _fingerprint(found: Found) -> Fingerprint:
    return Fingerprint(found.size, found.modified_ns)


def _path(entry: ExtractedFile | Skipped) -> str:
    return entry.path if isinstance(entry, Skipped) else entry.file.path


def _hashes(entry: ExtractedFile | Skipped) -> list[int]:
    return [] if isinstance(entry, Skipped) else [it for _, it in countable(entry.outline)]
