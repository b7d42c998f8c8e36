"""Which pieces of an answer travel together: each of its own costs both processes half a
millisecond, while llama.cpp wants every core. Pure.
"""

from typing import Generic, TypeVar

Score = TypeVar("Score")


class Held(Generic[Score]):
    """Collects the pieces of one answer until they are due.

    Held back is only what stands inside a line, for at most ``hold_ms`` milliseconds after the
    last piece was due: who reads may want to end the answer where a line ends, or by how the next
    one begins. With 0 every piece is due at once.
    """

    def __init__(self, hold_ms: float) -> None:
        self._hold_ms = hold_ms
        self._text = ""
        self._scores: list[Score] = []
        self._released_ms = 0.0
        self._is_blank = False
        """Whether the current line has only white space so far; not before the first newline."""

    def add(self, text: str, score: Score, now_ms: float) -> bool:
        """Take one token's text and score; returns whether all that is held is due."""
        self._text += text
        self._scores.append(score)
        line = text.rpartition("\n")[2]
        is_due = self._is_blank or "\n" in text or now_ms - self._released_ms >= self._hold_ms
        self._is_blank = not line.strip() and (self._is_blank or "\n" in text)
        if is_due:
            self._released_ms = now_ms
        return is_due

    def take(self) -> tuple[str, tuple[Score, ...]]:
        """What is held; nothing is held afterwards."""
        text, scores = self._text, tuple(self._scores)
        self._text = ""
        self._scores.clear()
        return text, scores
