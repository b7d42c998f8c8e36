"""What is asked of a repository's index for a cursor: names and words around it. Pure.

**Typing leaves the snippets as they are.** They stand before the document in the prompt, so that a
snippet that changes costs the whole prompt's KV cache. The query is therefore made of *anchored*
text: whole lines up to an anchor that moves only every :data:`ANCHOR_LINES` lines, the head of the
definition that the cursor is in, and whole lines below the cursor's own. The cursor's own line
never counts. All of it is a function of (text before, text after): training sees the same, and a
middle that was taken out of a sample cannot speak.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .assemble import Source
from .identifiers import IDENTIFIER, KEYWORDS, parts
from .imports import Import, imports_of

ANCHOR_LINES = 10
"""The query's lower edge moves once in so many lines."""
LINES_ABOVE, LINES_BELOW = 10, 12
"""What the query is made of, besides the head of the definition around the cursor."""
MOST_LINES, _TOP_LINES = 2_000, 400
"""Of a very long file, what is looked at around the cursor, and at its top."""
_HEAD_LINES = 24
"""The longest signature with docstring that is read as a query."""
MOST_NAMES, MOST_TERMS = 80, 120
_HALF_ABOVE, _HALF_BELOW = 3.0, 3.0
"""A line so many lines further from the cursor counts half."""
_BELOW, _HEAD_WEIGHT, _PART = 1.0, 0.2, 0.5
"""What the nearest line below counts, a line of the head, and a word of an identifier."""
_MOST_WEIGHT = 2.0
"""A term that stands in every line says no more than one in the two nearest."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of an index for a cursor: all of it from anchored text."""

    imports: tuple[Import, ...]
    near: dict[str, int]
    """Names around the cursor, with a rank: 0 is the one nearest to it."""
    attributes: frozenset[tuple[str, str]]
    """``a.b`` around the cursor, as (a, b)."""
    terms: Mapping[str, float]
    """Search terms with their weights, the heaviest first."""
    likely: Mapping[str, float]
    """Whole lines, stripped, with their weights: what follows them elsewhere may follow here."""
    defined: frozenset[str]

    @classmethod
    def of(cls, source: Source) -> "Query":
        """Read a document around its cursor."""
        *above, _ = source.before.split("\n")
        below = source.after.split("\n", MOST_LINES)[1:MOST_LINES]
        anchor = len(above) // ANCHOR_LINES * ANCHOR_LINES
        if anchor > MOST_LINES:  # what a file imports stands at its top
            begin = anchor - MOST_LINES
            above = [*above[: min(_TOP_LINES, begin)], *above[begin:]]
            anchor = len(above) // ANCHOR_LINES * ANCHOR_LINES
        text = [
            *((line, _HEAD_WEIGHT) for line in _around(above)),
            *(
                (line, _BELOW * 0.5 ** (distance / _HALF_BELOW))
                for distance, line in reversed(list(enumerate(below[:LINES_BELOW])))
            ),
            *(
                (line, 0.5 ** (distance / _HALF_ABOVE))
                for distance, line in reversed(
                    list(enumerate(above[max(0, anchor - LINES_ABOVE) : anchor][::-1]))
                )
            ),
        ]
        near: dict[str, int] = {}
        weights: defaultdict[str, float] = defaultdict(float)
        likely: defaultdict[str, float] = defaultdict(float)
        attributes: set[tuple[str, str]] = set()
        for line, weight in reversed(text):
            if _IMPORT_LINE.match(line):
                continue
            likely[line.strip()] += weight
            names = IDENTIFIER.findall(line)
            for name in reversed(names):
                near.setdefault(name, len(near))
            attributes.update(_ATTRIBUTE.findall(line))
            for name in dict.fromkeys(names):
                for number, term in enumerate(parts(name)):  # the whole comes first
                    weights[term] += weight * (_PART if number else 1.0)
        wanted = {name: rank for name, rank in near.items() if name.lower() not in KEYWORDS}
        document = "\n".join(above)
        return cls(
            imports=imports_of(document + "\n", source.path),
            near=dict(list(wanted.items())[:MOST_NAMES]),
            attributes=frozenset(attributes),
            terms=dict(
                sorted(
                    ((term, min(weight, _MOST_WEIGHT)) for term, weight in weights.items()),
                    key=lambda entry: -entry[1],
                )[:MOST_TERMS]
            ),
            likely=dict(likely),
            defined=frozenset(_DEFINED.findall(document + "\n" + "\n".join(below))),
        )


_ATTRIBUTE = re.compile(r"([^\W\d]\w*)\s*(?:\.|::|->)\s*([^\W\d]\w*)")
_IMPORT_LINE = re.compile(r"\s*(?:from\s+\S+\s+import\b|import\b|#\s*include\b|use\s)")
_DEFINED = re.compile(
    r"\b(?:def|class|func|fn|function|struct|interface|trait|type|enum)\s+([^\W\d]\w*)"
)
_HEAD = re.compile(
    r"\s*(?:@|(?:export\s+|default\s+|pub(?:\([^)]*\))?\s+|async\s+|public\s+|private\s+|protected\s+"
    r"|static\s+|final\s+|unsafe\s+|const\s+)*(?:def|class|func|fn|function|impl|struct|interface"
    r"|trait)\b|(?:public|private|protected)\b.*\()"
)


def _around(above: Sequence[str]) -> list[str]:
    """The head of the definition that the cursor is in: its signature, and a docstring behind it
    once that is closed.
    """
    for number in range(len(above) - 1, max(-1, len(above) - 400), -1):
        if not _HEAD.match(above[number]) or above[number].lstrip().startswith("@"):
            continue
        end = number
        while end + 1 < len(above) and end - number < _HEAD_LINES:
            if above[end].rstrip().endswith((":", "{", ";", "}")):
                break
            end += 1
        head = list(above[number : end + 1])
        documented = above[end + 1 : end + 1 + _HEAD_LINES]
        return head + _docstring(documented)
    return []


def _docstring(lines: Sequence[str]) -> list[str]:
    """The lines of a docstring that begins on the first line; none if it is not closed."""
    if not lines:
        return []
    opening = re.match(r"\s*[rRuU]?(\"\"\"|''')", lines[0])
    if opening is None:
        return []
    marks = 0
    for number, line in enumerate(lines):
        marks += line.count(opening[1])
        if marks >= 2:
            return list(lines[: number + 1])
    return []
