"""What an outline of a source file is made of, for every language; knows no parser."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Span = tuple[int, int]
"""First character, and the one behind the last."""
Line = tuple[int, int, int]
"""Start, first character that is no blank, end without the newline."""
PairKind = Literal["function", "method", "class"]

MIN_CHARACTERS = 6
"""Shortest of ``Outline.nodes``: shorter ones are mostly bare names."""
MAX_CHARACTERS = 300
"""Longest of ``Outline.nodes``."""
MAX_CLASS_LINES = 60
"""Longest class body that is a pair's middle as a whole; of a longer one it is the beginning."""
BODY_WEIGHT = 4
"""How much rather a line is chosen that stands in a function's body, behind its docstring."""


class Unparsed(Exception):  # noqa: N818 - no fault of the program: what a file is
    """A text of which there is no outline; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A definition with a body: what stands before the body, documentation included, leads to it.

    ``name`` is qualified (``Class.method``). ``start`` is that of the definition, with its
    decorators and the doc comment above it, ``end`` that of the whole definition. ``body`` goes
    from the end of what stands before it (docstring, colon, opening brace, comment behind it), so
    that it begins with the newline, to the body's end. ``docstring`` is the documentation's text
    without its quotes or comment marks, empty where there is none.

    A class's body is whole up to :data:`MAX_CLASS_LINES` lines; of a longer one it ends with the
    first method, or before it if that is still too long.
    """

    name: str
    kind: PairKind
    start: int
    body: Span
    docstring: str
    end: int


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known of one source file: offsets of its lines and of its syntax, in characters.

    ``lines`` are those that hold text; ``weights`` their cumulative weights; ``nodes`` the spans of
    expressions and statements, ``blocks`` those of bodies, ``functions`` those of whole functions,
    ``pairs`` the definitions whose body is worth learning.
    """

    text: str
    lines: tuple[Line, ...]
    weights: tuple[int, ...]
    nodes: tuple[Span, ...] = ()
    blocks: tuple[Span, ...] = ()
    functions: tuple[Span, ...] = ()
    pairs: tuple[Pair, ...] = ()


def line_starts(text: str) -> list[int]:
    """Where the lines begin; none behind the last newline."""
    starts = [0]
    position = text.find("\n")
    while position >= 0:
        starts.append(position + 1)
        position = text.find("\n", position + 1)
    if starts[-1] == len(text):
        starts.pop()
    return starts


def lines_with_text(
    text: str, starts: list[int], in_body: bytes | bytearray
) -> tuple[tuple[Line, ...], tuple[int, ...]]:
    """The lines that hold text, and their cumulative weights.

    ``in_body`` says of every line whether it stands in a function's body. Raises Unparsed if there
    is no such line.
    """
    lines: list[Line] = []
    weights: list[int] = []
    total = 0
    end_of_text = len(text) + (not text.endswith("\n"))
    for start, end, inside in zip(starts, [*starts[1:], end_of_text], in_body, strict=False):
        line = text[start : end - 1]
        if line.strip():
            lines.append((start, start + len(line) - len(line.lstrip()), start + len(line)))
            total += BODY_WEIGHT if inside else 1
            weights.append(total)
    if not lines:
        raise Unparsed("no text")
    return tuple(lines), tuple(weights)


def class_body(text: str, start: int, ends: Iterable[int]) -> Span | None:
    """The longest of the bodies from ``start`` to one of ``ends`` that is short enough to learn."""
    for end in ends:
        if end > start and text.count("\n", start, end) <= MAX_CLASS_LINES:
            return start, end
    return None
