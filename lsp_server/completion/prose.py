"""Whether somebody is writing prose: a comment, or a text inside quotes. Pure, approximate."""

import re

from .brackets import open_quote
from .lines import line_before

WINDOW = 16_384
"""Characters before the cursor that are read for an open comment or text of several lines."""
WORDS = 3
"""So many words in a row are a sentence, and no name, path or format."""
_COMMENTS = {
    "#": frozenset(
        ("py", "pyi", "rb", "sh", "bash", "zsh", "yaml", "yml", "toml", "r", "pl", "ex")
    ),
    "--": frozenset(("lua", "sql", "hs", "elm", "adb")),
}
_SLASHES = "//"
_PYTHON = frozenset(("py", "pyi"))
_CODE = re.compile(
    r"[=;{}<>|]|\w[(\[]|[)\]]\s*\Z|\A\s*(?:import|from|return|if|for|def|let)\b.*[:.(]"
)
_SENTENCE = re.compile(rf"(?:[^\W\d_][\w'’-]*[,:]?\s+){{{WORDS - 1}}}")
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
    line = line_before(before)
    kind = path.rpartition(".")[2].lower()
    comment = _comment(line, kind)
    if comment is not None:
        return _is_sentence(comment)
    if kind in _PYTHON and _in_triple_quotes(before):
        return ">>>" not in line and _CODE.search(line) is None
    if (quote := open_quote(line)) is not None:
        return _is_sentence(line.rpartition(quote)[2])
    return kind not in _PYTHON and _in_block_comment(before, line)


def _comment(line: str, kind: str) -> str | None:
    """The text of a comment that runs to the line's end, if the cursor stands in one."""
    mark = next((mark for mark, kinds in _COMMENTS.items() if kind in kinds), _SLASHES)
    at = line.find(mark)
    while at >= 0:
        if open_quote(line[:at]) is None and (at == 0 or line[at - 1].isspace()):
            return line[at + len(mark) :].lstrip("/!#-")
        at = line.find(mark, at + 1)
    return None


def _is_sentence(text: str) -> bool:
    """Whether words stand in a row, and neither code among them nor a full stop behind them."""
    ended = text.rstrip().endswith((".", ":", "!", "?"))
    return not ended and _CODE.search(text) is None and _SENTENCE.match(text.lstrip()) is not None


def _in_triple_quotes(before: str) -> bool:
    """Whether a Python text of several lines is open, read from a line that begins a statement."""
    tail = before[-WINDOW:]
    if '"""' not in tail and "'''" not in tail:
        return False
    start = _TOP_LEVEL.search(tail) if len(tail) < len(before) else None
    position = start.start() if start else 0
    while found := _QUOTED.search(tail, position):
        position = found.end()
        if found.group() in {'"""', "'''"}:
            end = tail.find(found.group(), position)
            if end < 0:
                return True
            position = end + len(found.group())
    return False


def _in_block_comment(before: str, line: str) -> bool:
    """Whether a C comment is open; its lines begin with a star or stand in it."""
    tail = before[-WINDOW:]
    began = tail.rfind("/*")
    return began >= 0 and tail.find("*/", began) < 0 and _is_sentence(line.lstrip(" \t*/"))
