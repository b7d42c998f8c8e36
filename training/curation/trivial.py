"""Which docstring/implementation pairs teach nothing; pure."""

import re

from ..outlines.parts import Outline, Pair
from .comments import without_comments

LEAST_LINES, MOST_LINES = 2, 60
"""Lines of a body that hold a word outside of comments."""
LEAST_WORDS = 5
"""A docstring of fewer words says what the name says; the pair counts as undocumented."""

_WORD = re.compile(r"\w")
_EDGES = " \t\f\n{};"
_STUB = re.compile(
    r"(?:pass|\.\.\.|return(?: (?:None|NotImplemented|null|nil|undefined|self|this))?)\Z"
    r"|(?:raise|throw)\b|(?:panic|todo|unimplemented|unreachable)!?\s*\("
)
_OBJECT = r"(?:self|this|cls|[a-z])(?:\.|->)"
_ACCESSOR = re.compile(
    rf"return\s+[&*]*(?:{_OBJECT})?\w+(?:\.clone\(\))?\Z"
    rf"|[&*]*{_OBJECT}\w+(?:\.clone\(\))?\Z"
    rf"|{_OBJECT}\w+\s*=\s*\w+(?:\s*;?\s*return\s+(?:self|this))?\Z"
)


def documented(pair: Pair) -> bool:
    """Whether the docstring says enough to write the body from."""
    return len(pair.docstring.split()) >= LEAST_WORDS


def refused_pair(pair: Pair, outline: Outline, language: str) -> str | None:
    """Why a pair is not learnt as one, or None."""
    start, end = pair.body
    body = without_comments(outline.text[start:end], language).strip(_EDGES)
    if not body:
        return "empty body"
    if _STUB.match(body) and _one_statement(body):
        return "stub"
    if _ACCESSOR.match(body):
        return "accessor"
    lines = sum(1 for line in body.split("\n") if _WORD.search(line))
    if lines < LEAST_LINES:
        return "short body"
    return "long body" if lines > MOST_LINES else None


def _one_statement(body: str) -> bool:
    """Whether the later lines stand in brackets that the first one opened."""
    depth = 0
    first, *others = body.split("\n")
    for line, following in zip((first, *others), others, strict=False):
        depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if depth <= 0 and following.strip():
            return False
    return True
