"""One request as the text around a cursor, and its answer as an edit. Pure."""

from dataclasses import dataclass

from lsprotocol import types

from .completion.lines import line_before
from .documents import (
    TOP,
    Encoding,
    LineStart,
    SplitDocument,
    clamped_offset,
    normalised,
    split_at,
    units,
)


@dataclass(frozen=True, slots=True)
class Request:
    """One inline completion request; ``text`` is None where the editor never opened ``uri``.

    ``selected`` is the item that the editor's own suggestion list would insert, with the range it
    replaces. ``near`` is a line of ``text`` whose start is known.
    """

    uri: str
    text: str | None
    position: types.Position
    encoding: Encoding = types.PositionEncodingKind.Utf16
    language: str = ""
    path: str | None = None
    roots: tuple[str, ...] = ()
    automatic: bool = True
    selected: types.SelectedCompletionInfo | None = None
    near: LineStart = TOP


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An edit to offer: ``text`` with the document's line ends, in place of ``range``."""

    id: str
    text: str
    range: types.Range


def is_larger(text: str, limit: int) -> bool:
    """Whether a text takes more than ``limit`` bytes of UTF-8."""
    if len(text) > limit or text.isascii() or len(text) * 4 <= limit:
        return len(text) > limit
    return len(text.encode("utf-8", "surrogatepass")) > limit


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer goes: the document as the model is to see it, and what an edit replaces.

    ``item`` is the selected item's text, which every answer begins with; ``document`` reads as if
    it had been accepted.
    """

    document: SplitDocument
    item: str
    start: types.Position
    end: types.Position
    encoding: Encoding

    def suggestion(self, identifier: str, text: str, replace: int) -> Suggestion:
        """The edit that inserts ``text``, in place of ``replace`` characters after the cursor.

        The range is always given: without one, VS Code replaces the rest of the line.
        """
        taken = units(self.document.after[:replace], self.encoding)
        end = types.Position(self.end.line, self.end.character + taken)
        inserted = (self.item + text).replace("\n", self.document.newline)
        return Suggestion(identifier, inserted, types.Range(self.start, end))


def place_of(request: Request, text: str, cursor: int) -> Place:
    """Where the answer to ``request`` goes in ``text``; ``cursor`` is the position's index."""
    selected = request.selected
    if selected is None:
        document = split_at(text, cursor)
        column = units(line_before(document.before), request.encoding)
        here = types.Position(request.position.line, column)
        return Place(document, "", here, here, request.encoding)
    encoding, near = request.encoding, request.near
    start = min(clamped_offset(text, selected.range.start, encoding, near), cursor)
    end = max(clamped_offset(text, selected.range.end, encoding, near), cursor)
    document = split_at(text, start, end)
    item = normalised(selected.text)
    return Place(
        SplitDocument(document.before + item, document.after, document.newline),
        item,
        min(selected.range.start, request.position, key=_order),
        max(selected.range.end, request.position, key=_order),
        encoding,
    )


def _order(position: types.Position) -> tuple[int, int]:
    return position.line, position.character
