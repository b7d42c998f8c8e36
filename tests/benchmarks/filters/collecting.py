"""What the model writes at each hole, up to its own end; asked once, and kept as JSON lines."""

import os
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from rich.progress import track

from lsp_server.completion.budget import budget_for
from lsp_server.completion.engine import EngineInfo, GenerationRequest
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import EngineOptions, find_or_start, stop
from lsp_server.prompt.assemble import Source
from lsp_server.prompt.window import Budget
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.paths import StorePaths
from training.evaluation.asking import Asker

from .holes import Hole, Repository

PREFILL, DECODE, TARGET_MS = 500.0, 90.0, 600.0
"""Two quiet cores: how long a prompt is must not follow from what else runs."""
MOST_TOKENS = 64


class Token(msgspec.Struct, frozen=True):
    """The text that a token made certain, and its natural-log probability."""

    text: str
    logprob: float


class Answer(msgspec.Struct, frozen=True):
    """All that a model wrote at a hole; ``finished`` is whether it ended by itself."""

    hole: str
    model: str
    tokens: list[Token]
    finished: bool

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)


@dataclass(frozen=True, slots=True)
class Cache:
    """A file that answers are added to; what it holds is not asked again."""

    path: Path

    def answers(self) -> dict[str, Answer]:
        """By the hole's name."""
        if not self.path.exists():
            return {}
        decoder = msgspec.json.Decoder(Answer)
        found = (decoder.decode(line) for line in self.path.read_bytes().splitlines())
        return {answer.hole: answer for answer in found}

    def add(self, answer: Answer) -> None:
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(answer) + b"\n")


async def collect(
    repositories: Iterable[Repository], cache: Cache, paths: StorePaths, options: EngineOptions
) -> None:
    """Ask the engine of a home, which is started if none runs, for what is missing."""
    known = cache.answers()
    running = await find_or_start(paths, options)
    engine = running.connect()
    try:
        for repository in repositories:
            missing = [hole for hole in repository.holes if hole.name not in known]
            await _ask(engine, repository, missing, cache)
    finally:
        await engine.aclose()
        await stop(running, paths)


async def _ask(engine: HttpEngine, repository: Repository, holes: list[Hole], cache: Cache) -> None:
    if not holes:
        return
    info = replace(await engine.info(), prefill_speed=PREFILL, decode_speed=DECODE)
    budget, index = budget_for(info, TARGET_MS), repository.index()
    asker = Asker(engine, "filters", priority=0)
    for hole in track(holes, repository.name, disable=not os.isatty(1)):
        cache.add(await _answer(asker, info, hole, index, budget))
    index.close()


async def _answer(
    asker: Asker, info: EngineInfo, hole: Hole, index: RepositoryIndex, budget: Budget
) -> Answer:
    source = Source(hole.before, hole.after, hole.path, hole.repository)
    source = replace(source, snippets=await asker.snippets(source, index, budget))
    prompt = await asker.prompt(source, info.fim, budget)
    request = GenerationRequest(prompt, MOST_TOKENS, cache_key=hole.path)
    tokens, reason = [], None
    async with aclosing(asker.engine.generate(request)) as chunks:
        async for chunk in chunks:
            reason = chunk.finish_reason or reason
            start = 0
            for score in chunk.scores:
                tokens.append(Token(chunk.text[start : score.end], score.logprob))
                start = score.end
    return Answer(hole.name, info.model, tokens, reason == "stop")


def pairs(repository: Repository, answers: dict[str, Answer]) -> Iterator[tuple[Hole, Answer]]:
    """Each hole with its answer, as far as it was asked."""
    for hole in repository.holes:
        if hole.name in answers:
            yield hole, answers[hole.name]
