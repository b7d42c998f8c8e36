"""Documents as LSP means them: lines end at CRLF, LF or CR alone, columns count the agreed units.

pygls splits lines as Python does (also at form feeds and U+2028), which shifts every position
behind such a character; so its workspace is given documents that count as the editor does.
"""

import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import PurePath
from urllib.parse import unquote

from lsprotocol import types
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument, Workspace

_LINE_END = re.compile(r"\r\n|\n|\r")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
FEW_LINES = 64
"""So many are counted one by one."""
PLACES = 256
"""Paths that are remembered with what they mean: at every key the same ones are asked about."""
_log = logging.getLogger(__name__)

Encoding = types.PositionEncodingKind | str


@dataclass(frozen=True, slots=True)
class SplitDocument:
    """A document cut at a cursor; both sides have LF line ends and no lone surrogates.

    ``newline`` is what the document itself ends its lines with.
    """

    before: str
    after: str
    newline: str


@dataclass(frozen=True, slots=True)
class LineStart:
    """A line of a text, and the index at which it begins."""

    line: int = 0
    index: int = 0


TOP = LineStart()


class LspDocument(TextDocument):
    """A text document whose edits and positions count lines and columns as LSP does.

    ``near`` is where the last edit was. Where somebody types, the next one and the cursor stand
    there or below: lines are counted from there, for from the top of a large file it takes
    milliseconds.
    """

    near = TOP

    @property
    def lines(self) -> list[str]:
        ends = [match.end() for match in _LINE_END.finditer(self.source)]
        starts = [0, *ends]
        return [self.source[a:b] for a, b in zip(starts, [*ends, len(self.source)], strict=True)]

    def _apply_incremental_change(self, change: types.TextDocumentContentChangePartial) -> None:
        text = self.source
        encoding = self.position_codec.encoding or types.PositionEncodingKind.Utf16
        near = self.near = line_start(text, change.range.start.line, self.near) or TOP
        start = end = clamped_offset(text, change.range.start, encoding, near)
        if change.range.end != change.range.start:
            end = max(start, clamped_offset(text, change.range.end, encoding, near))
        self._source = "".join((text[:start], change.text, text[end:]))  # copied once

    def _apply_full_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        super()._apply_full_change(change)
        self.near = TOP


class LspWorkspace(Workspace):
    """A workspace of :class:`LspDocument`; an edit to a document never opened is ignored."""

    def _create_text_document(
        self,
        doc_uri: str,
        source: str | None = None,
        version: int | None = None,
        language_id: str | None = None,
    ) -> LspDocument:
        return LspDocument(
            doc_uri,
            source=source,
            version=version,
            language_id=language_id,
            sync_kind=self._sync_kind,
            position_codec=self._position_codec,
        )

    def opened(self, uri: str) -> LspDocument | None:
        """The document as the editor has it, or None if it was never opened; reads no disk."""
        found = self._text_documents.get(unquote(uri))  # the key that pygls keeps
        return found if isinstance(found, LspDocument) else None

    def roots(self) -> tuple[str, ...]:
        """The folders on disk that the editor has open."""
        uris = [folder.uri for folder in self.folders.values()] or [self.root_uri]
        return tuple(path for uri in uris if uri and (path := path_of(uri)))

    def texts(self, root: str) -> dict[str, str]:
        """The documents that are open below a folder, as the editor has them, by relative path.

        Any thread may ask. Other than :func:`locate` this knows no document that lies on no disk.
        """
        roots = self.roots()
        documents = list(self._text_documents.values())
        return {
            place[1]: document.source
            for document in documents
            if (place := _placed(document.uri, roots)) is not None and place[0] == root
        }

    def update_text_document(
        self,
        text_doc: types.VersionedTextDocumentIdentifier,
        change: types.TextDocumentContentChangeEvent,
    ) -> None:
        if self.opened(text_doc.uri) is None:
            _log.warning("ignoring a change to a document that was never opened")
            return
        super().update_text_document(text_doc, change)


@lru_cache(maxsize=PLACES)
def path_of(uri: str) -> str | None:
    """Where a document lies on disk; None for one that lies on none, or whose URI is malformed."""
    try:
        return to_fs_path(uri)
    except ValueError:
        return None


@lru_cache(maxsize=PLACES)
def locate(path: str | None, roots: tuple[str, ...]) -> tuple[str, str]:
    """A file's path below its repository, with forward slashes, and the repository's name.

    ``roots`` are folders that the editor has open; the innermost that holds the file counts. A
    file outside of them goes by its name alone, one that is on no disk by nothing.
    """
    return located(path, root_of(path, roots))


def located(path: str | None, root: str | None) -> tuple[str, str]:
    """As :func:`locate`, of a file whose folder is known already."""
    if not path:
        return "", ""
    file = PurePath(path)
    if root is None:
        return file.name, ""
    return file.relative_to(root).as_posix(), PurePath(root).name


@lru_cache(maxsize=1024)
def _placed(uri: str, roots: tuple[str, ...]) -> tuple[str, str] | None:
    """The open folder that a document on disk lies in, and its path there; None if in none."""
    path = path_of(uri) if uri.startswith("file:") else None
    root = root_of(path, roots)
    return None if root is None else (root, located(path, root)[0])


@lru_cache(maxsize=PLACES)
def root_of(path: str | None, roots: tuple[str, ...]) -> str | None:
    """The innermost of ``roots`` that holds a file; None if none does."""
    holding = [root for root in roots if path and PurePath(path).is_relative_to(root)]
    return max(holding, key=lambda root: len(PurePath(root).parts), default=None)


def offset_of(
    text: str, position: types.Position, encoding: Encoding, near: LineStart = TOP
) -> int | None:
    """The index into ``text`` of a position; None if there is no such line. ``near`` is as in
    :func:`line_start`.

    A column past the line's end means the line's end, as LSP has it; one inside a character
    means the end of that character.
    """
    found = line_start(text, position.line, near)
    if found is None:
        return None
    end = _LINE_END.search(text, found.index)
    line = text[found.index : end.start() if end else len(text)]
    return found.index + _index(line, max(position.character, 0), encoding)


def clamped_offset(
    text: str, position: types.Position, encoding: Encoding, near: LineStart = TOP
) -> int:
    """As :func:`offset_of`; the end of the text if there is no such line."""
    offset = offset_of(text, position, encoding, near)
    return len(text) if offset is None else offset


def line_start(text: str, line: int, near: LineStart = TOP) -> LineStart | None:
    """Where a line begins; None if there is no such line.

    ``near`` is a line whose start is known, in a text that may have been edited behind that.
    """
    # An edit may have made one line end of the two characters on either side.
    is_inside = text[near.index - 1 : near.index + 1] == "\r\n"
    if near.line > line or is_inside:
        near = TOP
    index = _below(text, near.index, line - near.line)
    return None if index is None else LineStart(max(line, 0), index)


def split_at(text: str, offset: int, end: int | None = None) -> SplitDocument:
    """Cut a document at an index, leaving out what lies between ``offset`` and ``end``."""
    first = _LINE_END.search(text)
    return SplitDocument(
        before=normalised(text[:offset]),
        after=normalised(text[offset if end is None else max(end, offset) :]),
        newline=first.group() if first else "\n",
    )


def normalised(text: str) -> str:
    """LF line ends, and U+FFFD for every lone surrogate: half a character has no UTF-8."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if _is_whole(text) else _LONE_SURROGATE.sub("\ufffd", text)


def _is_whole(text: str) -> bool:
    """Whether no character is half of one; in a large file, a hundredth of a pattern's work."""
    if text.isascii():
        return True
    try:
        text.encode("utf-16-le")
    except UnicodeEncodeError:
        return False
    return True


def units(text: str, encoding: Encoding) -> int:
    """How many columns ``text`` takes."""
    if text.isascii() or encoding == types.PositionEncodingKind.Utf32:
        return len(text)
    return sum(_width(character, encoding) for character in text)


def _below(text: str, start: int, lines: int) -> int | None:
    """Where the line begins that is so many lines below the one that begins at ``start``."""
    if lines <= 0:
        return start
    if lines > FEW_LINES:
        text_below = text[start:]
        if "\r" not in text_below or text_below.count("\r") == text_below.count("\r\n"):
            parts = text_below.split("\n", lines)  # far faster than a pattern
            return len(text) - len(parts[-1]) if len(parts) > lines else None
    ends = (match.end() for match in _LINE_END.finditer(text, start))
    return next(islice(ends, lines - 1, None), None)


def _index(line: str, column: int, encoding: Encoding) -> int:
    if line.isascii() or encoding == types.PositionEncodingKind.Utf32:
        return min(column, len(line))
    used = 0
    for index, character in enumerate(line):
        if used >= column:
            return index
        used += _width(character, encoding)
    return len(line)


def _width(character: str, encoding: Encoding) -> int:
    """Code units of one character: bytes in UTF-8, pairs of bytes in UTF-16."""
    point = ord(character)
    if encoding == types.PositionEncodingKind.Utf8:
        return 1 + (point >= 0x80) + (point >= 0x800) + (point >= 0x10000)
    return 1 + (point >= 0x10000)
