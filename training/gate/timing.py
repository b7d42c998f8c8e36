"""How long a part of a trial may take, by a clock that may stand still; it ends on time."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

POLL_SECONDS = 0.5
"""Between two looks at the clock while an answer is waited for."""
Clock = Callable[[], float]
Result = TypeVar("Result")


class OutOfTimeError(Exception):
    """A question was not answered in time."""


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """Seconds from now on by ``clock``; None is without end."""

    seconds: float | None = None
    clock: Clock = time.monotonic


NO_END = TimeBudget()


@dataclass(slots=True)
class Deadline:
    """The end of a budget that begins now."""

    within: TimeBudget
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.within.clock()

    @property
    def is_over(self) -> bool:
        return self.within.seconds is not None and self._left <= 0

    async def bound(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What ``work`` returns; once the time is up it is cancelled, and OutOfTimeError raised.

        By the clock, not the event loop's: who was suspended meanwhile is not late.
        """
        if self.is_over:
            work.close()
            raise OutOfTimeError
        if self.within.seconds is None:
            return await work
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=min(POLL_SECONDS, max(0.0, self._left)))
                if self.is_over and not task.done():
                    raise OutOfTimeError
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    @property
    def _left(self) -> float:
        seconds = self.within.seconds or 0.0
        return seconds - (self.within.clock() - self.began)
