"""Should a keystroke be answered at all? A pure function of the text around the cursor."""

import re

from .brackets import unmatched_closers
from .lines import is_blank, is_word, line_before, rest_of_line
from .prose import is_prose
from .reasons import Reason

_GOES_ON = re.compile(
    r"\s*(?:[}\])]*\s*)?(?:async|await|case|catch|class|constexpr|def|do|elif|else|enum|except|export|"
    r"extern|fn|for|foreach|fun|func|function|get|if|impl|interface|lambda|loop|macro|match|module|"
    r"namespace|override|private|protected|pub|public|set|static|struct|sub|switch|template|trait|"
    r"try|type|union|unless|until|unsafe|virtual|void|when|where|while|with)\b"
)
"""What a line begins with that has more to come behind its brackets."""


def refusal(
    before: str, after: str, *, automatic: bool, path: str = "", deleting: bool = False
) -> Reason | None:
    """Why not to ask the engine, or None to ask.

    ``before`` and ``after`` are the document on either side of the cursor, ``path`` tells its
    language, ``deleting`` is whether the last edit took text away here. Only automatic requests
    are refused for taste; a user who asks by hand gets an answer wherever there is one.
    """
    if is_blank(before) and is_blank(after):
        return Reason.BLANK_DOCUMENT
    if not automatic:
        return None
    if after and is_word(after[0]):
        return Reason.MID_WORD
    if deleting:
        return Reason.DELETING
    if not rest_of_line(after).strip() and (ended := _ended(line_before(before))):
        return ended
    return Reason.PROSE if is_prose(before, path) else None


def _ended(line: str) -> Reason | None:
    if line.endswith(";"):
        return Reason.STATEMENT_ENDED
    return Reason.BRACKET_CLOSED if _is_closed(line) else None


def _is_closed(line: str) -> bool:
    """Whether a line ends in the bracket that closes it: a call that is complete, not a head; or
    whether a block ends with it.
    """
    if line.strip() == "}":
        return True
    if not line.endswith((")", "]", "}")) or _GOES_ON.match(line):
        return False
    opened = sum(map(line.count, "([{"))
    closed = sum(map(line.count, ")]}"))
    return opened == closed > 0 and not unmatched_closers("", line)
