"""Answers that say nothing: a comment that nobody began. Pure."""

from ..lines import line_before
from ..reasons import Reason
from .draft import Draft


def drop_comment(draft: Draft) -> Draft | Reason:
    """Nothing is left of an answer that is comments alone where the line above is none."""
    if not draft.automatic or draft.line.strip():
        return draft
    language = draft.language
    lines = [line.strip() for line in draft.text.split("\n") if line.strip()]
    if not all(map(language.begins_comment, lines)):
        return draft
    above = line_before(draft.before.rstrip()).strip()
    goes_on = language.begins_comment(above) or (language.blocks and above.startswith("*"))
    return draft if goes_on else Reason.NOISE
