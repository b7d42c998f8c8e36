"""JSON and server-sent events over HTTP, with Tenon's errors."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from ..errors import EngineRequestError, EngineUnavailableError

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 120.0
"""Between two pieces of an answer; a background score may wait this long for its turn."""


class Transport:
    """Requests to one engine; safe for concurrent use in one event loop.

    Every method raises ``EngineUnavailableError`` if nobody answers, and ``EngineRequestError`` if
    the engine refuses.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        try:
            base = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise EngineUnavailableError(
                f"{url} is no URL; check the setting engineUrl."
            ) from error
        self._http = httpx.AsyncClient(
            base_url=base,
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            # The engine is on this machine or in the team's own network, never behind a proxy.
            trust_env=False,
            # Loading certificates takes 40 ms; plain HTTP needs none.
            verify=url.startswith("https:"),
        )

    async def get(self, path: str) -> Any:
        """A JSON answer."""
        async with self._requesting("GET", path, None) as response:
            return msgspec.json.decode(await response.aread())

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """A JSON answer, or None if the answer is text."""
        async with self._requesting("POST", path, body) as response:
            data = await response.aread()
            is_json = response.headers.get("content-type", "").startswith("application/json")
            return msgspec.json.decode(data) if is_json else None

    async def events(self, path: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Server-sent events; closing the iterator closes the connection."""
        async with self._requesting("POST", path, body) as response:
            async for line in response.aiter_lines():
                if not line.startswith("data: ") or line == "data: [DONE]":
                    continue
                event = msgspec.json.decode(line[len("data: ") :])
                if "error" in event:
                    raise _refusal(event["error"])
                yield event

    async def aclose(self) -> None:
        """Close the connections; the engine goes on."""
        await self._http.aclose()

    @asynccontextmanager
    async def _requesting(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> AsyncIterator[httpx.Response]:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            async with self._http.stream(
                method, path, content=content, headers=headers
            ) as response:
                await _check(response)
                yield response
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise EngineUnavailableError(
                f"The engine at {self.url} does not answer ({type(error).__name__})."
            ) from error
        except msgspec.DecodeError as error:
            raise EngineUnavailableError(
                f"What answers at {self.url} is no engine: {error}. Check the setting engineUrl."
            ) from error


def sendable(texts: Sequence[str]) -> list[str]:
    """Texts as JSON can carry them: a lone surrogate, which UTF-8 cannot, becomes ``?``."""
    return [text.encode("utf-8", "replace").decode() for text in texts]


def _refusal(error: dict[str, Any]) -> EngineRequestError:
    """An error in mid-stream; its status can no longer be the answer's own."""
    status = error.get("code")
    return EngineRequestError(
        str(error["message"]),
        status=status if isinstance(status, int) else 500,
        param=error.get("param"),
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
