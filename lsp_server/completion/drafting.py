"""From a query to the model's draft: snippets, window, prompt, and the stream, ended in time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from ..prompt.assemble import Prompt, Source, lay_out
from ..prompt.recall import Recall
from ..prompt.snippets import lines_of
from ..prompt.window import Budget, Window
from .budget import budget_for, steady
from .confidence import placed
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
    recall: Recall = field(default_factory=Recall)

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
        trace: Trace,
        *,
        extent: Extent,
        progress: Callable[[Draft], None] = lambda _: None,
    ) -> Draft:
        """What the model writes at a query's cursor, unfiltered; raises ``EngineError``.

        ``progress`` is told, with every piece that arrives, the draft as it would be if it ended
        there. The stream is closed when the extent is complete, or when this is cancelled.
        """
        source, prompt, budget = await self._prompt(query, engine, info, trace)
        stop = ("\n",) if extent is Extent.REST else ()
        one_line = extent is Extent.LINE or self._options.max_lines == 1
        draft = Draft(
            "",
            source.before,
            source.after,
            extent,
            self._options.max_lines,
            path=source.path,
            stops=info.fim.stops,
            least_confidence=query.least(info),
            automatic=query.automatic,
        )
        stream = engine.generate(
            _request(query, info, prompt, budget.output, stop=stop, one_line=one_line)
        )
        try:
            return await self._read(stream, draft, trace, progress)
        finally:
            await _close(stream)

    async def read(self, query: Query, engine: CompletionEngine, info: EngineInfo) -> None:
        """Have the engine read a query's prompt, so that the first answer there need not; raises
        ``EngineError``.
        """
        _, prompt, _ = await self._prompt(query, engine, info, Trace())
        stream = engine.generate(_request(query, info, prompt, 1))
        try:
            async for _ in stream:
                pass
        finally:
            await _close(stream)

    async def _prompt(
        self, query: Query, engine: CompletionEngine, info: EngineInfo, trace: Trace
    ) -> tuple[Source, Prompt, Budget]:
        """A query's source with snippets, and its prompt, which the trace keeps."""
        if self._measured.model != info.model:
            self._measured = _Measured(info.model)
        measured = self._measured
        budget = measured.budget(
            info, self._options.latency_target_ms, files=query.index is not None
        )
        start = time.perf_counter()
        shown = await measured.counts.window(
            engine, query.source.before, query.source.after, budget
        )
        trace.since(start, "window_ms")
        source = await self._with_snippets(query, engine, budget, shown, trace, measured=measured)
        prompt = trace.prompt = lay_out(source, info.fim, shown)
        return source, prompt, budget

    async def _with_snippets(
        self,
        query: Query,
        engine: CompletionEngine,
        budget: Budget,
        shown: Window,
        trace: Trace,
        *,
        measured: _Measured,
    ) -> Source:
        """The query's source with what other files hold, as far as the budget goes; ``shown`` is
        what the prompt has of its own.
        """
        if query.index is None or not budget.snippets:
            return query.source
        start = time.perf_counter()
        recall, path = measured.recall, query.source.path
        found = recall.known(query.source, query.index, shown)
        if found is None:
            # In a thread: a disk that has to wake up must not hold up other messages.
            found = await asyncio.to_thread(recall.candidates, query.source, query.index, shown)
        snippets = recall.fitted(path, found, budget.snippets)
        if snippets is None:
            counts = measured.counts
            await counts.prime(engine, lines_of(found))
            snippets = recall.fit(path, found, budget.snippets, counts)
        trace.snippets = snippets
        trace.since(start, "snippets_ms")
        return replace(query.source, snippets=trace.snippets)

    async def _read(
        self,
        stream: AsyncIterator[Chunk],
        draft: Draft,
        trace: Trace,
        progress: Callable[[Draft], None],
    ) -> Draft:
        start, cut_off = time.perf_counter(), False
        async for chunk in stream:
            if "first_ms" not in trace.timings:
                trace.since(start, "first_ms")
            scores = (*draft.scores, *placed(chunk.scores, len(trace.raw)))
            trace.raw += chunk.text
            trace.timings.update(chunk.timings)
            cut_off = chunk.finish_reason == "length"
            draft = replace(draft, text=trace.raw, scores=scores, finished=False)
            progress(draft)
            is_complete = (
                end_of(draft.extent, draft.before, draft.text, draft.max_lines) is not None
            )
            if is_complete and chunk.finish_reason is None:
                break  # one that has ended by itself is read to its end: the connection stays open
        trace.since(start, "engine_ms")
        return replace(draft, finished=not cut_off)


def _request(
    query: Query,
    info: EngineInfo,
    prompt: Prompt,
    most: int,
    *,
    stop: tuple[str, ...] = (),
    one_line: bool = False,
) -> GenerationRequest:
    return GenerationRequest(
        prompt,
        max_tokens=most,
        stop=stop,
        model=info.model,
        one_line=one_line,
        adapter=query.adapter,
        cache_key=query.uri,
    )


async def _close(stream: AsyncIterator[Chunk]) -> None:
    """An iterator that is merely dropped is closed whenever the collector gets to it."""
    if close := getattr(stream, "aclose", None):
        await close()
