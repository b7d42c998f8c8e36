"""A completion engine over HTTP, for whoever asks: the language server, a command, the trainer."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from ..completion.engine import Chunk, EngineInfo, GenerationRequest
from ..errors import EngineRequestError, EngineUnavailableError
from ..prompt.assemble import Prompt
from ..prompt.formats import FORMATS, PLAIN, Special

CONNECT_SECONDS = 2.0
INFO_SECONDS = 30.0
"""How long the engine's speed, which it goes on measuring, is taken as known."""
ANSWER_SECONDS = 120.0
"""Between two pieces of an answer; a background score may wait this long for its turn."""


class HttpEngine:
    """A client of one running engine; safe for concurrent requests of one event loop."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            # The engine is on this machine or in the team's own network, never behind a proxy.
            trust_env=False,
            # Loading certificates takes 40 ms; plain HTTP needs none.
            verify=url.startswith("https:"),
        )
        self._asked = 0.0
        self._forget()

    def _forget(self) -> None:
        """Ask again what is served, before the next request."""
        self._info: EngineInfo | None = None
        self._specials: dict[str, tuple[int, ...]] = {}

    async def info(self) -> EngineInfo:
        """What was served when it was last asked, at most half a minute ago."""
        if self._info is None or time.monotonic() - self._asked > INFO_SECONDS:
            self._info = await self.ask_info()
        return self._info

    async def ask_info(self) -> EngineInfo:
        """What is served now."""
        self._asked = time.monotonic()
        base, *others = (await self._get("/v1/models"))["data"]
        meta = base.get("meta") or {}
        return EngineInfo(
            model=base["id"],
            fim=FORMATS.get(meta.get("fim_format", ""), PLAIN),
            context=base.get("max_model_len", 0),
            prefill_speed=meta.get("prefill_speed", 0.0),
            decode_speed=meta.get("decode_speed", 0.0),
            adapters=tuple(entry["id"] for entry in others),
            size=meta.get("size", 0),
        )

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text on its own."""
        if not texts:
            return []
        answer = await self._post("/tokenize", {"content": _sendable(texts), "count_only": True})
        return [int(count) for count in answer["counts"]]

    async def tokenize(self, texts: Sequence[str], *, special: bool = False) -> list[list[int]]:
        """Token ids of each text; with ``special``, control tokens are recognised."""
        if not texts:
            return []
        body = {"content": _sendable(texts), "parse_special": special}
        answer: list[list[int]] = (await self._post("/tokenize", body))["tokens"]
        return answer

    async def detokenize(self, batches: Sequence[Sequence[int]]) -> list[str]:
        """Text of each list of ids."""
        if not batches:
            return []
        texts: list[str] = (await self._post("/detokenize", {"tokens": batches}))["content"]
        return texts

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Chunk]:
        """Stream the answer; closing the iterator closes the connection, which frees the engine."""
        body = {
            # By name, so that a prompt in one model's format is never answered by another.
            "model": request.adapter or (await self.info()).model,
            "prompt": await self._mixed(request.prompt),
            "max_tokens": request.max_tokens,
            "temperature": 0,
            "stop": list(request.stop),
            "stream": True,
            "logprobs": 0,
            "priority": request.priority,
            "prompt_cache_key": request.cache_key,
            # An answer that is closed early would otherwise never say what it cost.
            "timings_per_token": True,
            "token_healing": request.heal,
        }
        async with self._requesting("POST", "/v1/completions", body) as response:
            await _check(response)
            async for line in response.aiter_lines():
                if not line.startswith("data: ") or line == "data: [DONE]":
                    continue
                event = msgspec.json.decode(line[len("data: ") :])
                if "error" in event:
                    raise EngineRequestError(event["error"]["message"], status=500)
                yield _chunk(event)

    async def score(
        self, tokens: Sequence[int], *, adapter: str | None = None, priority: int = 1
    ) -> list[float | None]:
        """Natural-log probability of each token given those before it; the first has none."""
        body = {
            "model": adapter or "",
            "prompt": list(tokens),
            "max_tokens": 0,
            "echo": True,
            "logprobs": 0,
            "priority": priority,
        }
        answer = await self._post("/v1/completions", body)
        scores: list[float | None] = answer["choices"][0]["logprobs"]["token_logprobs"]
        return scores

    async def load_adapter(
        self, name: str, path: Path, *, scale: float = 1.0, replace: bool = False
    ) -> None:
        """Load a LoRA GGUF that the engine's machine can read under ``path``."""
        body = {"lora_name": name, "lora_path": str(path), "scale": scale, "load_inplace": replace}
        await self._post("/v1/load_lora_adapter", body)

    async def unload_adapter(self, name: str) -> None:
        """Forget an adapter; answers that began with it end with it."""
        await self._post("/v1/unload_lora_adapter", {"lora_name": name})

    async def switch_model(self, name: str) -> EngineInfo:
        """Serve another installed model; the old one serves until it has loaded."""
        await self._post("/tenon/model", {"model": name})
        self._forget()
        return await self.info()

    async def shut_down(self) -> None:
        """End the engine after the answers that run."""
        await self._post("/tenon/shutdown", {})

    async def aclose(self) -> None:
        """Close the connections; the engine goes on."""
        await self._http.aclose()

    async def _mixed(self, prompt: Prompt) -> str | list[int | str]:
        """A prompt as one mixed list: control tokens as ids, so that user text stays text."""
        specials = [entry.token for entry in prompt.segments if isinstance(entry, Special)]
        unknown = [token for token in dict.fromkeys(specials) if token not in self._specials]
        for token, ids in zip(unknown, await self.tokenize(unknown, special=True), strict=True):
            self._specials[token] = tuple(ids)
        mixed: list[int | str] = []
        for entry in prompt.segments:
            if isinstance(entry, Special):
                mixed += self._specials[entry.token]
            else:
                mixed += _sendable([entry.text])
        if len(mixed) == 1 and isinstance(mixed[0], str):
            return mixed[0]  # a list of texts alone would be a batch
        return mixed

    async def _get(self, path: str) -> Any:
        async with self._requesting("GET", path, None) as response:
            await _check(response)
            return msgspec.json.decode(await response.aread())

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        async with self._requesting("POST", path, body) as response:
            await _check(response)
            data = await response.aread()
            is_json = response.headers.get("content-type", "").startswith("application/json")
            return msgspec.json.decode(data) if is_json else None

    @asynccontextmanager
    async def _requesting(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> AsyncIterator[httpx.Response]:
        content = None if body is None else msgspec.json.encode(body)
        try:
            async with self._http.stream(method, path, content=content) as response:
                yield response
        except EngineRequestError as error:
            if error.param == "model":
                self._forget()
            raise
        except httpx.TransportError as error:
            raise EngineUnavailableError(
                f"The engine at {self.url} does not answer ({type(error).__name__})."
            ) from error


def _chunk(event: dict[str, Any]) -> Chunk:
    choice = event["choices"][0]
    scores = (choice.get("logprobs") or {}).get("token_logprobs") or []
    return Chunk(
        text=choice["text"],
        logprob=sum(score for score in scores if score is not None),
        tokens=len(scores),
        finish_reason=choice["finish_reason"],
        timings=event.get("timings") or {},
    )


async def _check(response: httpx.Response) -> None:
    """Raise what an error status means."""
    if response.is_success:
        return
    data = await response.aread()
    try:
        error = msgspec.json.decode(data)["error"]
        message, param = str(error["message"]), error.get("param")
    except (msgspec.DecodeError, KeyError, TypeError):
        message, param = data.decode("utf-8", "replace")[:500] or response.reason_phrase, None
    if response.status_code == 401:
        message = "The engine does not accept this token; check the engine's API key file."
    if response.status_code == 503:
        raise EngineUnavailableError(message)
    raise EngineRequestError(message, status=response.status_code, param=param)


def _sendable(texts: Sequence[str]) -> list[str]:
    """Texts as JSON can carry them: a lone surrogate, which UTF-8 cannot, becomes ``?``."""
    return [text.encode("utf-8", "replace").decode() for text in texts]
