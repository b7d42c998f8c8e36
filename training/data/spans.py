"""Where a middle is cut out of a source file: lines, syntax, blocks, bodies, any characters.

Pure functions of (outline, random numbers). A middle is a pair of character offsets; what lies
before is the prefix, what lies behind is the suffix.
"""

import textwrap
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from ..outlines.outline import Outline
from ..outlines.parts import MAX_CHARACTERS, Span

KINDS = {"line": 38, "line_end": 25, "syntax": 17, "block": 10, "characters": 7, "empty": 3}
"""Shares of the kinds of middles: what a user at a keyboard asks for, most of all one line."""

REPOSITORY_KINDS = {
    "line_end": 38, "line": 32, "block_end": 10, "pair": 8, "syntax": 6, "block": 2, "empty": 4,
}  # fmt: skip
"""Shares for an adapter: what a user asks for, most of all the rest of a line.

Shares with more syntax and more blocks (AST-FIM, arXiv 2506.00204) make bodies likelier and single
lines less so: docs/benchmarks.md. ``block_end`` is from a cursor anywhere in a block to the block's
end, ``pair`` from a docstring or signature to the end of the body it describes.
"""

MAX_LINES = 24
"""Longest block, as the server's own limit of an answer."""
MAX_BLOCK_END = 700
"""Longest middle of the kind ``block_end``, in characters."""


@dataclass(frozen=True, slots=True)
class Middle:
    """What is cut out of a file; ``kind`` is a key of the shares that it was chosen by.

    It is the kind that was found: a file without what was drawn gives a line.
    """

    kind: str
    start: int
    end: int


def function_alone(source: Outline, random: Random) -> str | None:
    """One function of the file as a small file of its own, without its surroundings' indentation.

    Scratch files, notebooks and exercises look like this.
    """
    if not source.functions:
        return None
    start, end = random.choice(source.functions)
    line = source.text.rfind("\n", 0, start) + 1
    return textwrap.dedent(source.text[line:end]) + "\n"


def choose(source: Outline, random: Random, shares: Mapping[str, float] = KINDS) -> Middle:
    """A middle to cut out, of a kind drawn by ``shares``."""
    (kind,) = random.choices(tuple(shares), tuple(shares.values()))
    span = _of_syntax(kind, source, random)
    if span is None and kind == "characters":
        start = random.randrange(len(source.text))
        span = start, min(len(source.text), start + random.randint(1, MAX_CHARACTERS))
    if span is None:
        index = bisect_right(source.weights, random.randrange(source.weights[-1]))
        end = source.lines[index][2]
        if kind == "empty":
            span = end, end
        elif kind == "line_end":
            span = _line_end(source, index, random)
        else:
            kind, span = "line", _line(source, index, random)
    return Middle(kind, *span)


def _of_syntax(kind: str, source: Outline, random: Random) -> Span | None:
    """A span of the kinds that need syntax; None of the others, and where the file has none."""
    if kind == "syntax" and source.nodes:
        return random.choice(source.nodes)
    if kind == "block" and source.blocks:
        return _block(source, random)
    if kind == "block_end" and source.blocks:
        return _block_end(source, random)
    if kind == "pair" and source.pairs:
        documented = [pair for pair in source.pairs if pair.docstring]
        return random.choice(documented or source.pairs).body
    return None


def _line(source: Outline, index: int, random: Random) -> Span:
    """A whole line, in each way that an editor or a benchmark cuts one out.

    From the end of the line above, from the line's start, or behind its indentation; with its
    newline or without.
    """
    start, text, end = source.lines[index]
    begin = random.choice((max(0, start - 1), start, text))
    return begin, min(len(source.text), end + random.randint(0, 1))


def _line_end(source: Outline, index: int, random: Random) -> Span:
    """From somewhere inside a line to its end, or to the brackets that an editor has closed."""
    _, text, end = source.lines[index]
    begin = random.randint(text, end)
    if random.random() < 0.25:
        line = source.text[begin:end]
        return begin, begin + len(line.rstrip(")]}:,'\""))
    return begin, end


def _block(source: Outline, random: Random) -> Span:
    """A body, from its start or from the end of some line in it, of at most ``MAX_LINES``."""
    start, end = random.choice(source.blocks)
    ends = [at for at in range(start, end) if source.text[at] == "\n"]
    begin = random.choice([start, *ends]) if ends else start
    limit = begin
    for _ in range(MAX_LINES):
        following = source.text.find("\n", limit + 1, end)
        if following < 0:
            return begin, end
        limit = following
    return begin, limit


def _block_end(source: Outline, random: Random) -> Span:
    """From a cursor in a body to its end, or to the last line's end in ``MAX_BLOCK_END``.

    A cursor stands in a line, not in its indentation.
    """
    start, end = random.choice(source.blocks)
    begin = random.randrange(start, end)
    line = source.text.rfind("\n", 0, begin) + 1
    while begin < end and source.text[line:begin].strip() == "" and source.text[begin].isspace():
        begin += 1
    if end - begin <= MAX_BLOCK_END:
        return begin, end
    limit = source.text.rfind("\n", begin + 1, begin + MAX_BLOCK_END + 1)
    return begin, limit if limit > begin else begin + MAX_BLOCK_END
