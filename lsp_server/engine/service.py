"""The engine's HTTP application: routes, access, and who may still be waiting for an answer."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from .. import __version__
from ..errors import EngineError, EngineRequestError, ModelError
from . import infill, messages, openai
from .generation import Event, Finished, Work
from .http import EventStream, Guard, engine_error, json_response, unless_disconnected
from .metrics import Metrics
from .runtime import Runtime

_LOG = logging.getLogger(__name__)
LoadModel = Callable[[str], Runtime]


class EngineService:
    """Serves one runtime at a time; another model's takes over when it has loaded."""

    def __init__(self, runtime: Runtime, load: LoadModel, *, stop: Callable[[], None]) -> None:
        self.runtime = runtime
        self.metrics = Metrics()
        self.last_request = time.monotonic()
        self._load = load
        self._stop = stop
        self._switching = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()

    def application(self, token: str) -> ASGIApp:
        """The ASGI application; every route but ``/health`` wants the bearer token."""
        routes = [
            Route("/health", self._health),
            Route("/v1/models", self._models),
            Route("/v1/completions", self._completions, methods=["POST"]),
            Route("/infill", self._infill, methods=["POST"]),
            Route("/tokenize", self._tokenize, methods=["POST"]),
            Route("/detokenize", self._detokenize, methods=["POST"]),
            Route("/v1/load_lora_adapter", self._load_adapter, methods=["POST"]),
            Route("/v1/unload_lora_adapter", self._unload_adapter, methods=["POST"]),
            Route("/metrics", self._metrics),
            Route("/tenon/model", self._switch_model, methods=["POST"]),
            Route("/tenon/shutdown", self._shutdown, methods=["POST"]),
        ]
        application = Starlette(
            routes=routes,
            exception_handlers={EngineError: engine_error, ModelError: engine_error},
        )
        return Guard(application, token)

    async def _health(self, _request: Request) -> Response:
        return json_response({"status": "ok", "engine": "tenon", "version": __version__})

    async def _models(self, _request: Request) -> Response:
        runtime = self.runtime
        base = {
            "id": runtime.served.name,
            "object": "model",
            "owned_by": "tenon",
            "root": str(runtime.served.path),
            "parent": None,
            "max_model_len": runtime.context,
            "meta": {
                "fim_format": runtime.served.fim.name,
                "sha256": runtime.served.sha256,
                "n_params": runtime.model.parameters,
                "size": runtime.model.size,
                "prefill_speed": runtime.prefill_speed,
                "decode_speed": runtime.decode_speed,
            },
        }
        adapters = [
            {
                "id": adapter.name,
                "object": "model",
                "owned_by": "tenon",
                "root": adapter.path,
                "parent": runtime.served.name,
                "meta": {"scale": adapter.scale},
            }
            for adapter in runtime.adapters.values()
        ]
        return json_response({"object": "list", "data": [base, *adapters]})

    async def _completions(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.CompletionBody)
        runtime = self.runtime
        works = openai.works_of(body, runtime)
        answer = openai.CompletionAnswer(body, runtime, works)
        events = self._events(runtime, works, body.priority, "completions")
        if body.stream:
            return EventStream(answer.stream(events), events)

        async def respond() -> Response:
            async with aclosing(events):
                return json_response(await answer.whole(events))

        return await unless_disconnected(request, respond())

    async def _infill(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.InfillBody)
        runtime = self.runtime
        work = infill.work_of(body, runtime)
        answer = infill.InfillAnswer(body, runtime, work)
        events = self._events(runtime, [work] * body.n_cmpl, 0, "infill")
        if body.stream:
            return EventStream(answer.stream(events), events, done="")

        async def respond() -> Response:
            async with aclosing(events):
                answers = await answer.whole(events)
            return json_response(answers[0] if len(answers) == 1 else answers)

        return await unless_disconnected(request, respond())

    async def _events(
        self, runtime: Runtime, works: list[Work], priority: int, kind: str
    ) -> AsyncGenerator[tuple[int, Event], None]:
        """The works' events, counted."""
        started, end = time.perf_counter(), "cancelled"
        self.last_request = time.monotonic()
        try:
            async with aclosing(openai.run(runtime, works, priority)) as events:
                async for number, event in events:
                    if isinstance(event, Finished):
                        self.metrics.record(event.timings)
                        if priority <= 0:
                            runtime.observe(event.timings)
                    yield number, event
            end = "finished"
        finally:
            self.last_request = time.monotonic()
            self.metrics.requests.labels(kind, end).inc()
            self.metrics.seconds.observe(time.perf_counter() - started)

    async def _tokenize(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.TokenizeBody)
        given = body.content if body.content is not None else body.prompt
        if given is None:
            raise EngineRequestError("Send the text as content.", param="content")
        texts = [given] if isinstance(given, str) else given
        tokenize = self.runtime.vocabulary.tokenize
        tokens = [tokenize(text, special=body.parse_special) for text in texts]
        counts = [len(entry) for entry in tokens]
        if isinstance(given, str):
            answer: dict[str, Any] = {"count": counts[0], "max_model_len": self.runtime.context}
            return json_response(answer if body.count_only else {"tokens": tokens[0]} | answer)
        return json_response(
            {"counts": counts} if body.count_only else {"tokens": tokens, "counts": counts}
        )

    async def _detokenize(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.DetokenizeBody)
        size = self.runtime.vocabulary.size
        batches = [entry if isinstance(entry, list) else [entry] for entry in body.tokens]
        if any(not 0 <= token < size for batch in batches for token in batch):
            raise EngineRequestError(f"A token is not in 0..{size - 1}.", param="tokens")
        detokenize = self.runtime.vocabulary.detokenize
        if any(isinstance(entry, list) for entry in body.tokens):
            return json_response({"content": [detokenize(batch) for batch in batches]})
        text = detokenize([token for batch in batches for token in batch])
        return json_response({"content": text, "prompt": text})

    async def _load_adapter(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.LoadAdapterBody)
        await asyncio.to_thread(
            self.runtime.load_adapter,
            body.lora_name,
            Path(body.lora_path),
            body.scale,
            replace=body.load_inplace,
        )
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' added successfully.")

    async def _unload_adapter(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.UnloadAdapterBody)
        self.runtime.unload_adapter(body.lora_name)
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' removed successfully.")

    async def _metrics(self, _request: Request) -> Response:
        return PlainTextResponse(self.metrics.text(self.runtime.depth))

    async def _switch_model(self, request: Request) -> Response:
        """Load another model beside the one that serves; on an error the old one stays."""
        body = messages.parse(await request.body(), messages.SwitchModelBody)
        async with self._switching:
            if body.model != self.runtime.served.name:
                new = await asyncio.to_thread(self._load, body.model)
                old, self.runtime = self.runtime, new
                _LOG.info("%s takes over from %s.", new.served.name, old.served.name)
                task = asyncio.create_task(_close_when_idle(old))
                self._background.add(task)
                task.add_done_callback(self._background.discard)
        return await self._models(request)

    async def _shutdown(self, _request: Request) -> Response:
        self._stop()
        return json_response({"status": "stopping"})


async def _close_when_idle(runtime: Runtime) -> None:
    """Let the answers that began on an old model end on it."""
    while runtime.depth:  # noqa: ASYNC110 - the depth changes on another thread
        await asyncio.sleep(0.05)
    await asyncio.to_thread(runtime.close)
