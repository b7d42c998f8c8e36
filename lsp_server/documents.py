"""Documents as LSP means them: lines end at CRLF, LF or CR alone, columns count the agreed units.

pygls splits lines as Python does (also at form feeds and U+2028), which shifts every position
behind such a character; so its workspace is given documents that count as the editor does.
"""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from urllib.parse import unquote

from lsprotocol import types
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument, Workspace

_LINE_END = re.compile(r"\r\n|\n|\r")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
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


class LspDocument(TextDocument):
    """A text document whose edits and positions count lines and columns as LSP does."""

    @property
    def lines(self) -> list[str]:
        ends = [match.end() for match in _LINE_END.finditer(self.source)]
        starts = [0, *ends]
        return [self.source[a:b] for a, b in zip(starts, [*ends, len(self.source)], strict=True)]

    def _apply_incremental_change(self, change: types.TextDocumentContentChangePartial) -> None:
        text = self.source
        encoding = self.position_codec.encoding or types.PositionEncodingKind.Utf16
        start = end = clamped_offset(text, change.range.start, encoding)
        if change.range.end != change.range.start:  # in a large file, each costs milliseconds
            end = max(start, clamped_offset(text, change.range.end, encoding))
        self._source = text[:start] + change.text + text[end:]


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

    def opened(self, uri: str) -> TextDocument | None:
        """The document as the editor has it, or None if it was never opened; reads no disk."""
        return self._text_documents.get(unquote(uri))  # the key that pygls keeps

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


def path_of(uri: str) -> str | None:
    """Where a document lies on disk; None for one that lies on none, or whose URI is malformed."""
    try:
        return to_fs_path(uri)
    except ValueError:
        return None


def locate(path: str | None, roots: Iterable[str]) -> tuple[str, str]:
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
    return None if root is None else (root, locate(path, roots)[0])


def root_of(path: str | None, roots: Iterable[str]) -> str | None:
    """The innermost of ``roots`` that holds a file; None if none does."""
    holding = [root for root in roots if path and PurePath(path).is_relative_to(root)]
    return max(holding, key=lambda root: len(PurePath(root).parts), default=None)


def offset_of(text: str, position: types.Position, encoding: Encoding) -> int | None:
    """The index into ``text`` of a position; None if there is no such line.

    A column past the line's end means the line's end, as LSP has it; one inside a character
    means the end of that character.
    """
    start = _line_start(text, position.line)
    if start is None:
        return None
    end = _LINE_END.search(text, start)
    line = text[start : end.start() if end else len(text)]
    return start + _index(line, max(position.character, 0), encoding)


def clamped_offset(text: str, position: types.Position, encoding: Encoding) -> int:
    """As :func:`offset_of`; the end of the text if there is no such line."""
    offset = offset_of(text, position, encoding)
    return len(text) if offset is None else offset


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
        text = _LINE_END.sub("\n", text)
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def units(text: str, encoding: Encoding) -> int:
    """How many columns ``text`` takes."""
    if text.isascii() or encoding == types.PositionEncodingKind.Utf32:
        return len(text)
    return sum(_width(character, encoding) for character in text)


def _line_start(text: str, line: int) -> int | None:
    if line <= 0:
        return 0
    if "\r" not in text or text.count("\r") == text.count("\r\n"):
        parts = text.split("\n", line)  # far faster than a pattern on a large file
        return len(text) - len(parts[-1]) if len(parts) > line else None
    for number, match in enumerate(_LINE_END.finditer(text), 1):
        if number == line:
            return match.end()
    return None


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
