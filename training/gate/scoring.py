"""Spans of code asked of an engine under several arms, as background work and within a time.

An arm is the base, or a loaded adapter at a scale. The prompts are those that serve a keystroke:
the caller gives the budgets that serve, and the spans bring their cross-file snippets.
"""

import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from lsp_server.engine.client import HttpEngine
from lsp_server.prompt.assemble import Prompt, Source
from lsp_server.prompt.formats import FimFormat
from lsp_server.prompt.window import Budget

from ..evaluation.asking import LINE_TOKENS, Asker, reading_order
from ..evaluation.engines import loaded_adapter
from ..evaluation.examples import FimExample
from ..evaluation.metrics import Answer
from .report import BASE
from .timing import NO_END, Deadline, OutOfTimeError, TimeBudget

CACHE_KEY = "tenon-gate"
"""One sequence for all: background work has no more."""
FIRST_BLOCK, BLOCK = 4, 64
"""Spans that are asked arm by arm. The engine keeps the KV cache of what neighbouring prompts share
(their snippets, and with the prefix first the beginning of a file), but not across arms: span by
span everything is read anew. Measured on the starter with a common snippet of 250 tokens: 0.70
against 1.70 s of a busy core per span and arm. The first block tells how many fit into the time.
"""
Progress = Callable[[int, int], None]
"""Called with (spans done, spans in all); of a block, a span is a share of its questions."""
Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Span:
    """A hole in a held-out file; ``kind`` is one of :data:`training.data.spans.KINDS`."""

    example: FimExample
    kind: str = ""

    @property
    def file(self) -> str:
        """What it is not independent of; a span without a path is alone."""
        return self.example.path or self.example.id


@dataclass(frozen=True, slots=True)
class Arm:
    """``adapter`` is a name in the engine, None for the base."""

    name: str
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class SpanScores:
    """A span's NLL under each arm, by its name: sums in nats over ``tokens``, the same ones as in
    the trainer's held-out loss: of what healing took back, of the middle, and the one that ends it.
    """

    span: Span
    tokens: int
    nll: dict[str, float]


@dataclass(frozen=True, slots=True)
class SpanAnswers:
    """What each arm wrote into a span, by its name."""

    span: Span
    answers: dict[str, Answer]


@dataclass(frozen=True, slots=True)
class AdapterAt:
    """An adapter's file and a scale to serve it at."""

    name: str
    file: Path
    scale: float


@asynccontextmanager
async def loaded_arms(
    engine: HttpEngine, adapters: Sequence[AdapterAt]
) -> AsyncIterator[tuple[Arm, ...]]:
    """The base and these adapters, which are in the engine for a while, under names of their own.

    A file at three scales is loaded three times: some 10 MB each for the starter.
    """
    async with AsyncExitStack() as stack:
        arms = [Arm(BASE)]
        for adapter in adapters:
            loading = loaded_adapter(engine, adapter.file, adapter.scale)
            arms.append(Arm(adapter.name, await stack.enter_async_context(loading)))
        yield tuple(arms)


def fair_order(spans: Sequence[Span], seed: int) -> list[Span]:
    """An order of which every beginning holds about the same share of each file and each kind.

    Within a stratum (file and kind) the order is drawn; the n-th of m gets a place drawn evenly
    between (n - 1) / m and n / m of the whole.
    """
    draw = random.Random(seed)
    strata = Counter((span.file, span.kind) for span in spans)
    seen: Counter[tuple[str, str]] = Counter()
    placed: list[tuple[float, Span]] = []
    for span in draw.sample(spans, len(spans)):
        stratum = (span.file, span.kind)
        placed.append(((seen[stratum] + draw.random()) / strata[stratum], span))
        seen[stratum] += 1
    return [span for _, span in sorted(placed, key=lambda entry: entry[0])]


async def score(
    engine: HttpEngine,
    spans: Sequence[Span],
    arms: Sequence[Arm],
    budget: Budget,
    *,
    end: int,
    within: TimeBudget = NO_END,
    progress: Progress | None = None,
) -> list[SpanScores]:
    """Teacher-forced: what each arm gives the true middles and the token that ends them, ``end``
    (:attr:`training.data.terms.Terms.end`), in the order given.

    Ends when the time is up, at a question; a span counts only with all of its arms. Left out are
    middles that do not fit the context. Raises ``EngineError``.
    """
    asking = _Asking(Asker(engine, CACHE_KEY), (await engine.info()).fim, budget)

    async def ask(span: Span, prompt: Prompt, arm: Arm) -> list[float]:
        middle = span.example.middle
        return await asking.asker.scores(prompt, middle, end=end, adapter=arm.adapter)

    found = await asking.all(spans, arms, ask, within, progress)
    return [
        SpanScores(span, len(scores[arms[0].name]), {arm: -sum(of) for arm, of in scores.items()})
        for span, scores in found
        if all(scores.values())
    ]


async def generate(
    engine: HttpEngine,
    spans: Sequence[Span],
    arms: Sequence[Arm],
    budget: Budget,
    *,
    most: int = LINE_TOKENS,
    within: TimeBudget = NO_END,
    progress: Progress | None = None,
) -> list[SpanAnswers]:
    """Greedy answers of at most ``most`` tokens by each arm, in the order given.

    ``budget.output``, which a slow machine sets to a few tokens, would hide who stops by itself.
    Ends when the time is up; a span counts only with all of its arms. Raises ``EngineError``.
    """
    asking = _Asking(Asker(engine, CACHE_KEY), (await engine.info()).fim, budget)

    async def ask(_span: Span, prompt: Prompt, arm: Arm) -> Answer:
        return await asking.asker.answer(prompt, most, adapter=arm.adapter)

    found = await asking.all(spans, arms, ask, within, progress)
    return [SpanAnswers(span, answers) for span, answers in found]


@dataclass(frozen=True, slots=True)
class _Asking:
    """One engine and how it is asked."""

    asker: Asker
    fim: FimFormat
    budget: Budget

    async def all(
        self,
        spans: Sequence[Span],
        arms: Sequence[Arm],
        ask: Callable[[Span, Prompt, Arm], Coroutine[Any, Any, Told]],
        within: TimeBudget,
        progress: Progress | None,
    ) -> list[tuple[Span, dict[str, Told]]]:
        """Ask for spans, block by block, for as long as another block fits into the time; of one
        that it turns out not to fit, what has every arm.
        """
        deadline, done = Deadline(within), 0
        found: list[tuple[Span, dict[str, Told]]] = []
        while size := deadline.fitting(BLOCK if done else FIRST_BLOCK, done):
            block = spans[done : done + size]
            tell = partial(_tell, progress, done, len(arms), len(spans))
            told = await self._block(block, arms, ask, deadline, tell)
            of_block = zip(block, told, strict=True)
            found += [(span, by_arm) for span, by_arm in of_block if len(by_arm) == len(arms)]
            done += size
            if done >= len(spans) or deadline.is_over:
                break
        return found

    async def _block(
        self,
        block: Sequence[Span],
        arms: Sequence[Arm],
        ask: Callable[[Span, Prompt, Arm], Coroutine[Any, Any, Told]],
        deadline: Deadline,
        tell: Callable[[int], None],
    ) -> list[dict[str, Told]]:
        """Arm by arm, neighbours that begin alike after each other: see ``BLOCK``."""
        found: list[dict[str, Told]] = [{} for _ in block]
        order = sorted(range(len(block)), key=lambda number: self._reading_order(block[number]))
        with contextlib.suppress(OutOfTimeError):
            prompts = [await deadline.bound(self._prompt(span.example)) for span in block]
            for number, (arm, at) in enumerate(product(arms, order), 1):
                found[at][arm.name] = await deadline.bound(ask(block[at], prompts[at], arm))
                tell(number)
        return found

    async def _prompt(self, example: FimExample) -> Prompt:
        """As :mod:`lsp_server.completion.provider` asks for a completion at this place."""
        source = Source(
            example.prefix, example.suffix, example.path, example.repository, example.context
        )
        return await self.asker.prompt(source, self.fim, self.budget)

    def _reading_order(self, span: Span) -> tuple[object, ...]:
        """Snippets stand at a prompt's beginning, where its family has tokens for them."""
        snippets = [(snippet.path, snippet.text) for snippet in span.example.context]
        return (snippets if self.fim.repository else [], *reading_order(span.example, self.fim))


def _tell(progress: Progress | None, done: int, arms: int, total: int, asked: int) -> None:
    if progress is not None and asked % arms == 0:
        progress(done + asked // arms, total)
