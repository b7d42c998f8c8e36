"""Which lines of the working tree are new since a commit: text that stood nowhere at that time.

`git diff` answers another question. It calls moved, re-indented and reformatted code new, which a
model trained at that commit has seen; and to compare with the working tree it runs the filters
that the repository's configuration names, unasked. So lines are compared here, by their text:

- A line counts as old if its text without white space, quote style and trailing commas stood
  anywhere in the repository at the commit (moves, renames, other indentation), or somewhere within
  the white-space-free text of the same file (lines that a formatter broke or joined).
- A line of fewer than ``LEAST`` such characters (``else:``, ``return x``, a bracket) says nothing
  by itself: it is new if the longer lines around it are.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lsp_server.store.files import RepositoryFile, language_of

from .history import MAX_BYTES, Blob, Commit, History

LEAST = 10
"""Characters that are no white space from which a line's text is told apart: 12 with blanks."""
Lines = tuple[int, int]
"""First and last line, counted from 1."""
Hashes = npt.NDArray[np.int64]

_BLANK, _SHORT = 0, 1
"""In place of hashes: lines without text, and lines that say nothing by themselves."""
_LINE_END = re.compile(r"\r\n?")


@dataclass
class AddedLines:
    """The code of a working tree against any commit of its history.

    Holds 8 bytes a line of the working tree and of what it was compared with; the texts of one file
    at a time. ``files`` without a language are left alone.
    """

    history: History
    files: Sequence[RepositoryFile]
    _tracked: frozenset[str] = field(init=False)
    _hashes: dict[str, Hashes] = field(init=False)
    _of_blob: dict[str, Hashes] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.files = [file for file in self.files if file.language]
        self._tracked = frozenset(self.history.tree(self.history.head.id))
        self._hashes = {file.path: line_hashes(file.text) for file in self.files}

    def size(self, path: str) -> int:
        """Lines with text in a file."""
        return code_lines(self._hashes[path])

    def count(self, added: Mapping[str, tuple[Lines, ...]]) -> int:
        """Lines with text within ranges of files."""
        return sum(code_lines(self._hashes[path], ranges) for path, ranges in added.items())

    def is_older(self, file: RepositoryFile, commit: Commit) -> bool:
        """Whether git never had this file, but it was there at the commit, by its own time."""
        return file.path not in self._tracked and file.modified < commit.time

    def since(self, commit: Commit) -> dict[str, tuple[Lines, ...]]:
        """The new lines of each file that has some; raises ``GitError``."""
        tree = {
            path: blob
            for path, blob in self.history.tree(commit.id).items()
            if blob.size <= MAX_BYTES and language_of(path)
        }
        stood = self._stood(tree)
        moved = self.history.renames(commit.id)
        fresh: dict[str, npt.NDArray[np.bool_]] = {}
        for file in self.files:
            if not self.is_older(file, commit):
                hashes = self._hashes[file.path]
                unknown = telling(hashes) & ~within(hashes, stood)
                if unknown.any():
                    fresh[file.path] = unknown
        texts = {file.path: file.text for file in self.files if file.path in fresh}
        before = {path: tree[old] for path in fresh if (old := moved.get(path, path)) in tree}
        for path, data in zip(before, self.history.read(before.values()), strict=True):
            _drop_fragments(fresh[path], texts[path], data)
        found = {path: ranges_of(self._hashes[path], fresh[path]) for path in fresh}
        return {path: ranges for path, ranges in found.items() if ranges}

    def _stood(self, tree: Mapping[str, Blob]) -> Hashes:
        """Sorted hashes of all lines at a commit; contents seen before are not read again."""
        unread = {blob.id: blob for blob in tree.values() if blob.id not in self._of_blob}
        for name, data in zip(unread, self.history.read(unread.values()), strict=True):
            text = decoded(data)
            self._of_blob[name] = np.unique(line_hashes(text or ""))
        parts = [self._of_blob[blob.id] for blob in tree.values()]
        return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def line_hashes(text: str) -> Hashes:
    """One number a line, the same for lines that differ in format alone.

    Numbers hold within one process: Python's own hashes are salted.
    """
    hashes = np.empty(text.count("\n") + 1, np.int64)
    for number, line in enumerate(text.split("\n")):
        bare = plain(line)
        hashes[number] = hash(bare) if len(bare) >= LEAST else _SHORT if line.strip() else _BLANK
    return hashes


def plain(line: str) -> str:
    """A line without what formatters change."""
    return "".join(line.split()).replace("'", '"').rstrip(",;")


def telling(lines: Hashes) -> npt.NDArray[np.bool_]:
    """Which lines are long enough to be told apart by their text."""
    return np.asarray((lines != _BLANK) & (lines != _SHORT))


def within(lines: Hashes, others: Hashes) -> npt.NDArray[np.bool_]:
    """Which lines stand among others, which are sorted."""
    if not len(others):
        return np.zeros(len(lines), np.bool_)
    places = np.minimum(np.searchsorted(others, lines), len(others) - 1)
    return np.asarray(others[places] == lines)


def decoded(data: bytes) -> str | None:
    """A file's text as :class:`RepositoryFile` has it; None for what is no UTF-8 text."""
    if b"\0" in data:
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return _LINE_END.sub("\n", text) if "\r" in text else text


def _drop_fragments(fresh: npt.NDArray[np.bool_], text: str, data: bytes) -> None:
    """Mark as old what a formatter made of the same file's text: broken and joined lines."""
    before = _flat(decoded(data) or "")
    lines = text.split("\n")
    for number in np.flatnonzero(fresh):
        if _flat(lines[number]).rstrip(",;") in before:
            fresh[number] = False


def _flat(text: str) -> str:
    """A text without what formatters change, commas before closing brackets included."""
    return re.sub(r",([)\]}])", r"\1", "".join(text.split()).replace("'", '"'))


def ranges_of(hashes: Hashes, fresh: npt.NDArray[np.bool_]) -> tuple[Lines, ...]:
    """The runs of new lines; short ones count with the longer ones on both sides of them.

    Before the first and behind the last longer line of a file there is one side only.
    """
    longer = np.flatnonzero(telling(hashes)).tolist()
    found: list[Lines] = []
    following = False
    for place, number in enumerate(longer):
        if not fresh[number]:
            following = False
            continue
        first = found.pop()[0] if following else number + 1
        last = number + 1
        if place == 0:
            first = int(np.flatnonzero(hashes != _BLANK)[0]) + 1
        if place == len(longer) - 1:
            last = int(np.flatnonzero(hashes != _BLANK)[-1]) + 1
        found.append((first, last))
        following = True
    return tuple(found)


def code_lines(hashes: Hashes, ranges: tuple[Lines, ...] | None = None) -> int:
    """How many lines have text, in all or within ranges."""
    parts = [hashes] if ranges is None else [hashes[first - 1 : last] for first, last in ranges]
    return sum(int(np.count_nonzero(part != _BLANK)) for part in parts)
