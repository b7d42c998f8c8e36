"""A deterministic engine for unit tests: it answers from a script, and remembers what it saw."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from lsp_server.completion.confidence import Scored
from lsp_server.completion.engine import Chunk, EngineInfo, GenerationRequest
from lsp_server.errors import EngineError
from lsp_server.prompt.formats import FORMATS, Text

QWEN_INFO = EngineInfo("qwen", FORMATS["qwen2.5-coder"], 4096, 1000.0, 50.0)


class FakeEngine:
    """Streams ``answer`` (a text, or a function of the request) in pieces of ``piece`` characters.

    ``blocked`` holds the stream before its first piece for as long as it is unset. A ``slow`` one
    writes a piece for every :meth:`step` alone.
    """

    def __init__(
        self,
        answer: str | Callable[[GenerationRequest], str] = "",
        *,
        info: EngineInfo = QWEN_INFO,
        piece: int = 3,
        finish: str = "stop",
        error: EngineError | None = None,
        slow: bool = False,
        token_logprob: float = 0.0,
    ) -> None:
        self.token_logprob = token_logprob
        self.answer = answer
        self.served = info
        self.piece = piece
        self.finish = finish
        self.error = error
        self.requests: list[GenerationRequest] = []
        self.counted: list[list[str]] = []
        self.sent = ""
        self.open_streams = 0
        self.closed_streams = 0
        self.blocked = asyncio.Event()
        self.blocked.set()
        self.streaming = asyncio.Event()
        self.permits = asyncio.Semaphore(0) if slow else None

    async def info(self) -> EngineInfo:
        return self.served

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        self.counted.append(list(texts))
        return [max(1, len(text) // 4) for text in texts]

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Chunk]:
        self.requests.append(request)
        self.open_streams += 1
        self.streaming.set()
        self.sent = ""
        try:
            await self.blocked.wait()
            if self.error is not None:
                raise self.error
            answer = self.answer if isinstance(self.answer, str) else self.answer(request)
            for start in range(0, len(answer), self.piece):
                if self.permits is not None:
                    await self.permits.acquire()
                piece = answer[start : start + self.piece]
                self.sent += piece
                yield Chunk(piece, (Scored(len(piece), self.token_logprob),))
                await asyncio.sleep(0)
            yield Chunk("", finish_reason=self.finish, timings={"predicted_n": 7.0})
        finally:
            self.open_streams -= 1
            self.closed_streams += 1

    async def step(self, count: int = 1) -> None:
        """Have a slow stream write so many pieces, and whoever waits take notice."""
        for _ in range(count):
            if self.permits is not None:
                self.permits.release()
            await settle()

    def prompt_text(self) -> str:
        """The text parts of the last prompt, joined by ``|``."""
        segments = self.requests[-1].prompt.segments
        return "|".join(entry.text for entry in segments if isinstance(entry, Text))


async def settle() -> None:
    """Let every task go as far as it gets by itself."""
    for _ in range(20):
        await asyncio.sleep(0)
