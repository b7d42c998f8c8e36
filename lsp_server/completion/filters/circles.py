"""Answers that go round in a circle. Pure."""

from ..reasons import Reason
from .draft import Draft
from .similar import is_periodic, is_telling

REPEATED_LINES = 3
"""So many equal lines in a row are no code that anybody wants."""


def drop_repetition(draft: Draft) -> Draft | Reason:
    """Nothing is left of an answer that goes round in a circle."""
    lines = [line.strip() for line in draft.text.split("\n") if line.strip()]
    for number in range(len(lines) - REPEATED_LINES + 1):
        repeated = set(lines[number : number + REPEATED_LINES])
        if len(repeated) == 1 and is_telling(lines[number]):
            return Reason.FILTERED_REPETITION
    return Reason.FILTERED_REPETITION if is_periodic(draft.text.rstrip()) else draft
