"""Answers that go round in a circle. Pure."""

from collections.abc import Sequence

from ..reasons import Reason
from .draft import Draft
from .similar import is_periodic, is_telling

LOOKED_AT = 2000
"""Characters above the cursor in which the lines before it are looked for."""
REPEATED_LINES = 3
"""So many equal lines in a row are no code that anybody wants."""


def drop_repetition(draft: Draft) -> Draft | Reason:
    """Nothing is left of an answer that goes round in a circle, alone or with the lines above."""
    first, *others = draft.text.split("\n")
    above = draft.before[-LOOKED_AT:].split("\n")
    if first.strip():
        others.insert(0, above.pop() + first)
    # With two lines above, three in a row are never the user's alone.
    lines = [*_stripped(above)[1 - REPEATED_LINES :], *_stripped(others)]
    for number in range(len(lines) - REPEATED_LINES + 1):
        repeated = set(lines[number : number + REPEATED_LINES])
        if len(repeated) == 1 and is_telling(lines[number]):
            return Reason.FILTERED_REPETITION
    return Reason.FILTERED_REPETITION if is_periodic(draft.text.rstrip()) else draft


def _stripped(lines: Sequence[str]) -> list[str]:
    """The lines that have text."""
    return [line.strip() for line in lines if line.strip()]
