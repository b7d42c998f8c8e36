"""Work for the pauses between two keys: begun when nothing was typed for a while."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from ..errors import EngineError

PAUSE_SECONDS = 0.3
"""Without a key or a request; whoever types goes on sooner (docs/benchmarks.md has the gaps)."""
_log = logging.getLogger(__name__)


class Idle:
    """At most one piece of work at a time; a later one takes an earlier one's place."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def then(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something once a pause has lasted."""
        self.interrupted()
        self._timer = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self.now, work)

    def now(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something at once, for this is a pause."""
        self.stop()
        self._task = asyncio.create_task(_guarded(work()))

    def interrupted(self) -> None:
        """A key was pressed, or a request has come: this is no pause. What was begun goes on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stop(self) -> None:
        """The engine is wanted: give up what was begun, too."""
        self.interrupted()
        if self._task is not None:
            self._task.cancel()
            self._task = None


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except EngineError as error:
        _log.debug("nothing was done in a pause: %s", error)  # whoever asks next hears of it
