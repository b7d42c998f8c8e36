"""What an answer's text is anchored to, and how that has changed since it was asked for. Pure."""

from dataclasses import dataclass
from typing import Self

BEFORE, AFTER = 4096, 1024
"""Characters on either side of the cursor that an answer depends on: about what a model is shown.
An edit farther away leaves the answer as right as it was."""
ANCHOR = 64
"""Characters before the cursor by which a place is found again after an edit elsewhere."""
MOST_CLOSERS = 4
_CLOSERS = frozenset(")]}>\"'`")


@dataclass(frozen=True, slots=True)
class Moved:
    """How a cursor and the text around it differ from what they were.

    ``typed`` is what stands between the two cursors, or ``deleted`` what stood there. ``closers``
    came to stand right of the cursor (an editor closes brackets and quotes by itself), or
    ``overtyped`` counts those that were typed over.
    """

    typed: str = ""
    deleted: str = ""
    closers: str = ""
    overtyped: int = 0

    @property
    def nowhere(self) -> bool:
        """Whether all is as it was."""
        return not (self.typed or self.deleted or self.closers or self.overtyped)


@dataclass(frozen=True, slots=True)
class Near:
    """The text around a cursor, as far as an answer depends on it; ``length`` of all before it."""

    before: str
    after: str
    length: int

    @classmethod
    def of(cls, before: str, after: str) -> Self:
        """What stands on either side of a cursor."""
        return cls(before[-BEFORE:], after[:AFTER], len(before))

    def since(self, before: str, after: str) -> Moved | None:
        """What happened from there to here; None: something that makes it another place."""
        grown = len(before) - self.length
        if not self._stands(before, grown):
            found = self._found(before)
            if found is None:
                return None
            grown = found
        beside = self._beside(after)
        if beside is None:
            return None
        closers, overtyped = beside
        if grown < 0:
            return Moved("", self.before[grown:], closers, overtyped)
        return Moved(before[len(before) - grown :], "", closers, overtyped)

    def _stands(self, before: str, grown: int) -> bool:
        """Whether the text before the old cursor is there, with the new one ``grown`` behind it."""
        kept = len(self.before) + min(grown, 0)
        start = len(before) - max(grown, 0) - kept
        if kept < 0 or start < 0 or (start > 0 and len(self.before) < BEFORE):
            return False
        return before.startswith(self.before if grown >= 0 else self.before[:kept], start)

    def _found(self, before: str) -> int | None:
        """Where it is after an edit far above, which moved everything."""
        if len(self.before) < BEFORE:
            return None
        at = before.rfind(self.before[-ANCHOR:], max(0, len(before) - BEFORE))
        grown = len(before) - at - ANCHOR
        return grown if at >= 0 and self._stands(before, grown) else None

    def _beside(self, after: str) -> tuple[str, int] | None:
        """The closers that came, and how many went."""
        if self._follows(after, 0, 0):
            return "", 0
        for count in range(1, MOST_CLOSERS + 1):
            if _CLOSERS.issuperset(after[:count]) and self._follows(after, count, 0):
                return after[:count], 0
            if _CLOSERS.issuperset(self.after[:count]) and self._follows(after, 0, count):
                return "", count
        return None

    def _follows(self, after: str, came: int, went: int) -> bool:
        if len(self.after) < AFTER and len(after) - came != len(self.after) - went:
            return False
        return after.startswith(self.after[went:] if went else self.after, came)
