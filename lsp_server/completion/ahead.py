"""What comes after a suggestion, written while the user looks at it: accepting it then goes on at
once.

Most suggestions are typed along or typed over within a moment. So nothing is begun before a pause
in which somebody reads; then it costs the tokens of one more answer, on a prompt that the engine
has read but for the suggestion itself. Any key, and any other request, comes first.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ..errors import EngineError
from .engine import CompletionEngine
from .query import Completion, Query

PAUSE_SECONDS = 0.3
"""Without a key, a suggestion is being read."""
_log = logging.getLogger(__name__)
Begin = Callable[[Query, CompletionEngine], Awaitable[None]]


class Ahead:
    """Looks one acceptance ahead of the last suggestion; ``begin`` has the engine write."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def shown(self, query: Query, completion: Completion, engine: CompletionEngine) -> None:
        """A suggestion was handed to an editor."""
        self.wait_for_a_pause()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(
            PAUSE_SECONDS, self._start, accepted(query, completion), engine
        )

    def wait_for_a_pause(self) -> None:
        """A key was pressed, or another request has come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, query: Query, engine: CompletionEngine) -> None:
        self._task = asyncio.create_task(self._look(query, engine))

    async def _look(self, query: Query, engine: CompletionEngine) -> None:
        try:
            await self._begin(query, engine)
        except EngineError as error:
            _log.debug("nothing ahead: %s", error)  # whoever asks next hears of it


def accepted(query: Query, completion: Completion) -> Query:
    """What an editor will ask once it has inserted a completion."""
    source = query.source
    before, after = source.before + completion.text, source.after[completion.replace :]
    return replace(
        query,
        source=replace(source, before=before, after=after),
        automatic=True,
        deleting=False,
        adapter=completion.adapter,
        accepted=completion.text,
    )
