"""What any HTTP service on loopback needs: who may come in, and who is still listening."""

import asyncio
import hmac
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import EngineError, EngineRequestError, EngineUnavailableError, ModelError
from .messages import error_body

_log = logging.getLogger(__name__)


class Guard:
    """Lets in only who knows the token and asked for this machine by name.

    The ``Host`` check stops a web page that made its own name resolve to 127.0.0.1; there is no
    CORS header at all.
    """

    def __init__(self, application: ASGIApp, token: str) -> None:
        self._application = application
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            await json_response(error_body(refusal), refusal.status)(scope, receive, send)
            return
        await self._application(scope, receive, send)

    def _refusal(self, scope: Scope) -> EngineRequestError | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").rsplit(b":", 1)[0]
        if host not in {b"127.0.0.1", b"localhost", b"[::1]"}:
            return EngineRequestError("This engine serves 127.0.0.1 only.", status=403)
        given = headers.get(b"authorization", b"")
        if scope["path"] != "/health" and not hmac.compare_digest(given, self._expected):
            return EngineRequestError(
                "Send the engine's token: Authorization: Bearer …", status=401
            )
        return None


class EventStream(Response):
    """Server-sent events that notice at once when nobody listens any more.

    Starlette's own streaming response notices at the next chunk, which during a long prefill is
    too late.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        chunks: AsyncIterator[dict[str, Any]],
        events: AsyncGenerator[Any, None],
        *,
        done: str = "data: [DONE]\n\n",
    ) -> None:
        super().__init__(headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._chunks = chunks
        self._events = events
        self._done = done

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        listening = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            listening.cancel()
            sending.cancel()
            sent, _ = await asyncio.gather(sending, listening, return_exceptions=True)
            if isinstance(sent, Exception) and not isinstance(sent, OSError):
                _log.error("an answer could not be sent", exc_info=sent)  # else: nobody listens
            await self._events.aclose()

    async def _send(self, send: Send) -> None:
        # With the first piece: until then both processes would be woken for nothing, while
        # llama.cpp wants every core.
        start = [{"type": "http.response.start", "status": 200, "headers": self.raw_headers}]

        async def part(data: bytes, *, more: bool = True) -> None:
            while start:
                await send(start.pop())
            await send({"type": "http.response.body", "body": data, "more_body": more})

        try:
            async for chunk in self._chunks:
                await part(b"data: " + msgspec.json.encode(chunk) + b"\n\n")
        except EngineError as error:
            refusal = as_refusal(error)
            await part(b"data: " + msgspec.json.encode(error_body(refusal)) + b"\n\n")
        await part(self._done.encode(), more=False)


async def unless_disconnected(request: Request, respond: Coroutine[Any, Any, Response]) -> Response:
    """Await an answer, but give it up as soon as the client is gone."""
    answering = asyncio.create_task(respond)
    listening = asyncio.create_task(_disconnected(request.receive))
    try:
        await asyncio.wait({answering, listening}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return answering.result()
        return Response(status_code=499)
    finally:
        listening.cancel()
        answering.cancel()
        await asyncio.gather(answering, listening, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def engine_error(_request: Request, error: Exception) -> Response:
    """Any of Tenon's errors as OpenAI writes it."""
    refusal = as_refusal(error)
    return json_response(error_body(refusal), refusal.status)


def as_refusal(error: Exception) -> EngineRequestError:
    """An error with the status that an HTTP client should see."""
    if isinstance(error, EngineRequestError):
        return error
    status = 503 if isinstance(error, EngineUnavailableError) else 500
    if isinstance(error, ModelError):
        status = 422
    return EngineRequestError(str(error), status=status)


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    # Compact on purpose: llama.vim looks for `"content":"` without a space.
    return Response(msgspec.json.encode(value), status, media_type="application/json")
