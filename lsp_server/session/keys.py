"""What the last edit of each document did, as far as the next request should know. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from cachetools import LRUCache
from lsprotocol import types

from ..documents import TOP, Encoding, LineStart, normalised, offset_of, split_at, units

DOCUMENTS = 64
_PAIRS = frozenset(("()", "[]", "{}", "<>", "''", '""', "``"))
"""What an editor inserts for one key, with the cursor in between."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: ``text``, with LF line ends, was inserted before ``cursor``; ``removed``: something
    else went.
    """

    text: str
    cursor: types.Position
    removed: bool

    @classmethod
    def of(
        cls, changes: Sequence[types.TextDocumentContentChangeEvent], encoding: Encoding
    ) -> "Edit | None":
        """The edit that a notification tells of; None where it tells of several, or of all."""
        if len(changes) != 1 or not isinstance(changes[0], types.TextDocumentContentChangePartial):
            return None
        change = changes[0]
        start, text = change.range.start, normalised(change.text)
        if text in _PAIRS:
            text = text[0]
        *above, last = text.split("\n")
        column = units(last, encoding) + (0 if above else start.character)
        cursor = types.Position(start.line + len(above), column)
        return cls(text, cursor, change.range.end != start)

    def around(
        self, text: str, encoding: Encoding, near: LineStart = TOP
    ) -> tuple[str, str] | None:
        """The text on either side of its cursor in the document as it reads now; None if there is
        no such place. ``near`` is a line whose start is known.
        """
        cursor = offset_of(text, self.cursor, encoding, near)
        if cursor is None:
            return None
        split = split_at(text, cursor)
        return split.before, split.after

    @property
    def deletes(self) -> bool:
        """Whether it only took text away."""
        return self.removed and not self.text


class LastEdits:
    """The last edit of each document that was edited lately."""

    def __init__(self) -> None:
        self._edits: LRUCache[str, Edit | None] = LRUCache(maxsize=DOCUMENTS)

    def note(self, uri: str, edit: Edit | None) -> None:
        """A document was edited; None: in a way that tells nothing."""
        self._edits[uri] = edit

    def at(self, uri: str, cursor: types.Position) -> Edit | None:
        """The last edit of a document, if the cursor stands where that left it."""
        edit = self._edits.get(uri)
        return edit if edit is not None and edit.cursor == cursor else None
