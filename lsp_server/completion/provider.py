"""One keystroke to one answer: cache, what is under way, trigger, a new draft."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ..errors import EngineError, EngineRequestError
from .cache import Place, Remembered, TypeThroughCache
from .drafting import Drafting
from .engine import CompletionEngine, EngineInfo
from .extent import Extent, choose
from .flight import Flight, Flights, Landed, Work
from .idle import Idle
from .near import Near
from .query import Completion, ProviderOptions, Query
from .reasons import Reason
from .trace import Trace
from .trigger import refusal

__all__ = ["Completion", "CompletionProvider", "ProviderOptions", "Query"]
BY_HAND_SECONDS = 3600.0
EDITING_SECONDS = 60.0
"""After a key, somebody edits; who only reads is not worth an engine's work."""
_NOTHING = Remembered("")


class CompletionProvider:
    """Answers queries with whichever engine it is handed; one query per document at a time.

    The newest query of a document wins: an older one is answered with ``SUPERSEDED``. What was
    under way for it goes on if it is what the newer one needs, and is closed otherwise, which
    frees the engine.
    """

    def __init__(self, options: ProviderOptions | None = None) -> None:
        self._options = options or ProviderOptions()
        self._drafting = Drafting(self._options)
        self._cache = TypeThroughCache()
        self._flights = Flights()
        self._idle = Idle()
        self._key = float("-inf")  # when the last one was pressed
        self._running: dict[str, asyncio.Task[Completion]] = {}
        self._asked = ("", 0)
        self._model = ""

    def configure(self, options: ProviderOptions) -> None:
        """Use other options from the next query on."""
        if options != self._options:
            self._options = options
            self._drafting.configure(options)
            self._cache.clear()
            self._flights.close()  # they would be kept as answers to what is asked from now on

    def close(self) -> None:
        """End what is under way."""
        self._idle.stop()
        self._flights.close()

    def typed(self, uri: str, around: Callable[[], tuple[str, str] | None]) -> None:
        """A key was pressed in a document; ``around`` tells the text on either side of where."""
        self._key = time.monotonic()
        self._idle.interrupted()
        if self._flights.concerns(uri):
            here = around()
            self._flights.edited(uri, *(here or ("", "")))

    def rests(self, query: Query, engine: CompletionEngine) -> None:
        """A cursor came to rest where nobody has asked for anything yet."""
        edits = time.monotonic() - self._key < EDITING_SECONDS
        if edits and not self._running and _cursor(query) != self._asked:
            self._idle.now(lambda: self._warm(query, engine))

    async def complete(
        self,
        query: Query,
        engine: CompletionEngine | None,
        *,
        absent: Reason = Reason.ENGINE_UNAVAILABLE,
    ) -> Completion:
        """Answer one query; ``absent`` is the reason to give where there is no engine.

        Engine trouble is a reason too, never an exception. Cancelling the caller leaves what is
        under way to the next query of the document, for a moment.
        """
        self._idle.interrupted()
        self._asked = _cursor(query)
        if older := self._running.get(query.uri):
            older.cancel()
        task = asyncio.create_task(self._answer_or_reason(query, engine, absent))
        self._running[query.uri] = task
        try:
            completion = await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                raise
            return Completion("", Reason.SUPERSEDED)
        finally:
            if self._running.get(query.uri) is task:
                del self._running[query.uri]
        if engine is not None and completion.text:
            following = completion.accepted_by(query)
            self._idle.then(lambda: self._look_ahead(following, engine))
        return completion

    async def _answer_or_reason(
        self, query: Query, engine: CompletionEngine | None, absent: Reason
    ) -> Completion:
        trace = Trace()
        try:
            try:
                return await self._answer(query, engine, absent, trace)
            except EngineRequestError as error:
                if error.param != "model":
                    raise
                # Somebody switched the shared engine's model: once more, in its format, and
                # without an adapter, which belonged to what served before.
                trace = Trace(trace.started)
                query = replace(query, adapter=None)
                return await self._answer(query, engine, absent, trace)
        except EngineError as error:
            completion = self._completion(query, _NOTHING, Reason.ENGINE_UNAVAILABLE, trace)
            return replace(completion, error=error)

    async def _answer(
        self, query: Query, engine: CompletionEngine | None, absent: Reason, trace: Trace
    ) -> Completion:
        # Who asks by hand waits for the whole answer.
        patience = self._options.latency_target_ms / 1000 if query.automatic else BY_HAND_SECONDS
        before, after = query.source.before, query.source.after
        extent = self._extent(query)
        wanted = None if query.automatic else extent
        info = await engine.info() if engine is not None else None
        self._model = info.model if info else self._model
        place = _place(query, self._model)
        waited = not query.automatic
        while True:
            if found := self._cache.find(place, before, after, wanted):
                return self._remembered(query, found, trace)
            flight = self._flights.fitting(place, before, after, wanted)
            joined = flight is not None
            if flight is None:
                if refused := _refusal(query):
                    return Completion("", refused, timings=trace.total())
                if engine is None or info is None:
                    return Completion("", absent, timings=trace.total())
                if not waited:
                    waited = True
                    await self._wait()
                    continue
                flight = self._begin(query, engine, info, extent)
            landed = await flight.landed(before, after, patience)
            if landed is not None and (left := _left(landed, before, after)) is not None:
                if not flight.is_over:  # its first lines, which count whatever becomes of the rest
                    self._cache.add(place, landed.answer)
                return self._landed(query, landed, left, trace, joined=joined)

    def _landed(
        self, query: Query, landed: Landed, left: Remembered, trace: Trace, *, joined: bool
    ) -> Completion:
        """The completion that an answer under way has become."""
        reason = Reason.JOINED if joined and left.text else landed.reason
        trace = trace.told(landed.trace, cached=False)
        return self._completion(query, left, reason, trace)

    def _remembered(self, query: Query, found: Remembered, trace: Trace) -> Completion:
        trace = trace.told(found.trace or Trace(), cached=True)
        nothing = Reason.UNSURE if found.unsure else Reason.EMPTY
        return self._completion(query, found, Reason.CACHE if found.text else nothing, trace)

    def _begin(
        self, query: Query, engine: CompletionEngine, info: EngineInfo, extent: Extent
    ) -> Flight:
        self._idle.stop()
        flight = _flight(query, info, extent)
        work = self._writing(flight, query, engine, info)
        self._flights.begin(flight, work, partial(self._keep, flight.place))
        return flight

    async def _look_ahead(self, query: Query, engine: CompletionEngine) -> None:
        """Have the engine write what nobody has asked for yet; raises ``EngineError``."""
        info, extent = await engine.info(), self._extent(query)
        flight = _flight(query, info, extent)
        before, after = query.source.before, query.source.after
        if _refusal(query) or self._cache.find(flight.place, before, after):
            return
        if self._flights.continues(flight.place, before, after):
            return
        work = self._writing(flight, query, engine, info)
        self._flights.begin_ahead(flight, work, partial(self._keep, flight.place))

    async def _warm(self, query: Query, engine: CompletionEngine) -> None:
        """Have the engine read the prompt of a place where somebody may type; raises
        ``EngineError``.
        """
        if not self._flights.any_wanted:
            await self._drafting.read(query, engine, await engine.info())

    def _writing(
        self, flight: Flight, query: Query, engine: CompletionEngine, info: EngineInfo
    ) -> Work:
        return partial(
            self._drafting.draft, query, engine, info, flight.trace, extent=flight.extent
        )

    def _keep(self, place: Place, landed: Landed) -> None:
        """An answer is complete: it serves for as long as it fits."""
        if landed.reason in {Reason.SHOWN, Reason.EMPTY, Reason.UNSURE}:
            self._cache.add(place, landed.answer)

    async def _wait(self) -> None:
        """For another key; what the editor has waited itself counts."""
        seconds = self._options.debounce_ms / 1000 - (time.monotonic() - self._key)
        if seconds > 0:
            await asyncio.sleep(seconds)

    def _extent(self, query: Query) -> Extent:
        return choose(
            query.source.before,
            query.source.after,
            automatic=query.automatic,
            multiline=self._options.multiline,
            accepted=query.accepted,
        )

    def _completion(
        self, query: Query, left: Remembered, reason: Reason, trace: Trace
    ) -> Completion:
        return Completion(
            left.text,
            reason,
            model=self._model,
            adapter=query.adapter,
            timings=trace.total(),
            replace=left.replace,
            trace=trace,
        )


def _left(landed: Landed, before: str, after: str) -> Remembered | None:
    """What is left of an answer where it is asked for; None: the filters took what was typed."""
    if landed.reason in {Reason.SHOWN, Reason.UNSURE}:
        return landed.answer.here(before, after)
    return _NOTHING


def _place(query: Query, model: str) -> Place:
    return Place(query.uri, model, query.adapter, query.scale)


def _flight(query: Query, info: EngineInfo, extent: Extent) -> Flight:
    near = Near.of(query.source.before, query.source.after)
    place = _place(query, info.model)
    return Flight(place, near, extent, Trace(), by_hand=not query.automatic)


def _cursor(query: Query) -> tuple[str, int]:
    return query.uri, len(query.source.before)


def _refusal(query: Query) -> Reason | None:
    return refusal(
        query.source.before,
        query.source.after,
        automatic=query.automatic,
        path=query.source.path,
        deleting=query.deleting,
    )
