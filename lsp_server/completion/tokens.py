"""How many tokens each line has, asked of the engine once and remembered. Pure."""

from collections.abc import Sequence

from cachetools import LRUCache

from ..prompt.window import granted
from .engine import CompletionEngine


class LineCounts:
    """Token counts of whole lines under one model's vocabulary.

    Calling it satisfies ``prompt.window.CountTokens``. :meth:`prime` comes first, so that the
    window is cut without waiting; a line that was evicted since is estimated.
    """

    def __init__(self, size: int = 65_536) -> None:
        self._counts: LRUCache[str, int] = LRUCache(maxsize=size)

    async def prime(self, engine: CompletionEngine, lines: Sequence[str]) -> int:
        """Ask for the lines that are not known yet, in one batch; returns how many those were.

        Raises ``EngineError``.
        """
        missing = [line for line in dict.fromkeys(lines) if line not in self._counts]
        if missing:
            counts = await engine.count_tokens(missing)
            self._counts.update(zip(missing, counts, strict=True))
        return len(missing)

    def __call__(self, lines: Sequence[str]) -> Sequence[int]:
        return [self._counts[line] if line in self._counts else granted(line) for line in lines]
