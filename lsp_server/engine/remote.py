"""Somebody else's engine: llama.cpp's server or vLLM, behind the same interface as Tenon's own."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from ..completion.engine import Chunk, EngineInfo, GenerationRequest
from ..errors import EngineRequestError, EngineUnavailableError
from ..prompt.formats import PLAIN, Special, named_after
from .client import HttpEngine, chunk_of
from .transport import Transport, sendable

MAX_AT_ONCE = 16
"""Requests for token counts under way at a time: such an engine counts one text per request."""
NOT_FOUND = 404


class RemoteEngine:
    """A client of an engine that knows only the common dialect.

    What it lacks: token healing, priorities, and a measured speed. vLLM recognises control tokens
    in user text; llama.cpp's server does not.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._transport = Transport(url, token)
        self._info: EngineInfo | None = None
        self._specials: dict[str, list[int]] = {}
        self._permits = asyncio.Semaphore(MAX_AT_ONCE)

    async def info(self) -> EngineInfo:
        """The first model that it lists; its FIM format follows from its name."""
        return self._info or await self.ask_info()

    async def ask_info(self) -> EngineInfo:
        """The same, asked anew, and remembered for :meth:`info`."""
        base, *others = (await self._transport.get("/v1/models"))["data"]
        meta = base.get("meta") or {}
        if self._info is not None and self._info.model != base["id"]:
            self._forget()  # another model gives the same control tokens other ids
        self._info = EngineInfo(
            model=base["id"],
            fim=named_after(base["id"]) or PLAIN,
            context=base.get("max_model_len") or meta.get("n_ctx") or 0,
            adapters=tuple(entry["id"] for entry in others if entry.get("parent")),
            size=meta.get("size") or 0,
        )
        return self._info

    def _forget(self) -> None:
        """Ask again what is served, before the next request."""
        self._info = None
        self._specials.clear()

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text on its own."""
        return [len(ids) for ids in await self._tokenize(texts, special=False)]

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """Stream the answer; closing the iterator closes the connection, which frees the engine."""
        stops = await self._special_ids(request.prompt.stops)
        body = {
            "model": request.adapter or request.model or (await self.info()).model,
            "prompt": await self._tokens(request),
            "max_tokens": request.max_tokens,
            "temperature": 0,
            "stop": list(request.stop),
            "stop_token_ids": [token for ids in stops if len(ids) == 1 for token in ids],
            "stream": True,
            "cache_prompt": True,
            "timings_per_token": True,
        }
        try:
            async with aclosing(self._transport.events("/v1/completions", body)) as events:
                async for event in events:
                    if event.get("choices"):
                        yield chunk_of(event)
        except EngineRequestError as error:
            if error.param == "model" or error.status == NOT_FOUND:  # older ones name no field
                self._forget()
            raise

    async def switch_model(self, name: str) -> EngineInfo:
        """Not ours to switch."""
        raise EngineRequestError(
            f"The engine at {self.url} is not Tenon's own: choose {name} where it is started."
        )

    async def have_adapter(self, name: str, path: Path, scale: float) -> None:
        """It may be another machine's, and none of its dialects has a scale."""
        del path, scale
        raise EngineRequestError(
            f"The engine at {self.url} is not Tenon's own: load {name} where it is started."
        )

    async def aclose(self) -> None:
        """Close the connections; the engine goes on."""
        await self._transport.aclose()

    async def _tokens(self, request: GenerationRequest) -> list[int]:
        segments = request.prompt.segments
        tokens: list[list[int]] = await asyncio.gather(
            *(
                self._special_id(entry.token)
                if isinstance(entry, Special)
                else self._ids(entry.text, special=False)
                for entry in segments
            )
        )
        return [token for ids in tokens for token in ids]

    async def _special_ids(self, tokens: Sequence[str]) -> list[list[int]]:
        return await asyncio.gather(*(self._special_id(token) for token in tokens))

    async def _special_id(self, token: str) -> list[int]:
        if token not in self._specials:
            self._specials[token] = await self._ids(token, special=True)
        return self._specials[token]

    async def _tokenize(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        return await asyncio.gather(*(self._ids(text, special=special) for text in texts))

    async def _ids(self, text: str, *, special: bool) -> list[int]:
        (content,) = sendable([text])
        body: dict[str, Any] = {
            # llama.cpp's server reads the first three, vLLM the last two.
            "content": content,
            "add_special": False,
            "parse_special": special,
            "prompt": content,
            "add_special_tokens": False,
        }
        async with self._permits:
            tokens: list[int] = (await self._transport.post("/tokenize", body))["tokens"]
        return tokens


async def connect(url: str, token: str) -> HttpEngine | RemoteEngine:
    """The client that fits what answers at ``url``."""
    transport = Transport(url, token)
    try:
        base = (await transport.get("/v1/models"))["data"][0]
    except (KeyError, IndexError, TypeError) as error:
        raise EngineUnavailableError(
            f"What answers at {url} lists no models; check the setting engineUrl."
        ) from error
    finally:
        await transport.aclose()
    return (HttpEngine if base.get("owned_by") == "tenon" else RemoteEngine)(url, token)
