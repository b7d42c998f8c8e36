"""Which lines of a text are worth asking a model for."""

import re
from collections.abc import Iterator, Sequence

from ..outlines.parts import Span

LEAST = 6
"""Characters of a line that is worth asking for."""
IMPORT_SHARE = 0.2
"""The most of the lines asked for that may be imports."""
_IMPORT = re.compile(
    r"\s*(?:import\b|from\s+\S+\s+import\b|#\s*include\b|using\s|use\s|pub\s+use\s|package\s"
    r"|mod\s+\w+;|export\s.*\bfrom\b|(?:const|let|var)\s.*\brequire\()"
)


def asked_lines(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Of the lines in some spans, those worth asking for, without the white space around them."""
    for start, end in spans:
        at = start
        for line in text[start:end].split("\n"):
            bare = line.strip()
            if len(bare) >= LEAST and any(character.isalnum() for character in bare):
                begin = at + len(line) - len(line.lstrip())
                yield begin, begin + len(bare)
            at += len(line) + 1


def is_import(text: str, line: Span) -> bool:
    """Whether a line brings in another file."""
    return _IMPORT.match(text, *line) is not None


def one_import_more(imports: int, asked: int) -> bool:
    """Whether the next line asked for may be an import, of ``asked`` so far."""
    return imports + 1 <= IMPORT_SHARE * (asked + 1)
