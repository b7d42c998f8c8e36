"""Token healing: what to do when the cursor stands inside what should be one token.

``retu|`` tokenises as ``ret`` + ``u``, and a model that was trained on ``return`` as one token
hardly ever continues ``u`` with ``rn``. So the tokens of the unfinished word are taken back, and
the answer is made to begin with their text. While the user types on inside a word the prompt then
stays the same, so that nothing is computed again. Idea: Guidance's token healing. Which families it
suits, and where in their prompt, says :attr:`lsp_server.prompt.formats.FimFormat.heals`.
"""

import re
from collections.abc import Sequence

_UNFINISHED = re.compile(rb"(?: ?[\w\x80-\xff]+|[ \t]+|.)\Z", re.DOTALL)
MAX_TOKENS = 8
"""An identifier of more tokens than this is not taken back whole: nothing would be left to keep."""


def tokens_to_take_back(pieces: Sequence[bytes]) -> int:
    """How many tokens at the prompt's end are taken back before the answer is generated.

    ``pieces`` are the bytes of the last tokens of the text before the cursor, in order. What is
    taken back begins with a whole character. It is at least one token (also ``(`` may be half of
    ``()``) and at most ``MAX_TOKENS``. It is none if there are none, if the text ends at a line
    start (the next line's indentation is the model's), or if all that could be taken lies inside
    one character.
    """
    last = pieces[-MAX_TOKENS:]
    tail = b"".join(last)
    match = _UNFINISHED.search(tail)
    if not match or tail.endswith(b"\n"):
        return 0
    wanted = len(match.group())
    taken = count = 0
    for piece in reversed(last):
        if taken >= wanted:
            break
        taken += len(piece)
        count += 1
    # A token may be a part of a character: neither a model nor an editor is to see half of one.
    while count and b"\x80" <= last[-count][:1] <= b"\xbf":
        count -= 1
    return count
