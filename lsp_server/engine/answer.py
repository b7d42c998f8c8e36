"""From the bytes of generated tokens to text that may be shown: whole characters, stops removed."""

import codecs
from collections.abc import Sequence


class AnswerText:
    """Collects one answer; what it hands out is never taken back.

    ``required`` is text that healing made the model repeat: it is dropped from the beginning.
    ``stops`` end the answer and are not part of it. ``indent`` ends it before the first later line
    that is indented by fewer characters (llama.cpp's ``n_indent``).
    """

    def __init__(
        self, *, required: bytes = b"", stops: Sequence[str] = (), indent: int = 0
    ) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._to_drop = len(required)
        self._stops = [stop for stop in stops if stop]
        self._indent = indent
        self._pending = ""
        self.stopped = False
        self.has_newline = False
        self.has_line = False
        """Whether a newline stands behind text."""
        self._has_text = False

    def push(self, piece: bytes) -> str:
        """Add a token's bytes; returns the text that is now certain."""
        dropped = min(self._to_drop, len(piece))
        self._to_drop -= dropped
        return self._settle(self._decoder.decode(piece[dropped:]), final=False)

    def finish(self) -> str:
        """The rest, once no token follows."""
        return (
            "" if self.stopped else self._settle(self._decoder.decode(b"", final=True), final=True)
        )

    def _settle(self, addition: str, *, final: bool) -> str:
        if self.stopped:
            return ""
        self._pending += addition
        cut = min((at for stop in self._stops if (at := self._pending.find(stop)) >= 0), default=-1)
        dedent = self._dedent() if self._indent else -1
        if dedent >= 0 and (cut < 0 or dedent < cut):
            cut = dedent
        if cut >= 0:
            self.stopped = True
            return self._emit(cut)
        return self._emit(len(self._pending) if final else len(self._pending) - self._held())

    def _emit(self, length: int) -> str:
        text, self._pending = self._pending[:length], self._pending[length:]
        self.has_newline = self.has_newline or "\n" in text
        self.has_line = self.has_line or "\n" in (text if self._has_text else text.lstrip())
        self._has_text = self._has_text or bool(text.strip())
        return text

    def _held(self) -> int:
        """How many characters at the end may still turn out to belong to a stop."""
        held = 0
        for stop in self._stops:
            longest = min(len(stop) - 1, len(self._pending))
            held = max(held, next(
                (n for n in range(longest, 0, -1) if self._pending.endswith(stop[:n])), 0
            ))  # fmt: skip
        if self._indent and "\n" in self._pending:
            last_line = self._pending[self._pending.rfind("\n") :]
            if not last_line.strip():
                held = max(held, len(last_line))
        return held

    def _dedent(self) -> int:
        """Where the first line begins that is indented too little, or -1.

        A held-back newline is always still pending while its line is blank.
        """
        start = self._pending.find("\n")
        while start >= 0:
            end = self._pending.find("\n", start + 1)
            line = self._pending[start + 1 : end if end >= 0 else None]
            if line.strip() and len(line) - len(line.lstrip()) < self._indent:
                return start
            start = end
        return -1
