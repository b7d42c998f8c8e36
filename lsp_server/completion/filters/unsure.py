"""An answer goes as far as the model was sure of it. Pure."""

from dataclasses import replace

from ..confidence import log_probability
from ..reasons import Reason
from .draft import Draft


def cut_unsure_lines(draft: Draft) -> Draft | Reason:
    """End before the line that makes the answer too unlikely; nothing is left if it is the first.

    See :attr:`Draft.least_confidence`.
    """
    if draft.least_confidence is None:
        return draft
    start, text = 0, draft.text.rstrip()
    for line in text.split("\n"):  # a form feed or U+2028 ends no line
        end = start + len(line)
        if line.strip():
            found = log_probability(draft.scores, end)
            if found is not None and found < draft.least_confidence:
                kept = text[:start].rstrip()
                return replace(draft, text=kept) if kept else Reason.UNSURE
        start = end + 1
    return draft
