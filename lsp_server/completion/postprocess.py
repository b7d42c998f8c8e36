"""From what the model wrote to what the editor shows: the filters, in their order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .confidence import Doubt
from .filters.balance import cut_at_surplus_closer
from .filters.beside import cut_at_text_below, drop_text_after, strip_overlap
from .filters.circles import drop_repetition
from .filters.draft import Draft, Filter
from .filters.ending import (
    cut_at_extent,
    cut_control_text,
    drop_blank,
    drop_unfinished_line,
    trim,
)
from .filters.noise import drop_comment
from .filters.python_syntax import drop_syntax_error
from .filters.unsure import cut_unsure_lines
from .reasons import Reason

__all__ = ["FILTERS", "Draft", "Filter", "Outcome", "postprocess"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is left of an answer: text to insert, or the reason why none is.

    ``steps`` name the filters that changed it, or dropped it, in words. With ``doubt``, ``text`` is
    not to be shown before that is gone; the reason is ``UNSURE``. ``cut`` is whether lines were
    left out that the model was unsure of.
    """

    text: str
    reason: Reason
    replace: int = 0
    steps: tuple[str, ...] = field(default=(), compare=False)
    doubt: Doubt | None = None
    cut: bool = field(default=False, compare=False)


FILTERS: tuple[Filter, ...] = (
    cut_control_text,
    cut_at_extent,
    drop_unfinished_line,
    drop_blank,
    cut_at_text_below,
    drop_text_after,
    strip_overlap,
    drop_repetition,
    cut_at_surplus_closer,
    drop_syntax_error,
    drop_comment,
    cut_unsure_lines,
    trim,
    drop_blank,
)


def postprocess(draft: Draft, filters: Sequence[Filter] = FILTERS) -> Outcome:
    """Run every filter in order; the first reason ends it."""
    steps: list[str] = []
    cut = False
    for number, apply in enumerate(filters, 1):
        result = apply(draft)
        steps += _told(apply, draft, result)
        if result is Reason.UNSURE and draft.least_confidence is not None:
            rest = postprocess(draft, filters[number:])
            doubt = Doubt(draft.scores, draft.least_confidence)
            return Outcome(rest.text, result, rest.replace, tuple(steps), doubt)
        if isinstance(result, Reason):
            return Outcome("", result, steps=tuple(steps))
        cut = cut or (apply is cut_unsure_lines and result is not draft)
        draft = result
    return Outcome(draft.text, Reason.SHOWN, draft.replace, tuple(steps), cut=cut)


def _told(apply: Filter, before: Draft, after: Draft | Reason) -> list[str]:
    """What a filter did, if anything: its name says which it is, and a number how much."""
    name = getattr(apply, "__name__", "filter").replace("_", " ")
    if isinstance(after, Reason):
        return [f"{name}: nothing is left"]
    if cut := len(before.text) - len(after.text):
        return [f"{name}: {cut} {_characters(cut)} left out"]
    if after.replace != before.replace:
        return [f"{name}: takes the place of {after.replace} {_characters(after.replace)}"]
    return []


def _characters(count: int) -> str:
    return "character" if count == 1 else "characters"
