"""A completion engine over HTTP, for whoever asks: the language server, a command, the trainer."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from ..completion.confidence import Scored
from ..completion.engine import Chunk, EngineInfo, GenerationRequest
from ..errors import EngineRequestError
from ..prompt.assemble import Prompt
from ..prompt.formats import FORMATS, PLAIN, Special
from .transport import Transport, sendable

INFO_SECONDS = 30.0
"""How long the engine's speed, which it goes on measuring, is taken as known."""
HOLD_MS = 30.0
"""Text inside a line travels together for so long: an editor shows nothing before a line's end."""


class HttpEngine:
    """A client of one running engine; safe for concurrent requests of one event loop."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._transport = Transport(url, token)
        self._asked = 0.0
        self._forget()

    def _forget(self) -> None:
        """Ask again what is served, before the next request."""
        self._info: EngineInfo | None = None
        self._specials: dict[str, tuple[int, ...]] = {}

    async def info(self) -> EngineInfo:
        """What was served when it was last asked, at most half a minute ago."""
        if self._info is None or time.monotonic() - self._asked > INFO_SECONDS:
            return await self.ask_info()
        return self._info

    async def ask_info(self) -> EngineInfo:
        """What is served now, remembered for :meth:`info`."""
        base, *others = (await self._transport.get("/v1/models"))["data"]
        meta = base.get("meta") or {}
        if self._info is not None and self._info.model != base["id"]:
            self._forget()  # another model gives the same control tokens other ids
        self._asked = time.monotonic()
        self._info = EngineInfo(
            model=base["id"],
            fim=FORMATS.get(meta.get("fim_format", ""), PLAIN),
            context=base.get("max_model_len", 0),
            prefill_speed=meta.get("prefill_speed", 0.0),
            decode_speed=meta.get("decode_speed", 0.0),
            adapters=tuple(entry["id"] for entry in others),
            size=meta.get("size", 0),
            sha256=meta.get("sha256", ""),
            least_confidence=meta.get("least_confidence"),
        )
        return self._info

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text on its own."""
        if not texts:
            return []
        answer = await self._transport.post(
            "/tokenize", {"content": sendable(texts), "count_only": True}
        )
        return [int(count) for count in answer["counts"]]

    async def tokenize(self, texts: Sequence[str], *, special: bool = False) -> list[list[int]]:
        """Token ids of each text; with ``special``, control tokens are recognised."""
        if not texts:
            return []
        body = {"content": sendable(texts), "parse_special": special}
        answer: list[list[int]] = (await self._transport.post("/tokenize", body))["tokens"]
        return answer

    async def detokenize(self, batches: Sequence[Sequence[int]]) -> list[str]:
        """Text of each list of ids."""
        if not batches:
            return []
        texts: list[str] = (await self._transport.post("/detokenize", {"tokens": batches}))[
            "content"
        ]
        return texts

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Chunk, None]:
        """Stream the answer; closing the iterator closes the connection, which frees the engine."""
        body = {
            # By name, so that a prompt in one model's format is never answered by another.
            "model": request.adapter or request.model or (await self.info()).model,
            "prompt": await self._mixed(request.prompt),
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "stop": list(request.stop),
            "stream": True,
            "logprobs": 0,
            "priority": request.priority,
            "prompt_cache_key": request.cache_key,
            # An answer that is closed early would otherwise never say what it cost.
            "timings_per_token": True,
            "token_healing": request.heal,
            "hold_ms": HOLD_MS,
            # Ended over there, no token is computed while this one travels.
            "one_line": request.one_line,
        }
        try:
            async with aclosing(self._transport.events("/v1/completions", body)) as events:
                async for event in events:
                    yield chunk_of(event)
        except EngineRequestError as error:
            if error.param == "model":
                self._forget()
            raise

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
        answer = await self._transport.post("/v1/completions", body)
        scores: list[float | None] = answer["choices"][0]["logprobs"]["token_logprobs"]
        return scores

    async def score_answer(
        self,
        prompt: Prompt,
        answer: str,
        *,
        end: int | None = None,
        followed_by: str = "",
        adapter: str | None = None,
        cache_key: str = "",
        priority: int = 1,
    ) -> list[float]:
        """Natural-log probability of each token of ``answer``, were it to follow ``prompt``, and of
        ``end``, were it to end it; or of the tokens that begin in ``answer`` where ``followed_by``
        goes on behind it, for many a vocabulary has words such as a bracket with its newline.

        With token healing, as for an answer that is generated: tokens that repeat what was taken
        back count too, each among those that healing chooses from. Where ``cache_key`` holds the
        prompt's KV cache, it is used.
        """
        if not answer and end is None:
            return []
        (answer,) = sendable([answer + followed_by])
        body = {
            "model": adapter or (await self.info()).model,
            "prompt": await self._mixed(prompt),
            "answer": answer,
            "answer_end": end,
            "logprobs": 0,
            "priority": priority,
            "prompt_cache_key": cache_key,
            "token_healing": True,
        }
        choice = (await self._transport.post("/v1/completions", body))["choices"][0]
        # One that does not know the fields generates something, or leaves the end out.
        if choice["text"] != answer or (end is not None and choice["finish_reason"] != "stop"):
            raise EngineRequestError(
                f"The engine at {self.url} does not score answers with their end; end it, so that "
                "one of this version is started."
            )
        told = choice["logprobs"]
        # Offsets count from what healing took back.
        limit = told["text_offset"][-1] + len(told["tokens"][-1]) - len(followed_by)
        pairs = zip(told["token_logprobs"], told["text_offset"], strict=True)
        return [
            score
            for score, offset in pairs
            if score is not None and (offset < limit or not followed_by)
        ]

    async def load_adapter(
        self, name: str, path: Path, *, scale: float = 1.0, replace: bool = False
    ) -> None:
        """Load a LoRA GGUF that the engine's machine can read under ``path``."""
        body = {"lora_name": name, "lora_path": str(path), "scale": scale, "load_inplace": replace}
        await self._transport.post("/v1/load_lora_adapter", body)

    async def have_adapter(self, name: str, path: Path, scale: float) -> None:
        """As :meth:`load_adapter`, unless it is loaded from there at that scale already.

        Others may load the same one meanwhile, and are not disturbed.
        """
        wanted = (str(path), scale)
        loaded = (await self._loaded()).get(name)
        if loaded == wanted:
            return
        try:
            await self.load_adapter(name, path, scale=scale, replace=loaded is not None)
        except EngineRequestError as error:
            came_first = error.param == "lora_name" and (await self._loaded()).get(name) == wanted
            if not came_first:
                raise

    async def _loaded(self) -> dict[str, tuple[str, float]]:
        """File and scale of each adapter, by name."""
        _base, *others = (await self._transport.get("/v1/models"))["data"]
        return {entry["id"]: (entry["root"], entry["meta"]["scale"]) for entry in others}

    async def unload_adapter(self, name: str) -> None:
        """Forget an adapter; answers that began with it end with it."""
        await self._transport.post("/v1/unload_lora_adapter", {"lora_name": name})

    async def switch_model(self, name: str) -> EngineInfo:
        """Serve another installed model; the old one serves until it has loaded."""
        await self._transport.post("/tenon/model", {"model": name})
        self._forget()
        return await self.info()

    async def shut_down(self) -> None:
        """End the engine after the answers that run."""
        await self._transport.post("/tenon/shutdown", {})

    async def aclose(self) -> None:
        """Close the connections; the engine goes on."""
        await self._transport.aclose()

    async def _mixed(self, prompt: Prompt) -> str | list[int | str]:
        """A prompt as one mixed list: control tokens as ids, so that user text stays text."""
        specials = [entry.token for entry in prompt.segments if isinstance(entry, Special)]
        known = self._specials  # another takes its place when another model does, meanwhile even
        unknown = [token for token in dict.fromkeys(specials) if token not in known]
        for token, ids in zip(unknown, await self.tokenize(unknown, special=True), strict=True):
            known[token] = tuple(ids)
        mixed: list[int | str] = []
        for entry in prompt.segments:
            if isinstance(entry, Special):
                mixed += known[entry.token]
            else:
                mixed += sendable([entry.text])
        if len(mixed) == 1 and isinstance(mixed[0], str):
            return mixed[0]  # a list of texts alone would be a batch
        return mixed


def chunk_of(event: dict[str, Any]) -> Chunk:
    """A stream event of ``/v1/completions`` as a chunk."""
    choice = event["choices"][0]
    return Chunk(
        text=choice["text"],
        scores=_scores(choice["text"], choice.get("logprobs") or {}),
        finish_reason=choice["finish_reason"],
        timings=event.get("timings") or {},
    )


def _scores(text: str, logprobs: dict[str, Any]) -> tuple[Scored, ...]:
    """OpenAI's ``logprobs`` of a piece of text.

    Placed from its end: at the beginning tokens may stand that repeat what healing took back.
    """
    scores: list[Scored] = []
    end = len(text)
    named = zip(logprobs.get("tokens") or (), logprobs.get("token_logprobs") or (), strict=False)
    for name, logprob in reversed(list(named)):
        if logprob is not None:
            scores.append(Scored(max(end, 0), logprob))
        end -= 0 if name.startswith("bytes:") else len(name)  # a part of a character
    return tuple(reversed(scores))
