"""Puts holes to one engine: a prompt by the code that serves, an answer, and what the truth scores.

How long a prompt may be, which holes are asked and in which order is its callers' business.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from lsp_server.completion.confidence import Scored, log_probability, placed
from lsp_server.completion.engine import GenerationRequest
from lsp_server.engine.client import HttpEngine
from lsp_server.errors import EngineRequestError
from lsp_server.prompt.assemble import Prompt, Snippet, Source, assemble
from lsp_server.prompt.formats import FimFormat, Order
from lsp_server.prompt.snippets import SnippetSource, candidates_for, fit, lines_of
from lsp_server.prompt.window import Budget, lines_to_count, window

from .examples import FimExample
from .metrics import Answer

LINE_TOKENS, BLOCK_TOKENS = 96, 384
"""Longest answer where a line was taken out, and where several were."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn; at temperature 0 it is the likeliest."""

    temperature: float = 0.0
    seed: int = 0


GREEDY = Sampling()


@dataclass(slots=True)
class Asker:
    """One engine, asked as background work if ``priority`` is above 0.

    ``cache_key`` names the one sequence for all: neighbours share what they share. Every method
    raises ``EngineError``.
    """

    engine: HttpEngine
    cache_key: str
    priority: int = 1
    counts: dict[str, int] = field(default_factory=dict)

    async def snippets(
        self, source: Source, index: SnippetSource, budget: Budget
    ) -> tuple[Snippet, ...]:
        """What serving would show beside the window of ``budget``, which the prompt is to be cut
        to, too; lines are counted by the engine.
        """
        await self.count(lines_to_count(source.before, source.after, budget))
        shown = window(source.before, source.after, budget, self._counts_of)
        found = candidates_for(source, index, shown)
        await self.count(lines_of(found))
        return fit(found, budget.snippets, self._counts_of)

    async def prompt(self, source: Source, fim: FimFormat, budget: Budget) -> Prompt:
        """A document's prompt, with the tokens of its lines counted by the engine."""
        await self.count(lines_to_count(source.before, source.after, budget))
        return assemble(source, fim, budget, self._counts_of)

    async def answer(
        self,
        prompt: Prompt,
        most: int,
        *,
        adapter: str | None = None,
        function: bool = False,
        one_line: bool = False,
        sampling: Sampling = GREEDY,
    ) -> Answer:
        """At most ``most`` tokens; with ``function``, up to where an indented block ends, with
        ``one_line`` up to the end of its first line, where it has stopped as well.
        """
        request = GenerationRequest(
            prompt,
            max_tokens=most,
            adapter=adapter,
            cache_key=self.cache_key,
            priority=self.priority,
            temperature=sampling.temperature,
            seed=sampling.seed,
            one_line=one_line,
        )
        text, reason, scores = "", None, list[Scored]()
        async with aclosing(self.engine.generate(request)) as chunks:
            async for chunk in chunks:
                scores += placed(chunk.scores, len(text))
                text += chunk.text
                reason = chunk.finish_reason
                if function and (end := function_end(text)) is not None:
                    text = text[:end]
                    break
        newline = text.find("\n", len(text) - len(text.lstrip()))
        sure = log_probability(scores, len(text) if newline < 0 else newline)
        return Answer(text, stopped=None if function else reason == "stop", confidence=sure)

    async def scores(
        self,
        prompt: Prompt,
        middle: str,
        *,
        end: int | None = None,
        followed_by: str = "",
        adapter: str | None = None,
    ) -> list[float]:
        """Of the truth's tokens, and of ``end``, which ends it, or before ``followed_by``; none of
        a truth that does not fit the context, or has no token.
        """
        try:
            return await self.engine.score_answer(
                prompt,
                middle,
                end=end,
                followed_by=followed_by,
                adapter=adapter,
                cache_key=self.cache_key,
                priority=self.priority,
            )
        except EngineRequestError as error:
            if error.param != "prompt":
                raise
            return []

    async def count(self, texts: Sequence[str]) -> None:
        """Have ``counts`` hold the tokens of each text."""
        missing = [text for text in dict.fromkeys(texts) if text not in self.counts]
        tokens = await self.engine.count_tokens(missing)
        self.counts.update(zip(missing, tokens, strict=True))

    def _counts_of(self, lines: Sequence[str]) -> list[int]:
        return [self.counts[line] for line in lines]


def answer_tokens(example: FimExample) -> int:
    """The longest answer that makes sense for a hole."""
    several = example.function or example.middle.strip().count("\n") > 0
    return BLOCK_TOKENS if several else LINE_TOKENS


def reading_order(example: FimExample, fim: FimFormat) -> tuple[str, ...]:
    """A key that brings together what begins alike, so that the engine's KV cache is used."""
    if fim.order is Order.SPM:
        return (example.path, example.suffix, example.prefix)
    return (example.path, example.prefix)


def function_end(text: str) -> int | None:
    """Where the rest of an indented block ends: at its first line that begins at the margin."""
    position = 0
    for line in text.splitlines(keepends=True):
        if not line[0].isspace():
            return position
        position += len(line)
    return None
