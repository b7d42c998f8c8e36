"""Holes in code asked of an engine under several arms, as background work and within a time.

An arm is the base, or a loaded adapter at a scale. The prompts are those that serve a keystroke:
the caller gives the budgets that serve, and the holes bring their cross-file snippets.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from lsp_server.engine.client import HttpEngine
from lsp_server.prompt.assemble import Prompt, Source
from lsp_server.prompt.formats import FimFormat
from lsp_server.prompt.window import Budget

from ..evaluation.asking import LINE_TOKENS, Asker
from ..evaluation.engines import loaded_adapter
from ..evaluation.examples import FimExample
from ..evaluation.metrics import Answer
from ..evaluation.stretches import Stretch
from .report import BASE
from .timing import NO_END, Deadline, OutOfTimeError, TimeBudget

CACHE_KEY = "tenon-gate"
"""One sequence for all: background work has no more."""
Progress = Callable[[int, int], None]
"""Called with (holes done, holes in all); of a stretch, a hole is a share of its questions."""
Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Arm:
    """``adapter`` is a name in the engine, None for the base."""

    name: str
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class SpanScores:
    """A hole's NLL under each arm, by its name: sums in nats over ``tokens``, the same ones as in
    the trainer's held-out loss: of what healing took back, of the middle, and the one that ends it,
    unless more follows.
    """

    example: FimExample
    tokens: int
    nll: dict[str, float]


@dataclass(frozen=True, slots=True)
class SpanAnswers:
    """What each arm wrote into a hole, by its name."""

    example: FimExample
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


async def score(
    engine: HttpEngine,
    asked: Sequence[Stretch],
    arms: Sequence[Arm],
    budget: Budget,
    *,
    end: int,
    within: TimeBudget = NO_END,
    progress: Progress | None = None,
) -> list[SpanScores]:
    """Teacher-forced: what each arm gives the true middles and, where nothing follows them, the
    token that ends them, ``end`` (:attr:`training.data.terms.Terms.end`), in the order given.

    Ends when the time is up, at a question; a hole counts only with all of its arms. Left out are
    middles that do not fit the context. Raises ``EngineError``.
    """
    asking = _Asking(Asker(engine, CACHE_KEY), (await engine.info()).fim, budget)

    async def ask(example: FimExample, prompt: Prompt, arm: Arm) -> list[float]:
        follows = example.followed_by
        return await asking.asker.scores(
            prompt, example.middle, end=None if follows else end, followed_by=follows,
            adapter=arm.adapter,
        )  # fmt: skip

    found = await asking.all(asked, arms, ask, within, progress)
    return [
        SpanScores(example, len(of[arms[0].name]), {arm: -sum(each) for arm, each in of.items()})
        for example, of in found
        if all(of.values())
    ]


async def generate(
    engine: HttpEngine,
    asked: Sequence[Stretch],
    arms: Sequence[Arm],
    budget: Budget,
    *,
    most: int = LINE_TOKENS,
    within: TimeBudget = NO_END,
    progress: Progress | None = None,
) -> list[SpanAnswers]:
    """Greedy answers of at most ``most`` tokens by each arm, in the order given; of a line where
    more follows the middle.

    ``budget.output``, which a slow machine sets to a few tokens, would hide who stops by itself.
    Ends when the time is up; a hole counts only with all of its arms. Raises ``EngineError``.
    """
    asking = _Asking(Asker(engine, CACHE_KEY), (await engine.info()).fim, budget)

    async def ask(example: FimExample, prompt: Prompt, arm: Arm) -> Answer:
        return await asking.asker.answer(
            prompt, most, adapter=arm.adapter, one_line=bool(example.followed_by)
        )

    found = await asking.all(asked, arms, ask, within, progress)
    return [SpanAnswers(example, answers) for example, answers in found]


@dataclass(frozen=True, slots=True)
class _Asking:
    """One engine and how it is asked."""

    asker: Asker
    fim: FimFormat
    budget: Budget

    async def all(
        self,
        asked: Sequence[Stretch],
        arms: Sequence[Arm],
        ask: Callable[[FimExample, Prompt, Arm], Coroutine[Any, Any, Told]],
        within: TimeBudget,
        progress: Progress | None,
    ) -> list[tuple[FimExample, dict[str, Told]]]:
        """Ask one stretch after the other, each arm by arm: the engine keeps the KV cache of what
        neighbouring prompts share, but not across arms.
        """
        deadline = Deadline(within)
        total = sum(map(len, asked))
        found: list[tuple[FimExample, dict[str, Told]]] = []
        for stretch in asked:
            told: list[dict[str, Told]] = [{} for _ in stretch]
            with contextlib.suppress(OutOfTimeError):
                prompts = [await deadline.bound(self._prompt(example)) for example in stretch]
                for number, (arm, at) in enumerate(product(arms, range(len(stretch))), 1):
                    told[at][arm.name] = await deadline.bound(ask(stretch[at], prompts[at], arm))
                    if progress is not None and number % len(arms) == 0:
                        progress(len(found) + number // len(arms), total)
            pairs = zip(stretch, told, strict=True)
            found += [(example, by_arm) for example, by_arm in pairs if len(by_arm) == len(arms)]
            if deadline.is_over:
                break
        return found

    async def _prompt(self, example: FimExample) -> Prompt:
        """As :mod:`lsp_server.completion.provider` asks for a completion at this place."""
        source = Source(
            example.prefix, example.suffix, example.path, example.repository, example.context
        )
        return await self.asker.prompt(source, self.fim, self.budget)
