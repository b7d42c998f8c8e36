"""Whether Python could read on after an answer; the parser is the interpreter's own. Pure."""

import re
import warnings
from dataclasses import replace

from ..brackets import open_quote
from ..extent import only_closers
from ..reasons import Reason
from .draft import Draft

LONGEST = 12_000
"""Characters that are parsed at most: about 300 lines, some 3 ms."""
_INCOMPLETE = 0x4000  # codeop.PyCF_ALLOW_INCOMPLETE_INPUT, which typeshed does not know
_STOP = "from __future__ import tenon\n"
_STOPPED = "future feature tenon is not defined"
"""The first thing that the compiler looks at once the parser has read all: so it ends there. Asked
for a tree instead, it makes objects of all of it, which takes longer than to parse."""
_STATEMENT = re.compile(r"^(?!(?:else|elif|except|finally)\b)[A-Za-z_@]", re.MULTILINE)


def drop_syntax_error(draft: Draft) -> Draft | Reason:
    """Leave out lines from the first on that Python cannot read; nothing is left if that is the
    answer's first.

    Read is the statement at the margin above the cursor's line, with the line and the answer behind
    it: what is still open there may be closed later. Nothing is said where text stands right of the
    cursor (but what an editor closed by itself), nor where Python cannot read the statement without
    the answer, as another version's or one whose last line stands at a wrong margin.
    """
    rest = draft.rest[draft.replace :]
    above = _statement_above(draft)
    if not draft.is_python or not draft.finished or not only_closers(rest) or above is None:
        return draft
    if rest and open_quote(draft.line):
        return draft
    lines = draft.text.split("\n")
    for count in range(len(lines), 0, -1):
        kept = "\n".join(lines[:count])
        closed = rest if count == len(lines) else ""
        # `if f(‸)` may get its colon later.
        if kept.strip() and _is_readable(above + draft.line + kept + closed, open_end=bool(closed)):
            return draft if count == len(lines) else replace(draft, text=kept)
    margin = draft.line[: len(draft.line) - len(draft.line.lstrip())]
    return Reason.SYNTAX if _is_readable(above) and _may_stand(above, margin) else draft


def _statement_above(draft: Draft) -> str | None:
    """The last statement that begins at the margin above the cursor's line; None if it is long."""
    end = len(draft.before) - len(draft.line)
    start = 0
    for match in _STATEMENT.finditer(draft.before, max(0, end - LONGEST), end):
        start = match.start()
    return draft.before[start:end] if end - start <= LONGEST else None


def _may_stand(above: str, margin: str) -> bool:
    """Whether a line may begin at that margin."""
    return not isinstance(_fault(f"{above}{margin}pass"), IndentationError)


def _is_readable(source: str, *, open_end: bool = False) -> bool:
    """Whether source is Python or its beginning; with ``open_end`` a colon may still come."""
    fault = _fault(source)
    if fault is None or fault.msg == "incomplete input":
        return True
    return open_end and fault.msg == "expected ':'"


def _fault(source: str) -> SyntaxError | None:
    """What Python finds wrong with lines; None too for what no parser can be asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(f"{_STOP}{source}\n", "<answer>", "exec", _INCOMPLETE, dont_inherit=True)
        except SyntaxError as error:
            return None if error.msg == _STOPPED else error
        except (ValueError, RecursionError, MemoryError):
            return None
    return None
