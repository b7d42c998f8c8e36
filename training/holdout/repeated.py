"""Where blocks of held-out code stand in the text to train on as well."""

from collections.abc import Iterable, Iterator, Mapping

from lsp_server.store.files import RepositoryFile

from ..outlines.parts import Span
from .added import Lines

BLOCK = 3
"""Lines in a row from which it is no accident that they are the same."""
LEAST = 6
"""Characters of a line that counts; shorter ones, and those without a letter, are skipped."""


def repeated_blocks(
    held: Mapping[str, tuple[str, tuple[Lines, ...]]], training: Iterable[RepositoryFile]
) -> dict[str, tuple[Span, ...]]:
    """The character spans of training files, by path, that repeat ``BLOCK`` held-out lines.

    ``held`` are texts with their new lines. Lines are compared without the white space around them.
    """
    blocks: set[int] = set()
    for text, ranges in held.values():
        lines = text.split("\n")
        for first, last in ranges:
            row = [line.strip() for line in lines[first - 1 : last] if _counts(line.strip())]
            blocks.update(hash(tuple(row[at : at + BLOCK])) for at in range(len(row) - BLOCK + 1))
    found: dict[str, tuple[Span, ...]] = {}
    if blocks:
        for file in training:
            if spans := tuple(_joined(_matches(file.text, blocks))):
                found[file.path] = spans
    return found


def _matches(text: str, blocks: set[int]) -> Iterator[Span]:
    rows: list[tuple[str, int, int]] = []
    at = 0
    for line in text.split("\n"):
        bare = line.strip()
        if _counts(bare):
            rows = [*rows[1 - BLOCK :], (bare, at, at + len(line))]
            if len(rows) == BLOCK and hash(tuple(row[0] for row in rows)) in blocks:
                yield rows[0][1], rows[-1][2]
        at += len(line) + 1


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Overlapping spans, which come in order, as one."""
    current: Span | None = None
    for start, end in spans:
        if current is not None and start <= current[1]:
            current = (current[0], end)
            continue
        if current is not None:
            yield current
        current = (start, end)
    if current is not None:
        yield current


def _counts(line: str) -> bool:
    return len(line) >= LEAST and any(character.isalpha() for character in line)
