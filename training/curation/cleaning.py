"""A file as it is learnt from: without its licence notice, with secrets made unreadable; pure.

Offsets of an outline hold afterwards: a notice is a file's beginning, and every offset moves by its
length; a secret is replaced by as many harmless characters.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from ..outlines.parts import Outline, Pair, Span
from .comments import licence_end

_SECRET_CHARACTER = re.compile(r"""(\\(?:[^\w\s]|[nrt]))|[^\s"'`]""")


def overlaps(redacted: Sequence[Span], start: int, end: int) -> bool:
    """Whether ``[start, end)`` shares a character with one of the sorted, separate spans."""
    index = bisect_left(redacted, start, key=lambda span: span[1] - 1)
    return index < len(redacted) and redacted[index][0] < end


def without_notice(outline: Outline, language: str) -> Outline:
    """The outline of the same file without the licence notice at its top."""
    size = licence_end(outline.text, language)
    if not size or size >= len(outline.text):
        return outline
    kept = [
        (line, weight)
        for line, weight in zip(outline.lines, outline.weights, strict=True)
        if line[0] >= size
    ]
    if not kept:
        return outline
    before = (
        outline.weights[len(outline.weights) - len(kept) - 1]
        if len(kept) < len(outline.weights)
        else 0
    )
    return replace(
        outline,
        text=outline.text[size:],
        lines=tuple((a - size, b - size, c - size) for (a, b, c), _ in kept),
        weights=tuple(weight - before for _, weight in kept),
        nodes=_moved(outline.nodes, size),
        blocks=_moved(outline.blocks, size),
        functions=tuple((max(a - size, 0), b - size) for a, b in outline.functions),
        pairs=tuple(_moved_pair(pair, size) for pair in outline.pairs),
    )


def _moved(spans: Sequence[Span], size: int) -> tuple[Span, ...]:
    return tuple((start - size, end - size) for start, end in spans if start >= size)


def _moved_pair(pair: Pair, size: int) -> Pair:
    """A notice right above a definition was taken for its documentation."""
    start, end = pair.body
    return replace(
        pair,
        start=max(pair.start - size, 0),
        body=(start - size, end - size),
        docstring="" if pair.start < size else pair.docstring,
        end=pair.end - size,
    )


def redacted(outline: Outline, secrets: Sequence[Span]) -> Outline:
    """The outline of the same file with ``secrets`` overwritten; all offsets stay."""
    if not secrets:
        return outline
    parts: list[str] = []
    written: dict[str, str] = {}
    at = 0
    for start, end in secrets:
        secret = outline.text[start:end]
        written[secret] = harmless(secret)
        parts += outline.text[at:start], written[secret]
        at = end
    parts.append(outline.text[at:])
    pairs = tuple(_redacted_pair(pair, secrets, written) for pair in outline.pairs)
    return replace(outline, text="".join(parts), pairs=pairs)


def harmless(secret: str) -> str:
    """As many characters, on as many lines; quotes and escapes stay, so that it still parses."""
    return _SECRET_CHARACTER.sub(lambda match: match.group(1) or "x", secret)


def _redacted_pair(pair: Pair, secrets: Sequence[Span], written: dict[str, str]) -> Pair:
    if not pair.docstring or not overlaps(secrets, pair.start, pair.body[0]):
        return pair
    docstring = pair.docstring
    for secret, harmless_text in written.items():
        docstring = docstring.replace(secret, harmless_text)
    return replace(pair, docstring=docstring)
