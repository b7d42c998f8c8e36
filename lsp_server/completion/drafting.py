"""From a query to the model's draft: snippets, window, prompt, and the stream, ended in time."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from ..prompt.assemble import Source, assemble
from ..prompt.formats import FimFormat
from ..prompt.snippets import candidates_for, fit, lines_of
from ..prompt.window import Budget, lines_to_count, window
from .budget import budget_for, steady
from .confidence import Scored, placed
from .engine import Chunk, CompletionEngine, EngineInfo, GenerationRequest
from .extent import Extent, end_of
from .filters.draft import Draft
from .query import ProviderOptions, Query
from .tokens import LineCounts
from .trace import Trace


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


class Drafting:
    """Asks engines, and remembers of the last model what makes the next prompt cheap."""

    def __init__(self, options: ProviderOptions) -> None:
        self._options = options
        self._measured = _Measured("")

    def configure(self, options: ProviderOptions) -> None:
        """Use other options from the next draft on."""
        self._options = options
        self._measured.budgets.clear()

    async def draft(
        self,
        query: Query,
        engine: CompletionEngine,
        info: EngineInfo,
        extent: Extent,
        trace: Trace,
    ) -> Draft:
        """What the model writes at a query's cursor, unfiltered; raises ``EngineError``.

        The stream is closed when the extent is complete, or when this is cancelled.
        """
        if self._measured.model != info.model:
            self._measured = _Measured(info.model)
        measured = self._measured
        budget = measured.budget(
            info, self._options.latency_target_ms, files=query.index is not None
        )
        counts = measured.counts
        source = await self._with_snippets(query, engine, budget, trace)
        start = time.perf_counter()
        await counts.prime(engine, lines_to_count(source.before, source.after, budget))
        prompt = trace.prompt = assemble(source, info.fim, budget, counts)
        trace.since(start, "window_ms")
        request = GenerationRequest(
            prompt,
            max_tokens=budget.output,
            stop=("\n",) if extent is Extent.REST else (),
            adapter=query.adapter,
            cache_key=query.uri,
        )
        stream = engine.generate(request)
        try:
            draft = await self._read(stream, source, info.fim, extent, trace)
            return replace(draft, least_confidence=query.least(info), automatic=query.automatic)
        finally:
            # An iterator that is merely dropped is closed whenever the collector gets to it.
            if close := getattr(stream, "aclose", None):
                await close()

    async def _with_snippets(
        self, query: Query, engine: CompletionEngine, budget: Budget, trace: Trace
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
        trace.snippets = fit(found, budget.snippets, counts)
        trace.since(start, "snippets_ms")
        return replace(query.source, snippets=trace.snippets)

    async def _read(
        self,
        stream: AsyncIterator[Chunk],
        source: Source,
        fim: FimFormat,
        extent: Extent,
        trace: Trace,
    ) -> Draft:
        start = time.perf_counter()
        finished, scores = True, list[Scored]()
        async for chunk in stream:
            if "first_ms" not in trace.timings:
                trace.since(start, "first_ms")
            scores += placed(chunk.scores, len(trace.raw))
            trace.raw += chunk.text
            trace.timings.update(chunk.timings)
            finished = chunk.finish_reason != "length"
            if end_of(extent, source.before, trace.raw, self._options.max_lines) is not None:
                break
        trace.since(start, "engine_ms")
        return Draft(
            trace.raw,
            source.before,
            source.after,
            extent,
            self._options.max_lines,
            path=source.path,
            finished=finished,
            stops=fim.stops,
            scores=scores,
        )
