"""Answers that say nothing: a comment that nobody began. Pure."""

from ..lines import line_before
from ..reasons import Reason
from .draft import Draft


def drop_comment(draft: Draft) -> Draft | Reason:
    """Nothing is left of an answer that is comments alone where the line above is none."""
    lines = [line.strip() for line in (draft.line + draft.text).split("\n") if line.strip()]
    if not draft.automatic or draft.line.strip():
        return draft
    if not all(line.startswith(("#", "//", "/*")) for line in lines):
        return draft
    above = line_before(draft.before.rstrip()).strip()
    return draft if above.startswith(("#", "//", "/*", "*")) else Reason.NOISE
