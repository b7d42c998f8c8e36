"""Which closing brackets and quotes a piece of text owes to text before it. Pure, approximate.

No parser: strings of any language are read as runs between equal quotes on one line, which is
enough to tell an answer's own brackets from the ones that the editor has already closed.
"""

from collections.abc import Iterator

_PAIRS = {")": "(", "]": "[", "}": "{"}
CLOSER_OF = {opener: closer for closer, opener in _PAIRS.items()}
OPENERS = frozenset(CLOSER_OF)
CLOSERS = frozenset(_PAIRS)
QUOTES = frozenset("\"'`")


def unmatched_closers(line_before: str, text: str) -> str:
    """The closers in ``text`` whose openers are not in it, in order.

    ``line_before`` is the cursor's line up to the cursor: it tells whether a string is open.
    """
    inherited = None if is_interpolating(line_before) else open_quote(line_before)
    quote = inherited
    stack: list[str] = []
    unmatched: list[str] = []
    for character in _unescaped(text):
        if quote is not None:
            if character == quote:
                unmatched += inherited or ""
                quote = inherited = None
        elif character in QUOTES:
            quote = character
        elif character in OPENERS:
            stack.append(character)
        elif character in _PAIRS:
            if stack and stack[-1] == _PAIRS[character]:
                stack.pop()
            else:
                unmatched.append(character)
    return "".join(unmatched)


def open_quote(line: str) -> str | None:
    """The quote of the string that a line leaves open, or None."""
    return _state(line)[0]


def is_interpolating(line: str) -> bool:
    """Whether a line leaves braces open in a string: there stands code, in many languages."""
    return _state(line)[1] > 0


def _state(line: str) -> tuple[str | None, int]:
    """The quote of the string that a line leaves open, and how many braces it does in it."""
    quote: str | None = None
    braces = 0
    for character in _unescaped(line):
        if quote is None:
            quote, braces = (character if character in QUOTES else None), 0
        elif character == quote:
            quote, braces = None, 0
        else:
            braces += (character == "{") - (character == "}")
    return quote, braces


def _unescaped(text: str) -> Iterator[str]:
    """The characters that no backslash stands before."""
    escaped = False
    for character in text:
        if not escaped and character != "\\":
            yield character
        escaped = character == "\\" and not escaped
