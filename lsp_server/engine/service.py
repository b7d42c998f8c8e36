"""The engine's HTTP application: routes, access, and who may still be waiting for an answer."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import __version__
from ..errors import EngineError, EngineRequestError, ModelError
from . import infill, messages, openai
from .generation import Delta, Event, Finished, Timings, Work
from .http import EventStream, Guard, engine_error, json_response, unless_disconnected
from .metrics import Metrics
from .runtime import Lease, Runtime, Served

_LOG = logging.getLogger(__name__)
Result = TypeVar("Result")
LONG_TEXT = 20_000
"""Characters or bytes that take some milliseconds to tokenise."""


class EngineService:
    """Serves one runtime at a time; another model's takes over when it has loaded."""

    def __init__(
        self,
        runtime: Runtime,
        resolve: Callable[[str], Served],
        load: Callable[[Served], Runtime],
        *,
        stop: Callable[[], None],
    ) -> None:
        self.runtime = runtime
        self.metrics = Metrics()
        self._resolve = resolve
        self._load = load
        self._stop = stop
        self._switching = asyncio.Lock()
        self._last_request = time.monotonic()
        self._leases: dict[Runtime, int] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def idle_seconds(self) -> float:
        """How long nobody has asked for anything; looking at the state does not count."""
        if self._switching.locked() or self._leases or self.runtime.depth:
            return 0.0
        return time.monotonic() - self._last_request

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
        return Guard(self._leasing(application), token)

    def _leasing(self, application: ASGIApp) -> ASGIApp:
        """Hold the runtime that serves now until the last byte of the answer is sent."""

        async def leased(scope: Scope, receive: Receive, send: Send) -> None:
            runtime = self.runtime
            lease = Lease(runtime)
            self._leases[runtime] = self._leases.get(runtime, 0) + 1
            scope.setdefault("state", {})["lease"] = lease
            counts = scope.get("method") == "POST"
            try:
                await application(scope, receive, send)
            finally:
                lease.release()
                self._leases[runtime] -= 1
                if not self._leases[runtime]:
                    del self._leases[runtime]
                    self._close_if_replaced(runtime)
                if counts:
                    self._last_request = time.monotonic()

        return leased

    def _close_if_replaced(self, runtime: Runtime) -> None:
        """Free a model that was replaced, once the last answer that began on it has ended."""
        if runtime is not self.runtime and runtime not in self._leases:
            task = asyncio.create_task(asyncio.to_thread(runtime.close))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _health(self, _request: Request) -> Response:
        if not self.runtime.is_alive:
            return json_response({"status": "error"}, 503)
        return json_response({"status": "ok", "engine": "tenon", "version": __version__})

    async def _models(self, _request: Request) -> Response:
        runtime = self.runtime  # not the lease's: after a switch, it tells the new one
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
                "least_confidence": runtime.served.least_confidence,
            },
        }
        adapters = [
            {
                "id": adapter.name,
                "object": "model",
                "owned_by": "tenon",
                "root": adapter.path,
                "parent": runtime.served.name,
                "meta": {
                    "scale": adapter.scale,
                    "size": adapter.size,
                    "uses": runtime.adapters.uses(adapter),
                },
            }
            for adapter in runtime.adapters.all()
        ]
        return json_response({"object": "list", "data": [base, *adapters]})

    async def _completions(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.CompletionBody)
        lease = _lease(request)
        works = await _off_loop(openai.works_of, body, lease, size=len(await request.body()))
        answer = openai.CompletionAnswer(body, lease.runtime, works)
        events = self._events(lease.runtime, works, body.priority, "completions")
        if body.stream:
            return EventStream(answer.stream(events), events)

        async def respond() -> Response:
            async with aclosing(events):
                return json_response(await answer.whole(events))

        return await unless_disconnected(request, respond())

    async def _infill(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.InfillBody)
        lease = _lease(request)
        work = await _off_loop(infill.work_of, body, lease, size=len(await request.body()))
        answer = infill.InfillAnswer(body, lease.runtime, work)
        events = self._events(lease.runtime, [work] * body.n_cmpl, 0, "infill")
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
        """The works' events, counted however they end: Tenon's own client closes a stream as soon
        as it has what it wants.
        """
        started, end = time.perf_counter(), "failed"
        last: dict[int, Timings] = {}
        try:
            async with aclosing(openai.run(runtime, works, priority)) as events:
                async for number, event in events:
                    if isinstance(event, (Delta, Finished)):
                        last[number] = event.timings
                    yield number, event
            end = "finished"
        except (asyncio.CancelledError, GeneratorExit):
            end = "closed"
            raise
        finally:
            for timings in last.values():
                self.metrics.tokens_of(timings)
                if priority <= 0:
                    runtime.observe(timings)
            self.metrics.requests.labels(kind, end).inc()
            self.metrics.seconds.observe(time.perf_counter() - started)

    async def _tokenize(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.TokenizeBody)
        given = body.content if body.content is not None else body.prompt
        if given is None:
            raise EngineRequestError("Send the text as content.", param="content")
        texts = [given] if isinstance(given, str) else given
        runtime = _lease(request).runtime
        tokens = await _off_loop(
            _tokens, runtime, texts, body.parse_special, size=sum(map(len, texts))
        )
        counts = [len(entry) for entry in tokens]
        if isinstance(given, str):
            answer: dict[str, Any] = {"count": counts[0], "max_model_len": runtime.context}
            return json_response(answer if body.count_only else {"tokens": tokens[0]} | answer)
        return json_response(
            {"counts": counts} if body.count_only else {"tokens": tokens, "counts": counts}
        )

    async def _detokenize(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.DetokenizeBody)
        vocabulary = _lease(request).runtime.vocabulary
        size = vocabulary.size
        batches = [entry if isinstance(entry, list) else [entry] for entry in body.tokens]
        if any(not 0 <= token < size for batch in batches for token in batch):
            raise EngineRequestError(f"A token is not in 0..{size - 1}.", param="tokens")
        detokenize = vocabulary.detokenize
        if any(isinstance(entry, list) for entry in body.tokens):
            return json_response({"content": [detokenize(batch) for batch in batches]})
        text = detokenize([token for batch in batches for token in batch])
        return json_response({"content": text, "prompt": text})

    async def _load_adapter(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.LoadAdapterBody)
        runtime = _lease(request).runtime
        if body.lora_name == runtime.served.name:
            raise EngineRequestError(
                f"'{body.lora_name}' is the base model's name.", param="lora_name"
            )
        with self.metrics.adapter_loads.time():
            await asyncio.to_thread(
                runtime.adapters.load,
                body.lora_name,
                Path(body.lora_path),
                body.scale,
                replace=body.load_inplace,
            )
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' added successfully.")

    async def _unload_adapter(self, request: Request) -> Response:
        body = messages.parse(await request.body(), messages.UnloadAdapterBody)
        _lease(request).runtime.adapters.unload(body.lora_name)
        return PlainTextResponse(f"Success: LoRA adapter '{body.lora_name}' removed successfully.")

    async def _metrics(self, _request: Request) -> Response:
        return PlainTextResponse(self.metrics.text(self.runtime.depth, self.runtime.adapters.state))

    async def _switch_model(self, request: Request) -> Response:
        """Load another model beside the one that serves; on an error the old one stays."""
        body = messages.parse(await request.body(), messages.SwitchModelBody)
        async with self._switching:
            served = await asyncio.to_thread(self._resolve, body.model)
            if served != self.runtime.served:
                new = await asyncio.to_thread(self._load, served)
                old, self.runtime = self.runtime, new
                _LOG.info("%s takes over from %s.", new.served.name, old.served.name)
                self._close_if_replaced(old)
        return await self._models(request)

    async def _shutdown(self, _request: Request) -> Response:
        self._stop()
        return json_response({"status": "stopping"})


def _lease(request: Request) -> Lease:
    lease: Lease = request.state.lease
    return lease


def _tokens(runtime: Runtime, texts: list[str], special: bool) -> list[list[int]]:
    return [runtime.vocabulary.tokenize(text, special=special) for text in texts]


async def _off_loop(work: Callable[..., Result], *arguments: object, size: int) -> Result:
    """Long texts are tokenised beside the event loop, which has others to serve meanwhile."""
    if size < LONG_TEXT:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)
