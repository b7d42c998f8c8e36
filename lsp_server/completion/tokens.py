"""How many tokens each line has, asked of the engine once and remembered. Pure."""

from collections.abc import Sequence

from ..prompt.window import Budget, Window, granted, window
from .engine import CompletionEngine


class LineCounts:
    """Token counts of whole lines under one model's vocabulary.

    Calling it satisfies ``prompt.window.CountTokens``. :meth:`prime` comes first, so that nothing
    is waited for in between; a line that was dropped since is estimated. At least the last ``size``
    lines that were asked for are kept.
    """

    def __init__(self, size: int = 65_536) -> None:
        self._size = size
        self._counts: dict[str, int] = {}
        self._older: dict[str, int] = {}
        """The generation before: what is asked for again is taken over, the rest goes with it."""

    async def prime(self, engine: CompletionEngine, lines: Sequence[str]) -> int:
        """Ask for the lines that are not known yet, in one batch; returns how many those were.

        Raises ``EngineError``.
        """
        missing = [line for line in dict.fromkeys(lines) if self._known(line) is None]
        if missing:
            for line, count in zip(missing, await engine.count_tokens(missing), strict=True):
                self._keep(line, count)
        return len(missing)

    async def window(
        self, engine: CompletionEngine, before: str, after: str, budget: Budget
    ) -> Window:
        """As :func:`.prompt.window.window`; the engine is asked only where that could matter.

        Of a line that was just written nobody knows the tokens. Where the edges stand in the same
        places with none and with as many as it can have, they stand there with any number.
        Raises ``EngineError``.
        """
        missing: list[str] = []

        def most(lines: Sequence[str]) -> Sequence[int]:
            counts = list(map(self._known, lines))
            missing.extend(line for line, count in zip(lines, counts, strict=True) if count is None)
            return [
                # No token is less than a byte; some vocabularies begin a text with one more.
                len(line.encode("utf-8", "replace")) + 1 if count is None else count
                for line, count in zip(lines, counts, strict=True)
            ]

        def least(lines: Sequence[str]) -> Sequence[int]:
            return [self._known(line) or 0 for line in lines]

        narrow = window(before, after, budget, most)
        if not missing or window(before, after, budget, least) == narrow:
            return narrow
        await self.prime(engine, missing)
        return window(before, after, budget, self)

    def __call__(self, lines: Sequence[str]) -> Sequence[int]:
        counts = map(self._known, lines)
        return [
            granted(line) if count is None else count
            for line, count in zip(lines, counts, strict=True)
        ]

    def _known(self, line: str) -> int | None:
        count = self._counts.get(line)
        if count is None and (count := self._older.get(line)) is not None:
            self._keep(line, count)
        return count

    def _keep(self, line: str, count: int) -> None:
        if len(self._counts) >= self._size:
            self._counts, self._older = {}, self._counts
        self._counts[line] = count
