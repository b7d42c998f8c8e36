"""Answers that outlive their keystroke: typing along an answer asks nobody again. Pure."""

from collections import deque
from dataclasses import dataclass, field

from cachetools import LRUCache

from .brackets import QUOTES, unmatched_closers
from .confidence import Doubt
from .extent import Extent
from .lines import line_before
from .near import Moved, Near
from .trace import Trace

ANSWERS_PER_DOCUMENT = 32
_OPENERS = frozenset("([{<") | QUOTES


@dataclass(frozen=True, slots=True)
class Place:
    """Whose answers count in which document.

    ``model``, ``adapter`` and its ``scale`` are part of it: another adapter's answer is another
    answer.
    """

    uri: str
    model: str
    adapter: str | None = None
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is left of an earlier answer; ``replace`` as in ``postprocess.Outcome``.

    ``text`` is empty where the model had nothing to say, or (``unsure``) nothing that it was sure
    of. ``trace`` is how it came about.
    """

    text: str
    replace: int = 0
    trace: Trace | None = field(default=None, compare=False, repr=False)
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, filtered, and what it was given for.

    With ``doubt`` it is held back until enough of it is typed: what is left of an answer is the
    likelier, the more of it was right. It is not ``whole`` where lines are missing that who asks
    by hand wants: that were not complete when time was up, or that the model was unsure of.
    """

    near: Near
    extent: Extent
    text: str
    replace: int = 0
    trace: Trace | None = field(default=None, compare=False, repr=False)
    doubt: Doubt | None = field(default=None, repr=False)
    whole: bool = True

    def here(self, before: str, after: str) -> Remembered | None:
        """What is left of it with this text around the cursor; None if it does not fit."""
        moved = self.near.since(before, after)
        return self.left(moved, line_before(before)) if moved else None

    def left(self, moved: Moved, line: str) -> Remembered | None:
        """What is left of it after a move; None if it does not fit. ``line`` is the cursor's, up
        to the cursor.
        """
        text = self._text_left(moved)
        replace = self.replace - moved.overtyped
        if text is None or replace < 0 or (self.doubt and moved.deleted):
            return None
        if self.doubt and self.doubt.remains(self.text, len(self.text) - len(text)):
            return Remembered("", 0, self.trace, unsure=True)
        if moved.closers:
            owned = _owned(line, text, moved)
            if self.replace and owned < len(moved.closers):
                return None  # what it replaces stands behind something that it must not replace
            replace += owned
        return Remembered(text, replace, self.trace)

    def _text_left(self, moved: Moved) -> str | None:
        if moved.nowhere:
            return self.text
        if moved.deleted:
            # What was taken back on the cursor's line is how the answer begins.
            whole = self.text.strip() and "\n" not in moved.deleted
            alone = not (moved.closers or moved.overtyped)
            return moved.deleted + self.text if whole and alone else None
        left = self.text[len(moved.typed) :]
        return left if self.text.startswith(moved.typed) and left.strip() else None


def _owned(line: str, left: str, moved: Moved) -> int:
    """How many of the closers that an editor set are those that the rest of an answer closes."""
    opened = sum(character in _OPENERS for character in moved.typed)
    closed = unmatched_closers(line, left)
    owned = 0
    for mine, theirs in zip(closed, moved.closers, strict=False):
        if mine != theirs or owned == opened:
            break
        owned += 1
    return owned


class TypeThroughCache:
    """The last answers of each document, found again at every cursor that they still fit.

    That is: while they are typed along, also where the editor closes brackets by itself, and after
    deletions; whatever is edited farther away than an answer depends on.
    """

    def __init__(self, documents: int = 64) -> None:
        self._answers: LRUCache[Place, deque[Answer]] = LRUCache(maxsize=documents)

    def add(self, place: Place, answer: Answer) -> None:
        """Keep an answer."""
        answers = self._answers.get(place)
        if answers is None:
            answers = self._answers[place] = deque(maxlen=ANSWERS_PER_DOCUMENT)
        answers.appendleft(answer)

    def find(
        self, place: Place, before: str, after: str, extent: Extent | None = None
    ) -> Remembered | None:
        """What is left of the newest answer that fits, or None.

        One that was given at this cursor or before it goes before one that was given behind it.
        With ``extent``, only a whole answer that was asked to go that far counts, and none in
        doubt.
        """
        behind: Remembered | None = None
        line = line_before(before)
        for answer in self._answers.get(place, ()):
            unfit = answer.extent is not extent or answer.doubt or not answer.whole
            if extent is not None and unfit:
                continue
            moved = answer.near.since(before, after)
            left = answer.left(moved, line) if moved else None
            if left is not None and moved is not None and not moved.deleted:
                return left
            behind = behind or left
        return behind

    def clear(self) -> None:
        """Forget everything, as when a setting changes what answers look like."""
        self._answers.clear()
