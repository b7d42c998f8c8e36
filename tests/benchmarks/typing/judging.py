"""What a suggestion is worth, given what will be typed. Pure."""

from dataclasses import dataclass
from itertools import pairwise

from .typist import PAIRS, Typist

LEAST = 4
"""Characters that are a suggestion worth its place, where the line has as many left."""
BELOW, SUBSTANCE = 20, 3
"""Lines below the cursor that may not be repeated; letters and digits that make a line one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``right``: what comes next is on offer, to the line's end or for ``LEAST`` characters.

    ``whole``: every character of it is what will be typed, so it can be accepted; ``length`` is
    then how many. ``repeats``: it repeats code that stands below the cursor, and that is wrong.
    """

    right: bool
    whole: bool
    length: int
    repeats: bool


def expects(typist: Typist) -> bool:
    """Whether there is something right to be offered here."""
    return typist.is_clean and bool(typist.future.strip())


def judge(text: str, replaced: int, typist: Typist) -> Verdict:
    """``text`` in place of ``replaced`` characters right of the cursor."""
    below = typist.closers + typist.right
    if not text.strip():
        return Verdict(right=False, whole=False, length=0, repeats=False)
    future = typist.future if typist.is_clean else ""
    whole = bool(future) and future.startswith(text) and _taken(text, typist.closers) == replaced
    result, intended = text + below[replaced:], future + typist.right
    to_line_end = bool(future.strip()) and _head(result) == _head(intended)
    long_enough = len(text.strip()) >= LEAST or len(text) == len(future)
    right = to_line_end or (whole and long_enough)
    return Verdict(right, whole, len(text) if whole else 0, _repeats(text, replaced, below, future))


def _taken(text: str, closers: str) -> int:
    """How many of the editor's closers a text closes itself."""
    stack: list[str] = []
    taken = 0
    for character in text:
        if stack and character == stack[-1]:
            stack.pop()
        elif not stack and closers[taken : taken + 1] == character:
            taken += 1
        elif character in PAIRS:
            stack.append(PAIRS[character])
    return taken


def _head(text: str) -> str:
    """Up to the end of the first line that is not blank."""
    start = len(text) - len(text.lstrip())
    end = text.find("\n", start)
    return text if end < 0 else text[:end]


def _repeats(text: str, replaced: int, below: str, future: str) -> bool:
    rest, _, lines = below.partition("\n")
    wanted = _lines(future)
    if _counts(rest[replaced:]) and text.rstrip().endswith(rest[replaced:].strip()):
        return not wanted or _lines(text)[0] != wanted[0]
    standing = _lines(lines)[:BELOW]
    offered = _lines(text)
    if not standing or future.startswith(text.rstrip()):
        return False
    if any(line == standing[0] for line in offered if line not in wanted):
        return True
    pairs = set(pairwise(standing))
    return any(pair in pairs and pair[0] not in wanted for pair in pairwise(offered))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if _counts(line)]


def _counts(line: str) -> bool:
    return sum(character.isalnum() for character in line) >= SUBSTANCE
