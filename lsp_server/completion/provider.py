"""One keystroke to one answer: trigger, cache, prompt, engine, postprocess."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from ..errors import EngineError, EngineRequestError
from ..prompt.assemble import Source, assemble
from ..prompt.formats import FimFormat
from ..prompt.snippets import SnippetSource, candidates_for, fit, lines_of
from ..prompt.window import Budget, lines_to_count, window
from .budget import budget_for, steady
from .cache import Place, Remembered, TypeThroughCache
from .engine import Chunk, CompletionEngine, EngineInfo, GenerationRequest
from .extent import Extent, Multiline, choose, end_of
from .postprocess import Draft, postprocess
from .reasons import Reason
from .tokens import LineCounts
from .trigger import refusal


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """What a user may set about answers; milliseconds are per keystroke."""

    latency_target_ms: float = 600.0
    debounce_ms: float = 0.0
    max_lines: int = 24
    multiline: Multiline = "auto"


@dataclass(frozen=True, slots=True)
class Query:
    """One request of an editor: where, and whether the user asked by hand.

    ``adapter`` is the name under which the engine has loaded one; should the engine not know it,
    the base alone answers. ``index`` is where other files of the repository are looked up; None
    where there is none.
    """

    uri: str
    source: Source
    automatic: bool = True
    adapter: str | None = None
    index: SnippetSource | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to one query, or why there is none.

    ``text`` has LF line ends and takes the place of ``replace`` characters right of the cursor.
    ``timings`` are milliseconds by stage (``snippets_ms, window_ms, first_ms, engine_ms,
    total_ms``) beside the engine's own figures. ``error`` is set where the engine failed.
    """

    text: str
    reason: Reason
    model: str = ""
    adapter: str | None = None
    timings: dict[str, float] = field(default_factory=dict)
    replace: int = 0
    error: EngineError | None = None


@dataclass(slots=True)
class _Stopwatch:
    started: float = field(default_factory=time.perf_counter)
    timings: dict[str, float] = field(default_factory=dict)

    def since(self, start: float, name: str) -> float:
        now = time.perf_counter()
        self.timings[name] = round((now - start) * 1000, 2)
        return now

    def total(self) -> dict[str, float]:
        self.since(self.started, "total_ms")
        return self.timings


@dataclass(slots=True)
class _Measured:
    """What holds for one model: its vocabulary's counts, and the budgets of its prompts, with other
    files in them and without.
    """

    model: str
    counts: LineCounts = field(default_factory=LineCounts)
    budgets: dict[bool, Budget] = field(default_factory=dict)

    def budget(self, info: EngineInfo, target_ms: float, *, files: bool) -> Budget:
        """The budget for a target, as it was the last time if that is about right."""
        wanted = budget_for(info, target_ms, files=files)
        self.budgets[files] = steady(self.budgets.get(files), wanted)
        return self.budgets[files]


class CompletionProvider:
    """Answers queries with whichever engine it is handed; one query per document at a time.

    The newest query of a document wins: the older one's stream is closed, which frees the engine,
    and it is answered with ``SUPERSEDED``.
    """

    def __init__(self, options: ProviderOptions | None = None) -> None:
        self._options = options or ProviderOptions()
        self._cache = TypeThroughCache()
        self._measured = _Measured("")
        self._running: dict[str, asyncio.Task[Completion]] = {}
        self._model = ""

    def configure(self, options: ProviderOptions) -> None:
        """Use other options from the next query on."""
        if options != self._options:
            self._options = options
            self._measured.budgets.clear()
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
        watch = _Stopwatch()
        try:
            try:
                return await self._answer(query, engine, absent, watch)
            except EngineRequestError as error:
                if error.param != "model":
                    raise
                # Somebody switched the shared engine's model: once more, in its format, and
                # without an adapter, which belonged to what served before.
                return await self._answer(replace(query, adapter=None), engine, absent, watch)
        except EngineError as error:
            nothing = Remembered("", 0)
            completion = self._completion(query, nothing, Reason.ENGINE_UNAVAILABLE, watch)
            return replace(completion, error=error)

    async def _answer(
        self, query: Query, engine: CompletionEngine | None, absent: Reason, watch: _Stopwatch
    ) -> Completion:
        before, after = query.source.before, query.source.after
        if refused := refusal(before, after, automatic=query.automatic):
            return Completion("", refused, timings=watch.total())
        extent = choose(before, after, automatic=query.automatic, multiline=self._options.multiline)
        info = await engine.info() if engine is not None else None
        self._model = info.model if info else self._model
        place = Place(query.uri, self._model, query.adapter, after)
        if remembered := self._cache.find(place, before, None if query.automatic else extent):
            reason = Reason.CACHE if remembered.text else Reason.EMPTY
            return self._completion(query, remembered, reason, watch)
        if engine is None or info is None:
            return Completion("", absent, timings=watch.total())
        if query.automatic and self._options.debounce_ms:
            await asyncio.sleep(self._options.debounce_ms / 1000)
        draft = await self._ask(query, engine, info, extent, watch)
        outcome = postprocess(draft)
        remembered = Remembered(outcome.text, outcome.replace)
        if outcome.text or outcome.reason is Reason.EMPTY:
            self._cache.add(place, before, remembered, extent)
        return self._completion(query, remembered, outcome.reason, watch)

    def _completion(
        self, query: Query, remembered: Remembered, reason: Reason, watch: _Stopwatch
    ) -> Completion:
        return Completion(
            remembered.text,
            reason,
            model=self._model,
            adapter=query.adapter,
            timings=watch.total(),
            replace=remembered.replace,
        )

    async def _ask(
        self,
        query: Query,
        engine: CompletionEngine,
        info: EngineInfo,
        extent: Extent,
        watch: _Stopwatch,
    ) -> Draft:
        if self._measured.model != info.model:
            self._measured = _Measured(info.model)
        measured = self._measured
        budget = measured.budget(
            info, self._options.latency_target_ms, files=query.index is not None
        )
        counts = measured.counts
        source = await self._with_snippets(query, engine, budget, watch)
        start = time.perf_counter()
        await counts.prime(engine, lines_to_count(source.before, source.after, budget))
        prompt = assemble(source, info.fim, budget, counts)
        watch.since(start, "window_ms")
        request = GenerationRequest(
            prompt,
            max_tokens=budget.output,
            stop=("\n",) if extent is Extent.REST else (),
            adapter=query.adapter,
            cache_key=query.uri,
        )
        stream = engine.generate(request)
        try:
            return await self._read(stream, source, info.fim, extent, watch)
        finally:
            # An iterator that is merely dropped is closed whenever the collector gets to it.
            if close := getattr(stream, "aclose", None):
                await close()

    async def _with_snippets(
        self, query: Query, engine: CompletionEngine, budget: Budget, watch: _Stopwatch
    ) -> Source:
        """The query's source with what other files hold, as far as the budget goes."""
        if query.index is None or not budget.snippets:
            return query.source
        start = time.perf_counter()
        before, after = query.source.before, query.source.after
        counts = self._measured.counts
        await counts.prime(engine, lines_to_count(before, after, budget))
        shown = window(before, after, budget, counts)
        # In a thread: a disk that has to wake up must not hold up other messages.
        found = await asyncio.to_thread(candidates_for, query.source, query.index, shown)
        await counts.prime(engine, lines_of(found))
        snippets = fit(found, budget.snippets, counts)
        watch.since(start, "snippets_ms")
        return replace(query.source, snippets=snippets)

    async def _read(
        self,
        stream: AsyncIterator[Chunk],
        source: Source,
        fim: FimFormat,
        extent: Extent,
        watch: _Stopwatch,
    ) -> Draft:
        start = time.perf_counter()
        text = ""
        finished = True
        async for chunk in stream:
            if "first_ms" not in watch.timings:
                watch.since(start, "first_ms")
            text += chunk.text
            watch.timings.update(chunk.timings)
            finished = chunk.finish_reason != "length"
            if end_of(extent, source.before, text, self._options.max_lines) is not None:
                break
        watch.since(start, "engine_ms")
        return Draft(
            text,
            source.before,
            source.after,
            extent,
            self._options.max_lines,
            finished=finished,
            stops=fim.stops,
        )
