"""How far an answer may go, and when a streamed one is complete. Pure."""

import re
from enum import Enum, StrEnum
from typing import Literal

from .lines import line_before, rest_of_line

Multiline = Literal["auto", "never", "always"]
TAB_WIDTH = 4
_CLOSERS = frozenset(")]}>\"'`;,: \t")
_OPENS_BLOCK = re.compile(
    r"(?:[:{(\[]|=>|->|\b(?:do|then|else|begin|loop|try|ensure|repeat|of))\s*(?:(?://|#|--).*)?\Z"
)
_CLOSES_BLOCK = re.compile(r"\s*(?:[)\]}]+[;,)]*|end\b.*|fi|done|esac)\s*\Z")


class Extent(StrEnum):
    """How far an answer may go."""

    REST = "rest"
    """The cursor's line only: text stands right of the cursor."""
    LINE = "line"
    """One line of text, which may be the next one."""
    BLOCK = "block"
    """Until the indentation falls below where the answer began."""


def choose(
    before: str,
    after: str,
    *,
    automatic: bool,
    multiline: Multiline = "auto",
    accepted: str = "",
) -> Extent:
    """What to ask for at a cursor, behind a suggestion that was just ``accepted``, if one was.

    A block where one has just been opened, where the user asked by hand at a line's end, or has
    just taken several lines; one line otherwise, since a long wrong answer costs the reader more
    than a short one.
    """
    if rest_of_line(after).strip():
        return Extent.REST
    if multiline != "auto":
        return Extent.BLOCK if multiline == "always" else Extent.LINE
    line = line_before(before)
    if not automatic or "\n" in accepted.strip() or _OPENS_BLOCK.search(line):
        return Extent.BLOCK
    if line.strip():
        return Extent.LINE
    above = before[: len(before) - len(line)].rstrip()
    opened = _OPENS_BLOCK.search(line_before(above))
    return Extent.BLOCK if opened else Extent.LINE


def only_closers(text: str) -> bool:
    """Whether text right of the cursor is what an editor inserts by itself, such as ``)``."""
    return all(character in _CLOSERS for character in text)


def end_of(extent: Extent, before: str, text: str, max_lines: int) -> int | None:
    """Where a streamed answer is complete, as an offset into ``text``; None while it may go on.

    What stands before the offset never depends on text that has not arrived yet.
    """
    if extent is Extent.REST:
        newline = text.find("\n")
        return newline if newline >= 0 else None
    if extent is Extent.LINE:
        newline = text.find("\n", len(text) - len(text.lstrip()))
        return newline if newline >= 0 else None
    return _end_of_block(before, text, max_lines)


class _Verdict(Enum):
    """What a line does to the block that it follows."""

    BELONGS = "belongs"
    CLOSES = "closes"  # the last line of the block
    FOLLOWS = "follows"  # the block ended before it
    UNCLEAR = "unclear"  # more of the line must arrive first


def _end_of_block(before: str, text: str, max_lines: int) -> int | None:
    start = line_before(before)
    opened = bool(start.strip())
    floor = _indentation(start) + 1 if opened else None
    lines = text.split("\n")
    position = kept = blank = seen = 0
    for number, line in enumerate(lines):
        arrived = number < len(lines) - 1
        end = position + len(line)
        whole = start + line if number == 0 else line
        if number == 0 and start.strip():
            kept, seen = end, int(bool(line.strip()))
        elif not whole.strip():
            blank += arrived and number > 0
        else:
            if not seen and opened and _stands_beside(whole, start):
                opened, floor, blank = False, _indentation(whole), 0
            floor = _indentation(whole) if floor is None else floor
            verdict = _verdict(whole, floor, opened=opened, blank=blank > 0, arrived=arrived)
            if verdict is not _Verdict.BELONGS:
                ends = {_Verdict.CLOSES: end, _Verdict.FOLLOWS: kept}
                return ends.get(verdict)
            kept, blank, seen = end, 0, seen + 1
        if blank > 1 or (arrived and seen >= max_lines):
            return kept
        position = end + 1
    return None


def _verdict(line: str, floor: int, *, opened: bool, blank: bool, arrived: bool) -> _Verdict:
    """``floor`` is the least indentation inside; ``opened`` tells that the cursor's own line
    began the block, so that a closing bracket one level up belongs to it.
    """
    indentation = _indentation(line)
    if indentation >= floor and not (blank and indentation == 0):
        return _Verdict.BELONGS
    if not opened or blank or indentation != floor - 1:
        return _Verdict.FOLLOWS
    if arrived:
        return _Verdict.CLOSES if _CLOSES_BLOCK.match(line) else _Verdict.FOLLOWS
    return _Verdict.UNCLEAR if _may_still_close(line) else _Verdict.FOLLOWS


def _stands_beside(line: str, start: str) -> bool:
    """Whether the first line below the cursor's own is no part of it: that one was whole."""
    if _OPENS_BLOCK.search(start) or _indentation(line) > _indentation(start):
        return False
    return _indentation(line) < _indentation(start) or not _may_still_close(line)


def _may_still_close(line: str) -> bool:
    """Whether an unfinished line may become a closing one: ``en`` may become ``end``."""
    word = line.strip()
    if word[0] in ")]}":
        return True
    return any(closer.startswith(word) for closer in ("end", "fi", "done", "esac"))


def _indentation(line: str) -> int:
    """Columns of white space at a line's start."""
    expanded = line.expandtabs(TAB_WIDTH)
    return len(expanded) - len(expanded.lstrip())
