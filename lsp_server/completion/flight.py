"""Answers under way: a request joins one that still fits what was typed, instead of a new one.

An answer under way belongs to no request. It ends when it is complete, when another one is begun,
when an edit contradicts it, or a moment after the last request for it was withdrawn: an editor
withdraws its request at every key, and asks again when it knows what was typed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import EngineError
from .cache import Answer, Place
from .extent import Extent
from .near import Near
from .postprocess import Draft, postprocess
from .reasons import Reason
from .trace import Trace

GRACE_SECONDS = 0.3
"""For an editor to ask again: VS Code waits 50 ms, then the text has to be sent."""
_log = logging.getLogger(__name__)


class Work(Protocol):
    """Writes an answer; ``progress`` is told, with every piece, the draft as it is then."""

    def __call__(self, *, progress: Callable[[Draft], None]) -> Awaitable[Draft]: ...


@dataclass(frozen=True, slots=True)
class Landed:
    """How an answer under way ended, or what is complete of it."""

    answer: Answer
    reason: Reason
    trace: Trace


@dataclass(eq=False)
class Flight:
    """One answer on its way, in a task of its own; ``trace`` is filled in as it goes along.

    Of one that was begun ``by_hand``, no filter leaves out what is merely unlikely.
    """

    place: Place
    near: Near
    extent: Extent
    trace: Trace
    by_hand: bool = False
    _draft: Draft | None = None
    _begun: float = 0.0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: int = 0
    _leaving: asyncio.TimerHandle | None = None
    _task: "asyncio.Task[Landed] | None" = None

    def start(self, work: Work, landed: Callable[[Landed], None]) -> None:
        """Begin; ``work`` writes the answer, ``landed`` is told of it once it is complete."""

        async def fly() -> Landed:
            answer = self._filtered(await work(progress=self._arrived))
            landed(answer)
            return answer

        self._begun = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(fly())
        self._task.add_done_callback(self._ended)

    def agrees(self, before: str, after: str) -> bool:
        """Whether what was typed since is, so far, what the model writes."""
        moved = self.near.since(before, after)
        if moved is None or moved.deleted:
            return False
        return self.written.startswith(moved.typed) or moved.typed.startswith(self.written)

    def fits(self, place: Place, before: str, after: str) -> bool:
        """Whether a request here does better to wait for it than to begin another."""
        return place == self.place and not self.is_over and self.agrees(before, after)

    def leads_to(self, before: str, after: str) -> bool:
        """Whether a document may still come to where this one began, or along it."""
        moved = self.near.since(before, after)
        return moved is not None and (bool(moved.deleted) or self.agrees(before, after))

    async def landed(self, before: str, after: str, seconds: float) -> Landed | None:
        """Its answer; once it is under way for ``seconds``, however long this request has waited,
        what is complete of it at a line's end; None once it contradicts the text around the
        cursor. Raises ``EngineError``.
        """
        timer = asyncio.get_running_loop().call_at(self._begun + seconds, self._news.set)
        self._waiting += 1
        self._stay()
        early: Landed | None = None
        try:
            while not self.is_over:
                if not self.agrees(before, after):
                    return None
                if timer.when() <= asyncio.get_running_loop().time():
                    early = self._complete_lines(before, after)
                if early is not None:
                    return early
                self._news.clear()
                await self._news.wait()
            return self._task.result() if self._task else None
        finally:
            timer.cancel()
            self._waiting -= 1
            # Its first lines are on offer: the others are wanted until an edit says otherwise.
            if not self._waiting and early is None:
                self._linger()

    def close(self) -> None:
        """End it, which frees the engine."""
        self._stay()
        if self._task is not None:
            self._task.cancel()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for it."""
        return self._waiting > 0

    @property
    def written(self) -> str:
        """What the model has written so far."""
        return self._draft.text if self._draft else ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self._task is None or self._task.done()

    def _arrived(self, draft: Draft) -> None:
        self._draft = draft
        self._news.set()

    def _ended(self, task: "asyncio.Task[Landed]") -> None:
        self._stay()
        self._news.set()
        error = None if task.cancelled() else task.exception()
        # Whoever waits is told; a fault of our own shall not vanish where nobody does.
        if error is not None and not isinstance(error, EngineError) and not self.is_wanted:
            _log.error("an answer under way failed", exc_info=error)

    def _linger(self) -> None:
        if not self.is_over:
            loop = asyncio.get_running_loop()
            self._leaving = loop.call_later(GRACE_SECONDS, self.close)

    def _stay(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _complete_lines(self, before: str, after: str) -> Landed | None:
        """What is complete of a block, if that is more than was typed meanwhile."""
        if self._draft is None or self.extent is not Extent.BLOCK:
            return None
        if not self.written.rpartition("\n")[0].strip():
            return None
        landed = self._filtered(self._draft, whole=False)
        shown = landed.reason is Reason.SHOWN and landed.answer.here(before, after) is not None
        return landed if shown else None

    def _filtered(self, draft: Draft, *, whole: bool = True) -> Landed:
        outcome = postprocess(draft)
        self.trace.steps = outcome.steps
        answer = Answer(
            self.near,
            self.extent,
            outcome.text,
            outcome.replace,
            self.trace,
            outcome.doubt,
            whole=whole and not outcome.cut,
        )
        return Landed(answer, outcome.reason, self.trace)


class Flights:
    """What is under way: one answer per document that was asked for, and one ahead of any request.

    A new one ends all that nobody waits for: the engine writes one at a time.
    """

    def __init__(self) -> None:
        self._asked: dict[str, Flight] = {}
        self._ahead: Flight | None = None

    def fitting(
        self, place: Place, before: str, after: str, extent: Extent | None = None
    ) -> Flight | None:
        """One that a request does well to wait for; with ``extent``, if it was begun by hand and
        goes that far.
        """
        for flight in (self._asked.get(place.uri), self._ahead):
            if flight is None:
                continue
            if extent is not None and not (flight.by_hand and flight.extent is extent):
                continue
            if flight.fits(place, before, after):
                if flight is self._ahead:
                    self._ahead = None
                    self._take_off(flight)
                return flight
        return None

    def continues(self, place: Place, before: str, after: str) -> bool:
        """Whether what somebody asked for goes on here by itself."""
        asked = self._asked.get(place.uri)
        return asked is not None and asked.fits(place, before, after)

    def begin(self, flight: Flight, work: Work, landed: Callable[[Landed], None]) -> None:
        """Start one; of an earlier one in its document, whoever waits for it gets nothing."""
        self._take_off(flight)
        flight.start(work, landed)

    def begin_ahead(self, flight: Flight, work: Work, landed: Callable[[Landed], None]) -> None:
        """Start one that nobody has asked for, unless somebody waits for another."""
        if self.any_wanted:
            return
        self.close_ahead()
        self._ahead = flight
        flight.start(work, landed)

    def edited(self, uri: str, before: str, after: str) -> None:
        """A key was pressed in a document, with this text around the cursor now: end what that
        contradicts, before anybody asks again.
        """
        asked = self._asked.get(uri)
        if asked is not None and not asked.agrees(before, after):
            asked.close()
            del self._asked[uri]
        if self._ahead and self._ahead.place.uri == uri and not self._ahead.leads_to(before, after):
            self.close_ahead()

    def concerns(self, uri: str) -> bool:
        """Whether an edit of a document may contradict anything."""
        flights = (self._asked.get(uri), self._ahead)
        return any(one and one.place.uri == uri and not one.is_over for one in flights)

    @property
    def any_wanted(self) -> bool:
        """Whether somebody waits for any of them."""
        return any(flight.is_wanted for flight in self._asked.values())

    def close_ahead(self) -> None:
        """End what nobody has asked for."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def close(self) -> None:
        """End everything."""
        self.close_ahead()
        while self._asked:
            self._asked.popitem()[1].close()

    def _take_off(self, flight: Flight) -> None:
        self.close_ahead()
        uri = flight.place.uri
        for other, older in list(self._asked.items()):
            if other == uri or not older.is_wanted:
                older.close()
                del self._asked[other]
        self._asked[uri] = flight
