"""An answer must not say what stands there already, below the cursor or right of it. Pure."""

from dataclasses import replace

from ..brackets import unmatched_closers
from ..extent import only_closers
from ..reasons import Reason
from .draft import Draft
from .similar import is_telling, same_line

LINES_COMPARED = 3


def cut_at_text_below(draft: Draft) -> Draft | Reason:
    """End before a line that already stands below the cursor; nothing is left if it is the first.

    A first line counts together with what stands left of the cursor. A line that is equal to the
    one below up to its indentation ends the answer whatever follows it; one that is merely similar
    does if what follows it is similar too.
    """
    below = _following_lines(draft.after)
    if draft.rest.strip() or not below or not is_telling(below[0]):
        return draft
    lines = draft.text.split("\n")
    first = 0 if lines[0].strip() else 1  # else the line is the user's own
    lines[0] = draft.line + lines[0]
    for number, line in enumerate(lines[first:], first):
        if not line.strip():
            continue
        rest = [entry for entry in lines[number:] if entry.strip()][:LINES_COMPARED]
        alike = all(same_line(*pair) for pair in zip(rest, below, strict=False))
        if not (alike and len(rest) <= len(below)) and line.rstrip() != below[0].rstrip():
            continue
        kept = "\n".join(draft.text.split("\n")[:number])
        return replace(draft, text=kept) if kept.strip() else Reason.DUPLICATE
    return draft


def strip_overlap(draft: Draft) -> Draft:
    """Leave out an end that is how the rest of the cursor's line begins.

    A closing bracket or quote is left out only if the answer did not open it. Where such a
    bracket stands in the middle (``a, b):`` before ``)``), the answer takes the rest's place.
    """
    rest, text = draft.rest.rstrip(), draft.text.rstrip()
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
    for size in range(min(len(rest), len(text)), 0, -1):
        if text.endswith(rest[:size]) and len(unmatched_closers(draft.line, text)) >= _weight(
            rest[:size]
        ):
            return replace(draft, text=text[:-size])
    unmatched = unmatched_closers(draft.line, text)
    brackets = "".join(character for character in rest if character in ")]}\"'`")
    if brackets and unmatched.startswith(brackets) and len(rest) == len(brackets):
        return replace(draft, text=text, replace=len(rest))
    return draft


def _weight(closers: str) -> int:
    """How many brackets and quotes an answer must have closed to own these characters."""
    return sum(character in ")]}\"'`" for character in closers)


def drop_text_after(draft: Draft) -> Draft | Reason:
    """Nothing is left of an answer that only says what stands right of the cursor."""
    rest = draft.rest.strip()
    if rest and not only_closers(rest) and same_line(draft.text, rest):
        return Reason.DUPLICATE
    return draft


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
