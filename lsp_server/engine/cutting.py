"""Where a text may be cut so that its parts have the tokens of the whole. Pure.

A byte-pair vocabulary splits text into words by a regular expression and merges inside words alone.
No expression that is in use lets a word go on from an ASCII letter or digit into a line's end.
(Others places are no such borders: Qwen's words have ``:`` and the line's end in one.)
"""

import re
from collections.abc import Iterator

_BORDER = re.compile(rb"\n(?<=[A-Za-z0-9]\n)|\r\n(?<=[A-Za-z0-9]\r\n)")
"""Begins with what it is searched by; a word's end stands left of it."""


def parts(text: bytes) -> Iterator[bytes]:
    """A text in parts of a line or a few.

    Where they end depends on the text around alone: adding to the end changes the last one, and a
    text that begins farther down has the same parts from there on.
    """
    start = 0
    for border in _BORDER.finditer(text):
        yield text[start : border.start()]
        start = border.start()
    if start < len(text):
        yield text[start:]
