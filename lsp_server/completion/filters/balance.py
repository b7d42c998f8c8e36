"""An answer closes what is open at the cursor, and no more. Pure, approximate: no parser."""

import re
from collections.abc import Iterator
from dataclasses import replace

from ..brackets import CLOSER_OF, CLOSERS, OPENERS, QUOTES, open_quote
from ..languages import LINE_MARKS, Language
from ..reasons import Reason
from .draft import Draft

LOOKED_AT = 12_000
"""Characters before and after the cursor in which brackets are paired."""
_PLACES = re.compile("|".join((r"""\\.|[()\[\]{}"'`\n]""", *sorted(map(re.escape, LINE_MARKS)))))
_MARGIN = re.compile(r"^[A-Za-z_@]", re.MULTILINE)


def cut_at_surplus_closer(draft: Draft) -> Draft | Reason:
    """End before a closing bracket that nothing is open for, or that stands below already."""
    # Within a string nothing is to be balanced, and it is hard to see where it ends.
    due = None if open_quote(draft.line) else _due(draft)
    if due is None:
        return draft
    stack: list[str] = []
    for at, character in _brackets(draft.text, draft.language):
        if character in OPENERS:
            stack.append(CLOSER_OF[character])
            continue
        expected = stack.pop() if stack else due.pop() if due else ""
        if character != expected:
            kept = draft.text[:at]
            return replace(draft, text=kept) if kept.strip() else Reason.UNBALANCED
    return draft


def _due(draft: Draft) -> list[str] | None:
    """The closers that are still to be written at the cursor, the next one last.

    None where what is open before the cursor and what is closed after it do not fit together.
    """
    before, after = draft.before[-LOOKED_AT:], draft.after[draft.replace : LOOKED_AT]
    whole = len(draft.before) <= LOOKED_AT and len(draft.after) <= LOOKED_AT
    if draft.is_python:
        before, after, whole = *_statement(before, after), True
    if not whole:
        return None
    opened, stray = _unpaired(before, draft.language)
    _, closed = _unpaired(after, draft.language)
    if stray or len(closed) > len(opened):
        return None
    due = [CLOSER_OF[character] for character in opened]
    # The innermost come first: those that are closed below are at the beginning of the list.
    if due[: len(closed)] != closed[::-1]:
        return None
    return due[len(closed) :]


def _statement(before: str, after: str) -> tuple[str, str]:
    """The text around the cursor that belongs to its statement at the margin."""
    start = 0
    for match in _MARGIN.finditer(before):
        start = match.start()
    newline = after.find("\n")
    end = _MARGIN.search(after, newline + 1) if newline >= 0 else None
    return before[start:], after[: end.start()] if end else after


def _unpaired(text: str, language: Language) -> tuple[list[str], list[str]]:
    """Opening brackets without their closing ones, and closing ones without their opening ones."""
    opened: list[str] = []
    closed: list[str] = []
    for _, character in _brackets(text, language):
        if character in OPENERS:
            opened.append(character)
        elif opened and CLOSER_OF[opened[-1]] == character:
            opened.pop()
        else:
            closed.append(character)
    return opened, closed


def _brackets(text: str, language: Language) -> Iterator[tuple[int, str]]:
    """Brackets outside strings and comments with their places; a string ends with its line."""
    comment, quote = False, ""
    for match in _PLACES.finditer(text):
        sign = match.group()
        if sign == "\n":
            comment, quote = False, ""
        elif comment or sign[0] == "\\":
            continue
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in QUOTES:
            quote = sign
        elif sign in LINE_MARKS:
            comment = bool(language.mark_at(text, match.start()))
        elif sign in OPENERS or sign in CLOSERS:
            yield match.start(), sign
