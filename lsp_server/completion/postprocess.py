"""From what the model wrote to what the editor shows: pure filters, one function each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from .brackets import unmatched_closers
from .extent import Extent, end_of, only_closers
from .reasons import Reason
from .similar import is_periodic, is_telling, same_line
from .trigger import line_before, rest_of_line

LINES_COMPARED = 3
REPEATED_LINES = 3
"""So many equal lines in a row are no code that anybody wants."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer on its way through the filters.

    ``finished`` is false where the model was cut off by the token limit. ``stops`` are the
    family's control tokens. ``replace`` counts the characters right of the cursor, on its line,
    that the answer takes the place of.
    """

    text: str
    before: str
    after: str
    extent: Extent
    max_lines: int
    finished: bool = True
    stops: Sequence[str] = ()
    replace: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is left of an answer: text to insert, or the reason why none is.

    ``steps`` name the filters that changed it, or dropped it, in words.
    """

    text: str
    reason: Reason
    replace: int = 0
    steps: tuple[str, ...] = field(default=(), compare=False)


Filter = Callable[[Draft], Draft | Reason]


def postprocess(draft: Draft) -> Outcome:
    """Run every filter in order; the first reason ends it."""
    steps: list[str] = []
    for apply in FILTERS:
        result = apply(draft)
        steps += _told(apply, draft, result)
        if isinstance(result, Reason):
            return Outcome("", result, steps=tuple(steps))
        draft = result
    return Outcome(draft.text, Reason.SHOWN, draft.replace, tuple(steps))


def _told(apply: Filter, before: Draft, after: Draft | Reason) -> list[str]:
    """What a filter did, if anything: its name says which it is, and a number how much."""
    name = apply.__name__.replace("_", " ")
    if isinstance(after, Reason):
        return [f"{name}: nothing is left"]
    if cut := len(before.text) - len(after.text):
        return [f"{name}: {cut} {_characters(cut)} left out"]
    if after.replace != before.replace:
        return [f"{name}: takes the place of {after.replace} {_characters(after.replace)}"]
    return []


def _characters(count: int) -> str:
    return "character" if count == 1 else "characters"


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
    return replace(draft, text=whole)


def cut_at_text_below(draft: Draft) -> Draft | Reason:
    """End before a line that already stands below the cursor; nothing is left if it is the first.

    A first line counts together with what stands left of the cursor.
    """
    below = _following_lines(draft.after)
    if rest_of_line(draft.after).strip() or not below or not is_telling(below[0]):
        return draft
    lines = draft.text.split("\n")
    lines[0] = line_before(draft.before) + lines[0]
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        rest = [entry for entry in lines[number:] if entry.strip()][: len(below)]
        if not all(same_line(*pair) for pair in zip(rest, below, strict=False)):
            continue
        kept = "\n".join(draft.text.split("\n")[:number])
        return replace(draft, text=kept) if kept.strip() else Reason.DUPLICATE
    return draft


def strip_overlap(draft: Draft) -> Draft:
    """Leave out an end that is how the rest of the cursor's line begins.

    A closing bracket or quote is left out only if the answer did not open it. Where such a
    bracket stands in the middle (``a, b):`` before ``)``), the answer takes the rest's place.
    """
    rest = rest_of_line(draft.after).rstrip()
    text = draft.text.rstrip()
    if not rest or "\n" in text:
        return draft
    if only_closers(rest):
        return _strip_closers(draft, text, rest)
    longest = min(len(rest), len(text))
    for size in range(longest, 0, -1):
        overlap = rest[:size]
        if text.endswith(overlap) and (size == len(rest) or is_telling(overlap)):
            return replace(draft, text=text[:-size])
    return draft


def _strip_closers(draft: Draft, text: str, rest: str) -> Draft:
    line = line_before(draft.before)
    for size in range(min(len(rest), len(text)), 0, -1):
        if text.endswith(rest[:size]) and len(unmatched_closers(line, text)) >= _weight(
            rest[:size]
        ):
            return replace(draft, text=text[:-size])
    unmatched = unmatched_closers(line, text)
    brackets = "".join(character for character in rest if character in ")]}\"'`")
    if brackets and unmatched.startswith(brackets) and len(rest) == len(brackets):
        return replace(draft, text=text, replace=len(rest))
    return draft


def _weight(closers: str) -> int:
    """How many brackets and quotes an answer must have closed to own these characters."""
    return sum(character in ")]}\"'`" for character in closers)


def drop_text_after(draft: Draft) -> Draft | Reason:
    """Nothing is left of an answer that only says what stands right of the cursor."""
    rest = rest_of_line(draft.after).strip()
    if rest and not only_closers(rest) and same_line(draft.text, rest):
        return Reason.DUPLICATE
    return draft


def drop_echo(draft: Draft) -> Draft | Reason:
    """Nothing is left of an answer whose first line is the line above once more."""
    line = line_before(draft.before)
    above = draft.before[: len(draft.before) - len(line)].rstrip()
    first, _, _ = (line + draft.text).strip().partition("\n")
    if is_telling(first) and first.strip() == line_before(above).strip():
        return Reason.ECHO
    return draft


def drop_repetition(draft: Draft) -> Draft | Reason:
    """Nothing is left of an answer that goes round in a circle."""
    lines = [line.strip() for line in draft.text.split("\n") if line.strip()]
    for number in range(len(lines) - REPEATED_LINES + 1):
        repeated = set(lines[number : number + REPEATED_LINES])
        if len(repeated) == 1 and is_telling(lines[number]):
            return Reason.FILTERED_REPETITION
    return Reason.FILTERED_REPETITION if is_periodic(draft.text.rstrip()) else draft


def trim(draft: Draft) -> Draft:
    """Leave out white space at the end."""
    return replace(draft, text=draft.text.rstrip())


def drop_blank(draft: Draft) -> Draft | Reason:
    """White space alone is no answer."""
    return draft if draft.text.strip() else Reason.EMPTY


FILTERS: tuple[Filter, ...] = (
    cut_control_text,
    cut_at_extent,
    drop_unfinished_line,
    drop_blank,
    cut_at_text_below,
    drop_text_after,
    strip_overlap,
    drop_echo,
    drop_repetition,
    trim,
    drop_blank,
)


def _following_lines(after: str) -> list[str]:
    """The next lines with text below the cursor's own."""
    lines: list[str] = []
    position = after.find("\n")
    while position >= 0 and len(lines) < LINES_COMPARED:
        end = after.find("\n", position + 1)
        line = after[position + 1 : end if end >= 0 else len(after)]
        if line.strip():
            lines.append(line)
        position = end
    return lines
