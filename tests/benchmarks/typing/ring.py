"""llama.vscode's extra context: chunks of what was looked at and saved, in a ring.

After ``src/extra-context.ts`` of llama.vscode 0.0.63; constants from its ``package.json`` and
``src/configuration.ts``.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

CHUNKS, CHUNK_LINES, SCOPE, QUEUED = 16, 64, 1024, 16
PICK_DISTANCE = 32
"""Lines that the cursor must have moved before chunks around it are picked again."""
UPDATE_SECONDS, QUIET_SECONDS = 1.0, 3.0
"""Between two looks at the queue, and since the last question."""
SIMILAR = 0.9


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of a file, as ``input_extra`` has them."""

    filename: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


class Ring:
    """The chunks that every request takes along, oldest first, and those that wait."""

    def __init__(self, random: Random) -> None:
        self.chunks: deque[Chunk] = deque(maxlen=CHUNKS)
        self._queued: deque[Chunk] = deque(maxlen=QUEUED)
        self._random = random
        self._picked_at = -9999
        self.asked = 0.0
        """When the last question began (``time.monotonic``)."""

    def extra(self) -> list[dict[str, str]]:
        """As ``/infill`` takes them."""
        return [{"text": chunk.text, "filename": chunk.filename} for chunk in self.chunks]

    def around(self, path: str, lines: Sequence[str], line: int) -> None:
        """Another file is looked at, or this one was saved: a chunk around its cursor."""
        half = CHUNK_LINES // 2
        self._pick(path, lines[max(0, line - half) : line + half + 1], evict=True)

    def after_answer(
        self, path: str, lines: Sequence[str], line: int, prefix: int, suffix: int
    ) -> None:
        """A suggestion was shown: chunks from beyond its window, if the cursor moved far."""
        if abs(line - self._picked_at) <= PICK_DISTANCE:
            return
        self._pick(path, lines[max(0, line - SCOPE) : max(0, line - prefix) + 1], evict=False)
        below = min(len(lines) - 1, line + suffix)
        self._pick(path, lines[below : below + CHUNK_LINES + 1], evict=False)
        self._picked_at = line

    def update(self) -> bool:
        """One look at the queue; returns whether the ring has changed."""
        if not self._queued or time.monotonic() - self.asked < QUIET_SECONDS:
            return False
        self.chunks.append(self._queued.popleft())
        return True

    def _pick(self, path: str, lines: Sequence[str], *, evict: bool) -> None:
        if len(lines) < 3:
            return
        if len(lines) + 1 >= CHUNK_LINES:
            half = CHUNK_LINES // 2
            start = self._random.randrange(max(1, len(lines) - half + 1))
            lines = lines[start : start + half]
        chunk = Chunk(path, tuple(lines))
        if evict:
            if any(chunk.text == other.text for other in (*self.chunks, *self._queued)):
                return
            for kept in (self.chunks, self._queued):
                for other in [one for one in kept if _jaccard(one.lines, chunk.lines) > SIMILAR]:
                    kept.remove(other)
        self._queued.append(chunk)


def _jaccard(one: Sequence[str], other: Sequence[str]) -> float:
    first, second = set(one), set(other)
    return len(first & second) / len(first | second) if first | second else 1.0
