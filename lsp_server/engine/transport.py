"""JSON and server-sent events over HTTP, with Tenon's errors."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from ..errors import EngineRequestError, EngineUnavailableError

JSON = "application/json"
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
            base = URL(url)
            _ = base.host, base.port
        except ValueError as error:
            raise EngineUnavailableError(
                f"{url} is no URL; check the setting engineUrl."
            ) from error
        if base.scheme not in {"http", "https"} or not base.host:
            raise EngineUnavailableError(f"{url} is no URL; check the setting engineUrl.")
        self._base = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    def _connected(self) -> aiohttp.ClientSession:
        """The session, which must be made while the event loop runs.

        The engine is on this machine or in the team's own network: the environment's proxies are
        not asked. aiohttp takes 3 ms less than httpx for each keystroke's request.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_SECONDS, sock_read=ANSWER_SECONDS
                ),
                connector=aiohttp.TCPConnector(limit=0),
                trust_env=False,
            )
        return self._session

    async def get(self, path: str) -> Any:
        """A JSON answer."""
        async with self._requesting("GET", path, None) as response:
            return msgspec.json.decode(await response.read())

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """A JSON answer, or None if the answer is text."""
        async with self._requesting("POST", path, body) as response:
            data = await response.read()
            return msgspec.json.decode(data) if response.content_type == JSON else None

    async def events(self, path: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Server-sent events; closing the iterator closes the connection."""
        async with self._requesting("POST", path, body) as response:
            async for line in response.content:
                if not line.startswith(b"data: {"):
                    continue
                event = msgspec.json.decode(line[len(b"data: ") :])
                if "error" in event:
                    raise _refusal(event["error"])
                yield event

    async def aclose(self) -> None:
        """Close the connections; the engine goes on."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def _requesting(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"content-type": JSON}
        try:
            async with self._connected().request(
                method, self._base + path, data=content, headers=headers
            ) as response:
                await _check(response)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
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


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raise what an error status means."""
    if response.ok:
        return
    data = await response.read()
    try:
        error = msgspec.json.decode(data)["error"]
        message, param = str(error["message"]), error.get("param")
    except (msgspec.DecodeError, KeyError, TypeError):
        message, param = data.decode("utf-8", "replace")[:500] or str(response.reason), None
    if response.status == 401:
        message = "The engine does not accept this token; check the engine's API key file."
    if response.status == 503:
        raise EngineUnavailableError(message)
    raise EngineRequestError(message, status=response.status, param=param)
