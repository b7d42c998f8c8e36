"""Where an answer ends: at a control token, its extent, the last whole line. Pure."""

from dataclasses import replace

from ..extent import end_of
from ..reasons import Reason
from .draft import Draft


def cut_control_text(draft: Draft) -> Draft:
    """End at a control token that a model spelt out as text."""
    found = [at for stop in draft.stops if (at := draft.text.find(stop)) >= 0]
    return replace(draft, text=draft.text[: min(found)]) if found else draft


def cut_at_extent(draft: Draft) -> Draft:
    """End where the line or block ends."""
    end = end_of(draft.extent, draft.before, draft.text, draft.max_lines)
    return draft if end is None else replace(draft, text=draft.text[:end], finished=True)


def drop_unfinished_line(draft: Draft) -> Draft:
    """Leave out a last line that the token limit cut off, if whole lines stand before it."""
    whole, newline, _ = draft.text.rpartition("\n")
    if draft.finished or not newline or not whole.strip():
        return draft
    return replace(draft, text=whole, finished=True)


def trim(draft: Draft) -> Draft:
    """Leave out white space at the end."""
    return replace(draft, text=draft.text.rstrip())


def drop_blank(draft: Draft) -> Draft | Reason:
    """White space alone is no answer."""
    return draft if draft.text.strip() else Reason.EMPTY
