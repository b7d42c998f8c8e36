"""Whether somebody is writing prose: a comment, or a text inside quotes. Pure, approximate."""

import re

from .brackets import open_quote
from .languages import LINE_MARKS, PYTHON, TEXT, Language, language_of
from .lines import line_before

WINDOW = 16_384
"""Characters before the cursor that are read for an open comment or text of several lines."""
WORDS = 3
"""So many words in a row are a sentence, and no name, path or format."""
_CODE = re.compile(
    r"[=;{}<>|]|\w[(\[]|[)\]]\s*\Z|\A\s*(?:import|from|return|if|for|def|let)\b.*[:.(]"
)
_SENTENCE = re.compile(rf"(?:[^\W\d_][\w'’-]*[,:]?\s+){{{WORDS - 1}}}")
_MARK = re.compile("|".join(sorted(map(re.escape, LINE_MARKS))))
_ITEM = " \t#>*+-|_.)0123456789"
"""What a line of a text begins with before its words: a heading's, a list's or a quotation's."""
_QUOTED = re.compile(r"""#[^\n]*|"{3}|'{3}|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?""", re.DOTALL)
"""A comment, the begin of a text of several lines, or a text of one, in Python."""
_TOP_LEVEL = re.compile(
    r"^(?:@|(?:async )?def |class |import |from |[A-Za-z_]\w* = )", re.MULTILINE
)


def is_prose(before: str, path: str) -> bool:
    """Whether the text before the cursor ends in a sentence of a comment or of a quoted text.

    A comment that has just begun, one that has come to its end and one that holds code are none:
    code may follow, which is what completions are for.
    """
    line, language = line_before(before), language_of(path, before)
    if language is TEXT:  # where an apostrophe opens no quotation
        return _is_sentence(line.lstrip(_ITEM))
    comment = _comment(line, language)
    if comment is not None:
        return _is_sentence(comment)
    if language is PYTHON and (quotes := _open_triple_quotes(before)):
        return ">>>" not in line and _is_sentence(line.rpartition(quotes)[2])
    if (quote := open_quote(line)) is not None:
        return _is_sentence(line.rpartition(quote)[2])
    return _in_block_comment(before, language)


def _comment(line: str, language: Language) -> str | None:
    """The text of a comment that runs to the line's end, if the cursor stands in one."""
    for match in _MARK.finditer(line):
        at = match.start()
        if at and not line[at - 1].isspace():
            continue
        mark = language.mark_at(line, at)
        if mark and open_quote(line[:at]) is None:
            return line[at + len(mark) :].lstrip("/!#-;%")
    return None


def _is_sentence(text: str) -> bool:
    """Whether words stand in a row, and neither code among them nor a full stop behind them."""
    ended = text.rstrip().endswith((".", ":", "!", "?"))
    return not ended and _CODE.search(text) is None and _SENTENCE.match(text.lstrip()) is not None


def _open_triple_quotes(before: str) -> str:
    """The quotes of a Python text of several lines that is open, read from a line that begins a
    statement; "" if none is.
    """
    tail = before[-WINDOW:]
    if '"""' not in tail and "'''" not in tail:
        return ""
    start = _TOP_LEVEL.search(tail) if len(tail) < len(before) else None
    position = start.start() if start else 0
    while found := _QUOTED.search(tail, position):
        position = found.end()
        if found.group() in {'"""', "'''"}:
            end = tail.find(found.group(), position)
            if end < 0:
                return found.group()
            position = end + len(found.group())
    return ""


def _in_block_comment(before: str, language: Language) -> bool:
    """Whether a sentence of a longer comment is being written; a line of one may begin with a
    star.
    """
    tail = before[-WINDOW:]
    for mark, end in language.blocks:
        began = tail.rfind(mark)
        if began >= 0 and tail.find(end, began) < 0:
            text = tail[began + len(mark) :]
            return _is_sentence(line_before(text).lstrip(" \t*!"))
    return False
