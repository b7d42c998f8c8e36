"""One keystroke to one answer: trigger, cache, draft, postprocess."""

import asyncio
from dataclasses import replace

from ..errors import EngineError, EngineRequestError
from .cache import Place, Remembered, TypeThroughCache
from .drafting import Drafting
from .engine import CompletionEngine
from .extent import choose
from .postprocess import postprocess
from .query import Completion, ProviderOptions, Query
from .reasons import Reason
from .trace import Trace
from .trigger import refusal

__all__ = ["Completion", "CompletionProvider", "ProviderOptions", "Query"]


class CompletionProvider:
    """Answers queries with whichever engine it is handed; one query per document at a time.

    The newest query of a document wins: the older one's stream is closed, which frees the engine,
    and it is answered with ``SUPERSEDED``.
    """

    def __init__(self, options: ProviderOptions | None = None) -> None:
        self._options = options or ProviderOptions()
        self._drafting = Drafting(self._options)
        self._cache = TypeThroughCache()
        self._running: dict[str, asyncio.Task[Completion]] = {}
        self._model = ""

    def configure(self, options: ProviderOptions) -> None:
        """Use other options from the next query on."""
        if options != self._options:
            self._options = options
            self._drafting.configure(options)
            self._cache.clear()

    async def complete(
        self,
        query: Query,
        engine: CompletionEngine | None,
        *,
        absent: Reason = Reason.ENGINE_UNAVAILABLE,
    ) -> Completion:
        """Answer one query; ``absent`` is the reason to give where there is no engine.

        Engine trouble is a reason too, never an exception. Cancelling the caller closes the
        stream before ``CancelledError`` goes on.
        """
        if older := self._running.get(query.uri):
            older.cancel()
        task = asyncio.create_task(self._answer_or_reason(query, engine, absent))
        self._running[query.uri] = task
        try:
            return await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                raise
            return Completion("", Reason.SUPERSEDED)
        finally:
            if self._running.get(query.uri) is task:
                del self._running[query.uri]

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
                return await self._answer(replace(query, adapter=None), engine, absent, trace)
        except EngineError as error:
            nothing = Remembered("", 0)
            completion = self._completion(query, nothing, Reason.ENGINE_UNAVAILABLE, trace)
            return replace(completion, error=error)

    async def _answer(
        self, query: Query, engine: CompletionEngine | None, absent: Reason, trace: Trace
    ) -> Completion:
        before, after = query.source.before, query.source.after
        if refused := refusal(before, after, automatic=query.automatic):
            return Completion("", refused, timings=trace.total())
        extent = choose(before, after, automatic=query.automatic, multiline=self._options.multiline)
        info = await engine.info() if engine is not None else None
        self._model = info.model if info else self._model
        place = Place(query.uri, self._model, query.adapter, after)
        if remembered := self._cache.find(place, before, None if query.automatic else extent):
            trace.cached = True
            reason = Reason.CACHE if remembered.text else Reason.EMPTY
            return self._completion(query, remembered, reason, trace)
        if engine is None or info is None:
            return Completion("", absent, timings=trace.total())
        if query.automatic and self._options.debounce_ms:
            await asyncio.sleep(self._options.debounce_ms / 1000)
        outcome = postprocess(await self._drafting.draft(query, engine, info, extent, trace))
        trace.steps = outcome.steps
        remembered = Remembered(outcome.text, outcome.replace)
        if outcome.text or outcome.reason is Reason.EMPTY:
            self._cache.add(place, before, remembered, extent)
        return self._completion(query, remembered, outcome.reason, trace)

    def _completion(
        self, query: Query, remembered: Remembered, reason: Reason, trace: Trace
    ) -> Completion:
        return Completion(
            remembered.text,
            reason,
            model=self._model,
            adapter=query.adapter,
            timings=trace.total(),
            replace=remembered.replace,
            trace=trace,
        )
