"""Where a text may be cut so that its parts have the tokens of the whole. Pure.

A byte-pair vocabulary splits text into words by a regular expression and merges inside words alone.
No expression that is in use lets a word go on from an ASCII letter or digit into a line's end.
(Others places are no such borders: Qwen's words have ``:`` and the line's end in one.)
"""

import re
from collections.abc import Iterator

PART = 384
"""Bytes of a part, at least: while somebody types, only the last part is new."""
_BORDER = re.compile(rb"(?<=[A-Za-z0-9])(?=\r?\n)")


def parts(text: bytes) -> Iterator[bytes]:
    """A text in parts of some hundred bytes; adding to its end changes the last one alone."""
    start = 0
    while border := _BORDER.search(text, start + PART):
        yield text[start : border.start()]
        start = border.start()
    if start < len(text):
        yield text[start:]
