"""A model hub on loopback: the part of Hugging Face's protocol that a download uses.

Like the real one it answers ``/{repo}/resolve/{revision}/{file}`` with ``X-Repo-Commit``,
``X-Linked-Size`` and ``X-Linked-Etag`` and redirects to another host (here ``localhost`` instead
of ``127.0.0.1``), which serves the bytes and knows ``Range``. Faults are switched on by attribute.
"""

import hashlib
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """``files`` by repository and name. ``log`` keeps (method, path, range, has a token)."""

    files: dict[tuple[str, str], Path] = field(default_factory=dict)
    log: list[tuple[str, str, str | None, bool]] = field(default_factory=list)
    status: int | None = None  # answer everything with this
    drop_after: int | None = None  # break the next transfer after so many bytes, and stay down
    ignore_range: bool = False
    with_checksum: bool = True
    pace: threading.Event | None = None  # transfers wait for it after their first block
    port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def transfers(self) -> list[str | None]:
        """The Range headers of all transfers of file content, in order."""
        return [entry[2] for entry in self.log if entry[0] == "GET" and "/cdn/" in entry[1]]

    async def root(self, request: Request) -> Response:
        self._note(request)
        return Response("hub", status_code=self.status or 200)

    async def resolve(self, request: Request) -> Response:
        self._note(request)
        repo, name = request.path_params["repo"], request.path_params["name"]
        if self.status == 401:
            return Response(status_code=401, headers={"X-Error-Code": "GatedRepo"})
        if self.status:
            return Response(status_code=self.status)
        path = self.files.get((repo, name))
        if path is None:
            return Response(status_code=404, headers={"X-Error-Code": "EntryNotFound"})
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        etag = digest if self.with_checksum else digest[:40]
        return RedirectResponse(
            f"http://localhost:{self.port}/cdn/{repo}/{name}",
            headers={
                "X-Repo-Commit": COMMIT,
                "X-Linked-Size": str(path.stat().st_size),
                "X-Linked-Etag": f'"{etag}"',
                "ETag": f'"{etag}"',
            },
        )

    async def content(self, request: Request) -> Response:
        self._note(request)
        if self.status:
            return Response(status_code=self.status)
        data = self.files[request.path_params["repo"], request.path_params["name"]].read_bytes()
        asked = request.headers.get("range")
        start = 0
        headers = {"Accept-Ranges": "bytes"}
        if asked and not self.ignore_range:
            start = int(asked.removeprefix("bytes=").split("-", maxsplit=1)[0])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        headers["Content-Length"] = str(len(data) - start)
        return StreamingResponse(
            self._blocks(data[start:]), status_code=206 if start else 200, headers=headers
        )

    async def _blocks(self, data: bytes) -> AsyncIterator[bytes]:
        block = 1 << 20
        for start in range(0, len(data), block):
            if self.drop_after is not None and start >= self.drop_after:
                self.drop_after, self.status = None, 503
                raise ConnectionAbortedError("the test broke this transfer")
            yield data[start : start + block]
            while self.pace is not None and not self.pace.is_set():
                if self.pace.wait(0):
                    break
                import anyio

                await anyio.sleep(0.01)

    def _note(self, request: Request) -> None:
        self.log.append(
            (
                request.method,
                request.url.path,
                request.headers.get("range"),
                "authorization" in request.headers,
            )
        )


class RunningHub:
    """Context manager: the hub in a thread on a free port."""

    def __init__(self) -> None:
        self.hub = Hub()
        app = Starlette(
            routes=[
                Route("/", self.hub.root, methods=["GET", "HEAD"]),
                Route("/cdn/{repo:path}/{name}", self.hub.content),
                Route("/{repo:path}/resolve/{revision}/{name:path}", self.hub.resolve),
            ]
        )
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.hub.port = self.socket.getsockname()[1]
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],), daemon=True)

    def __enter__(self) -> Hub:
        self.thread.start()
        while not self.server.started:
            self.thread.join(0.01)
        return self.hub

    def __exit__(self, *_error: object) -> None:
        if self.hub.pace is not None:
            self.hub.pace.set()
        self.server.should_exit = True
        self.server.force_exit = True
        self.thread.join(10)
        self.socket.close()
