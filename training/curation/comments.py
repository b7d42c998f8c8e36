"""Where comments are, line by line, in every language that is learnt; pure, and no parser.

A marker inside a string is taken for a comment: good enough for shares of lines and for what
stands at a file's top, and not meant for more.
"""

import re
from collections.abc import Iterator

from ..corpus.filters import NOTICE

HASH = frozenset({"python", ""})
"""Languages whose comments begin with a number sign; the others have C's."""
_HASH_COMMENT = re.compile(r"#[^\n]*")
_C_COMMENT = re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_OPEN, _CLOSE = "/*", "*/"


def comment_lines(text: str, language: str) -> Iterator[tuple[int, int, bool]]:
    """(start, end behind the newline, is a comment) of each line that is not blank."""
    start, inside = 0, False
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        line = text[start:end].strip()
        if language in HASH:
            comment = line.startswith("#")
        else:
            comment = inside or line.startswith((_OPEN, "//"))
            if inside or line.startswith(_OPEN):
                _, closed, rest = line.partition(_CLOSE)
                comment = not _C_COMMENT.sub("", rest).strip()
                inside = not closed or rest.rfind(_OPEN) > rest.rfind(_CLOSE)
        if line:
            yield start, end, comment
        start = end


def comment_share(text: str, language: str) -> float:
    """The share of comments among the lines that are not blank; 0 of an empty text."""
    kinds = [comment for _, _, comment in comment_lines(text, language)]
    return sum(kinds) / max(len(kinds), 1)


def top_comments(text: str, language: str) -> Iterator[tuple[int, int]]:
    """The spans of the comments before the first line of code; a blank line parts two of them."""
    start = end = -1
    for line, behind, comment in comment_lines(text, language):
        if not comment:
            break
        closed = text[start:end].rstrip().endswith(_CLOSE) and language not in HASH
        if start >= 0 and (line > end or closed):
            yield start, end
            start = -1
        start, end = (line if start < 0 else start), behind
    if start >= 0:
        yield start, end


def licence_end(text: str, language: str) -> int:
    """Where the text begins behind its licence notice and blank lines; 0 if it has no notice.

    What a file says of itself in a comment behind the notice stays; what stands before the notice
    (an interpreter's line, an encoding) goes with it.
    """
    behind = max((end for start, end in top_comments(text, language)
                  if NOTICE.search(text, start, end)), default=0)  # fmt: skip
    while text.startswith("\n", behind) and behind:
        behind += 1
    return behind


def without_comments(text: str, language: str) -> str:
    """The text without what its language takes for comments."""
    return (_HASH_COMMENT if language in HASH else _C_COMMENT).sub("", text)
