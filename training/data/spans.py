"""Where a middle is cut out of Python source: lines, ends of lines, syntax, blocks, any characters.

Pure functions of (text, random numbers). A span is a pair of character offsets; what lies before
is the prefix, what lies behind is the suffix.
"""

import ast
import textwrap
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

Span = tuple[int, int]

KINDS = {"line": 38, "line_end": 25, "syntax": 17, "block": 10, "characters": 7, "empty": 3}
"""Shares of the kinds of middles: what a user at a keyboard asks for, most of all one line."""

MIN_CHARACTERS = 6
"""Shortest middle of the kind ``syntax``: shorter ones are mostly bare names."""
MAX_LINES = 24
"""Longest block, as the server's own limit of an answer."""
MAX_CHARACTERS = 300
"""Longest middle of the kind ``characters`` or ``syntax``."""
BODY_WEIGHT = 4
"""How much rather a line is chosen that stands in a function's body, behind its docstring."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known of one source file: offsets of its lines and of its syntax.

    ``lines`` are (start, first character that is no blank, end without the newline) of lines that
    hold text; ``weights`` their cumulative weights; ``nodes`` the spans of expressions and
    statements, ``blocks`` those of bodies, ``functions`` those of whole functions.
    """

    text: str
    lines: tuple[tuple[int, int, int], ...]
    weights: tuple[int, ...]
    nodes: tuple[Span, ...]
    blocks: tuple[Span, ...]
    functions: tuple[Span, ...]


def outline(text: str) -> Outline | None:
    """Parse a file; None if it is no valid Python or holds no text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the corpus's own faults, such as invalid escapes
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    starts = _line_starts(text)
    offset = _Offsets(text, starts)
    nodes, blocks, functions = [], [], []
    in_body = bytearray(len(starts) + 1)
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt)):
            start, end = offset.span(node)
            if MIN_CHARACTERS <= end - start <= MAX_CHARACTERS:
                nodes.append((start, end))
        for body in _bodies(node):
            blocks.append((offset.span(body[0])[0], offset.span(body[-1])[1]))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                functions.append((_first_offset(node, offset), offset.span(node)[1]))
                first, last = body[0].lineno, body[-1].end_lineno or body[-1].lineno
                in_body[first - 1 : last] = b"\1" * (last - first + 1)
    lines, weights = _lines(text, starts, in_body)
    if not lines:
        return None
    return Outline(text, lines, weights, tuple(nodes), tuple(blocks), tuple(functions))


def _lines(
    text: str, starts: list[int], in_body: bytearray
) -> tuple[tuple[tuple[int, int, int], ...], tuple[int, ...]]:
    """The lines that hold text, and their cumulative weights."""
    lines: list[tuple[int, int, int]] = []
    weights: list[int] = []
    total = 0
    end_of_text = len(text) + (not text.endswith("\n"))
    for start, end, inside in zip(starts, [*starts[1:], end_of_text], in_body, strict=False):
        line = text[start : end - 1]
        if line.strip():
            lines.append((start, start + len(line) - len(line.lstrip()), start + len(line)))
            total += BODY_WEIGHT if inside else 1
            weights.append(total)
    return tuple(lines), tuple(weights)


def function_alone(source: Outline, random: Random) -> str | None:
    """One function of the file as a small file of its own, without its surroundings' indentation.

    Scratch files, notebooks and exercises look like this.
    """
    if not source.functions:
        return None
    start, end = random.choice(source.functions)
    line = source.text.rfind("\n", 0, start) + 1
    return textwrap.dedent(source.text[line:end]) + "\n"


def choose(source: Outline, random: Random) -> Span:
    """A middle to cut out, of a kind drawn by :data:`KINDS`."""
    (kind,) = random.choices(tuple(KINDS), tuple(KINDS.values()))
    if kind == "syntax" and source.nodes:
        return random.choice(source.nodes)
    if kind == "block" and source.blocks:
        return _block(source, random)
    if kind == "characters":
        start = random.randrange(len(source.text))
        return start, min(len(source.text), start + random.randint(1, MAX_CHARACTERS))
    index = bisect_right(source.weights, random.randrange(source.weights[-1]))
    if kind == "empty":
        end = source.lines[index][2]
        return end, end
    if kind == "line_end":
        return _line_end(source, index, random)
    return _line(source, index, random)


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


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The statement lists of a node; a docstring is not part of a body."""
    for field in ("body", "orelse", "finalbody"):
        body = getattr(node, field, None)
        if not isinstance(body, list) or not body or isinstance(node, ast.Module):
            continue
        first = body[0]
        documented = (
            field == "body"
            and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
        )
        kept = body[1:] if documented else body
        if kept:
            yield kept


def _first_offset(node: ast.FunctionDef | ast.AsyncFunctionDef, offset: "_Offsets") -> int:
    """Where a function begins, decorators included."""
    decorators = [offset.span(decorator)[0] - 1 for decorator in node.decorator_list]
    return min([offset.span(node)[0], *decorators])


def _line_starts(text: str) -> list[int]:
    starts = [0]
    position = text.find("\n")
    while position >= 0:
        starts.append(position + 1)
        position = text.find("\n", position + 1)
    if starts[-1] == len(text):
        starts.pop()
    return starts


class _Offsets:
    """``ast``'s places (line, UTF-8 bytes) as offsets in characters."""

    def __init__(self, text: str, starts: list[int]) -> None:
        self._text = text
        self._starts = starts
        self._ascii = text.isascii()

    def span(self, node: ast.expr | ast.stmt) -> Span:
        end_line = node.end_lineno or node.lineno
        end_column = node.end_col_offset or 0
        return self._at(node.lineno, node.col_offset), self._at(end_line, end_column)

    def _at(self, line: int, column: int) -> int:
        start = self._starts[min(line, len(self._starts)) - 1]
        if self._ascii:
            return start + column
        # A line has at least as many bytes as characters, so this slice holds the whole column.
        head = self._text[start : start + column].encode()[:column]
        return start + len(head.decode("utf-8", "ignore"))
