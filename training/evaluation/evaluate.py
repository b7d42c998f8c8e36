"""Asks an engine to fill every hole of a data set, and hands back what came; prints nothing."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from lsp_server.completion.engine import EngineInfo, GenerationRequest
from lsp_server.engine.client import HttpEngine
from lsp_server.errors import EngineRequestError
from lsp_server.prompt.assemble import Prompt, Source, assemble
from lsp_server.prompt.formats import FimFormat, Order
from lsp_server.prompt.window import Budget, lines_to_count

from ..layouts import OWN, PLAIN, relaid
from .examples import FimExample
from .execution import Limits, Outcome, execute
from .metrics import Answer, Result

CACHE_KEY = "tenon-evaluation"
"""One sequence for all: neighbours share what they share."""
LINE_TOKENS, BLOCK_TOKENS = 96, 384
"""Longest answer where a line was taken out, and where several were."""
SUFFIX_SHARE = 3
"""The suffix may take one part in so many of the prompt."""
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
) -> None:
    """Call ``done`` with every example's result, in the order in which they are ready.

    The engine is asked one thing at a time; candidates are run beside it, if ``options.limits``
    asks for it at all. Raises ``EngineError``.
    """
    info = await engine.info()
    asker = _Asker(engine, info, options, adapter)
    queue = iter(sorted(examples, key=_reading_order(relaid(info.fim, options.layout))))
    workers = 1 + RUNS_AT_ONCE if options.limits else 1
    tasks = [asyncio.create_task(_work(queue, asker, options, done)) for _ in range(workers)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _work(
    queue: Iterator[FimExample],
    asker: "_Asker",
    options: EvaluationOptions,
    done: Callable[[Result], None],
) -> None:
    for example in queue:
        result = await asker.ask(example)
        if options.limits and example.tests:
            answers = [
                replace(answer, passed=await _passes(example, answer.text, options.limits))
                for answer in result.answers
            ]
            result = replace(result, answers=tuple(answers))
        done(result)


async def _passes(example: FimExample, answer: str, limits: Limits) -> bool:
    return await execute(example.program(answer), limits) is Outcome.PASSED


def _reading_order(fim: FimFormat) -> Callable[[FimExample], tuple[str, ...]]:
    """A key that brings together what begins alike, so that the engine's KV cache is used."""
    if fim.order is Order.SPM:
        return lambda example: (example.path, example.suffix, example.prefix)
    return lambda example: (example.path, example.prefix)


@dataclass(slots=True)
class _Asker:
    """One engine, one model, one adapter; examples come one at a time."""

    engine: HttpEngine
    info: EngineInfo
    options: EvaluationOptions
    adapter: str | None
    counts: dict[str, int] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, example: FimExample) -> Result:
        """Generate, then score the truth while the prompt is still in the KV cache."""
        async with self.turn:
            started = time.perf_counter()
            prompt, most = await self.prompt(example)
            answers = [
                await self._answer(example, prompt, most, number)
                for number in range(self.options.samples)
            ]
            scores = await self._scores(prompt, example.middle) if self.options.nll else []
            spent = 1000 * (time.perf_counter() - started)
        return Result(
            example.id, example.middle, tuple(answers), sum(scores), len(scores), round(spent, 1)
        )

    async def prompt(self, example: FimExample) -> tuple[Prompt, int]:
        """An example's prompt, by the code that serves; and the most tokens of its answer."""
        fim = relaid(self.info.fim, PLAIN if example.function else self.options.layout)
        several = example.function or example.middle.strip().count("\n") > 0
        most = self.options.max_tokens or (BLOCK_TOKENS if several else LINE_TOKENS)
        await self._count([example.middle])
        truth = self.counts[example.middle]
        answer = max(most, truth) if truth <= self.info.context // TRUTH_SHARE else most
        room = self.info.context - self.info.context // MARGIN - answer
        before, snippets = example.prefix, example.context if self.options.context else ()
        if snippets and fim.repository and fim.repository.file:
            # Beside the text, a snippet costs its path and some control tokens.
            texts = [snippet.path + snippet.text for snippet in snippets]
            room -= sum(await self.engine.count_tokens(texts)) + MARGIN * len(texts)
        elif snippets:  # as CrossCodeEval does it for models that know no repositories
            before = "\n".join(snippet.text for snippet in snippets) + "\n" + before
            snippets = ()
        room = max(room, 2)
        if self.options.prompt_tokens:
            room = min(room, self.options.prompt_tokens)
        suffix = 0 if fim.order is Order.PREFIX_ONLY else room // SUFFIX_SHARE
        budget = Budget(prefix=room - suffix, suffix=suffix, output=most)
        source = Source(before, example.suffix, example.path, example.repository, snippets)
        await self._count(lines_to_count(source.before, source.after, budget))
        return assemble(source, fim, budget, self._counts_of), most

    async def _answer(self, example: FimExample, prompt: Prompt, most: int, number: int) -> Answer:
        request = GenerationRequest(
            prompt,
            max_tokens=most,
            adapter=self.adapter,
            cache_key=CACHE_KEY,
            priority=self.options.priority,
            temperature=self.options.temperature,
            seed=self.options.seed + number,
        )
        text, reason = "", None
        async with aclosing(self.engine.generate(request)) as chunks:
            async for chunk in chunks:
                text += chunk.text
                reason = chunk.finish_reason
                if example.function and (end := function_end(text)) is not None:
                    text = text[:end]
                    break
        return Answer(text, stopped=None if example.function else reason == "stop")

    async def _scores(self, prompt: Prompt, middle: str) -> list[float]:
        """Of the truth's tokens; none of a truth that does not fit the context."""
        try:
            return await self.engine.score_answer(
                prompt,
                middle,
                adapter=self.adapter,
                cache_key=CACHE_KEY,
                priority=self.options.priority,
            )
        except EngineRequestError as error:
            if error.param != "prompt":
                raise
            return []

    async def _count(self, lines: Sequence[str]) -> None:
        missing = [line for line in dict.fromkeys(lines) if line not in self.counts]
        tokens = await self.engine.count_tokens(missing)
        self.counts.update(zip(missing, tokens, strict=True))

    def _counts_of(self, lines: Sequence[str]) -> list[int]:
        return [self.counts[line] for line in lines]


def function_end(text: str) -> int | None:
    """Where the rest of an indented block ends: at its first line that begins at the margin."""
    position = 0
    for line in text.splitlines(keepends=True):
        if not line[0].isspace():
            return position
        position += len(line)
    return None
