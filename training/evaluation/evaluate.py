"""Asks an engine to fill every hole of a data set, and hands back what came; prints nothing."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lsp_server.completion.engine import EngineInfo
from lsp_server.engine.client import HttpEngine
from lsp_server.prompt.assemble import Prompt, Snippet, Source
from lsp_server.prompt.formats import FimFormat, Order
from lsp_server.prompt.snippets import SnippetSource
from lsp_server.prompt.window import Budget

from ..layouts import OWN, PLAIN, relaid
from .asking import Asker, Sampling, answer_tokens, reading_order
from .examples import FimExample
from .execution import Limits, Outcome, execute
from .metrics import Result

CACHE_KEY = "tenon-evaluation"
SUFFIX_SHARE = 3
"""The suffix may take one part in so many of the prompt."""
SNIPPET_SHARE = 4
"""Other files may take one part in so many of the prompt."""
TRUTH_SHARE = 2
"""A truth that would take more than one part in so many of the context gets no room of its own."""
MARGIN = 16
"""One part in so many of the context stays free: tokens are counted line by line."""
RUNS_AT_ONCE = 2
"""Programs that are judged while the engine goes on."""


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """How a data set is asked.

    ``samples`` are drawn at ``temperature``; at 0 they would all be the same. ``max_tokens`` 0 is
    96, or 384 where the middle has several lines; ``prompt_tokens`` 0 is what the engine's context
    holds. ``priority`` is the engine's: above 0 a user's completions go first.
    """

    layout: str = OWN
    context: bool = False
    samples: int = 1
    temperature: float = 0.0
    seed: int = 0
    max_tokens: int = 0
    prompt_tokens: int = 0
    nll: bool = True
    limits: Limits | None = None
    priority: int = 1


async def evaluate(
    engine: HttpEngine,
    examples: Sequence[FimExample],
    options: EvaluationOptions,
    adapter: str | None,
    done: Callable[[Result], None],
    *,
    indexes: Mapping[str, SnippetSource] | None = None,
) -> None:
    """Call ``done`` with every example's result, in the order in which they are ready.

    With ``options.context``, an example that brings none of its own gets what serving would show
    out of ``indexes``, by its repository.
    The engine is asked one thing at a time; candidates are run beside it, if ``options.limits``
    asks for it at all. Raises ``EngineError``.
    """
    info = await engine.info()
    asker = Asker(engine, CACHE_KEY, options.priority)
    evaluation = _Evaluation(asker, info, options, adapter, indexes or {})
    fim = relaid(info.fim, options.layout)
    queue = iter(sorted(examples, key=lambda example: reading_order(example, fim)))
    workers = 1 + RUNS_AT_ONCE if options.limits else 1
    tasks = [asyncio.create_task(_work(queue, evaluation, options, done)) for _ in range(workers)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _work(
    queue: Iterator[FimExample],
    evaluation: "_Evaluation",
    options: EvaluationOptions,
    done: Callable[[Result], None],
) -> None:
    for example in queue:
        result = await evaluation.ask(example)
        if options.limits and example.tests:
            answers = [
                replace(answer, passed=await _passes(example, answer.text, options.limits))
                for answer in result.answers
            ]
            result = replace(result, answers=tuple(answers))
        done(result)


async def _passes(example: FimExample, answer: str, limits: Limits) -> bool:
    return await execute(example.program(answer), limits) is Outcome.PASSED


@dataclass(slots=True)
class _Evaluation:
    """One engine, one model, one adapter; examples come one at a time."""

    asker: Asker
    info: EngineInfo
    options: EvaluationOptions
    adapter: str | None
    indexes: Mapping[str, SnippetSource]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, example: FimExample) -> Result:
        """Generate, then score the truth while the prompt is still in the KV cache."""
        options = self.options
        async with self.turn:
            started = time.perf_counter()
            prompt, most = await self.prompt(example)
            answers = [
                await self.asker.answer(
                    prompt,
                    most,
                    adapter=self.adapter,
                    function=example.function,
                    sampling=Sampling(options.temperature, options.seed + number),
                )
                for number in range(options.samples)
            ]
            scores: list[float] = []
            if options.nll:
                scores = await self.asker.scores(prompt, example.middle, adapter=self.adapter)
            spent = 1000 * (time.perf_counter() - started)
        return Result(
            example.id, example.middle, tuple(answers), sum(scores), len(scores), round(spent, 1)
        )

    async def prompt(self, example: FimExample) -> tuple[Prompt, int]:
        """An example's prompt, by the code that serves; and the most tokens of its answer."""
        fim = relaid(self.info.fim, PLAIN if example.function else self.options.layout)
        most = self.options.max_tokens or answer_tokens(example)
        await self.asker.count([example.middle])
        truth = self.asker.counts[example.middle]
        answer = max(most, truth) if truth <= self.info.context // TRUTH_SHARE else most
        room = self.info.context - self.info.context // MARGIN - answer
        source, budget = await self._with_context(example, fim, room, most)
        return await self.asker.prompt(source, fim, budget), most

    async def _with_context(
        self, example: FimExample, fim: FimFormat, room: int, most: int
    ) -> tuple[Source, Budget]:
        """An example with what other files hold, as the data set has it or as serving would find
        it, and how the prompt's room is shared out.
        """
        source = Source(example.prefix, example.suffix, example.path, example.repository)
        index = self.indexes.get(example.repository)
        marked = fim.repository is not None and bool(fim.repository.file)
        if not self.options.context:
            return source, self._budget(fim, room, most)
        snippets: Sequence[Snippet] = example.context
        budget = self._budget(fim, room, most)
        if not snippets and index is not None:
            share = min(room, self.options.prompt_tokens or room) // SNIPPET_SHARE
            # Fixed before anything is looked up: what the prompt shows is no snippet.
            budget = self._budget(fim, room - share if marked else room, most, snippets=share)
            snippets = await self.asker.snippets(source, index, budget)
        elif snippets and marked:
            # Beside the text, a snippet costs its path and some control tokens.
            texts = [snippet.path + snippet.text for snippet in snippets]
            counts = await self.asker.engine.count_tokens(texts)
            budget = self._budget(fim, room - sum(counts) - MARGIN * len(texts), most)
        if marked or not snippets:
            return replace(source, snippets=snippets), budget
        # As CrossCodeEval does it for models that know no repositories.
        before = "\n".join(snippet.text for snippet in snippets) + "\n" + source.before
        return replace(source, before=before), budget

    def _budget(self, fim: FimFormat, room: int, most: int, *, snippets: int = 0) -> Budget:
        """How the text of the example itself shares ``room``."""
        room = min(max(room, 2), self.options.prompt_tokens or max(room, 2))
        suffix = 0 if fim.order is Order.PREFIX_ONLY else room // SUFFIX_SHARE
        return Budget(prefix=room - suffix, suffix=suffix, output=most, snippets=snippets)
