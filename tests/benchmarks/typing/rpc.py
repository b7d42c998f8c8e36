"""LSP's base protocol over a child's pipes, with next to no work per message.

Own code, where pygls has a client: that one builds and checks hundreds of classes, on the two cores
whose time is to be measured.
"""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .suggester import BenchmarkError

SECONDS = 60.0
"""For an answer that nobody takes back."""


class Connection:
    """A language server as a child process."""

    def __init__(self, process: asyncio.subprocess.Process, settings: dict[str, Any]) -> None:
        self.process = process
        self._settings = settings
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._reading = asyncio.create_task(self._read())
        self.said: list[str] = []

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        env: dict[str, str],
        cwd: Path,
        log: Path,
        settings: dict[str, Any],
    ) -> "Connection":
        """Start the server; what it says on stderr goes to ``log``."""
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=env,
                cwd=cwd,
                limit=2**24,
            )
        return cls(process, settings)

    def notify(self, method: str, params: Any) -> None:
        """Send a notification; the pipe takes it at once."""
        self._send({"method": method, "params": params})

    async def request(self, method: str, params: Any, seconds: float = SECONDS) -> Any:
        """Ask, and wait; cancelling this sends ``$/cancelRequest``."""
        self._last += 1
        number = self._last
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "method": method, "params": params})
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except asyncio.CancelledError:
            self.notify("$/cancelRequest", {"id": number})
            raise
        except TimeoutError:
            raise BenchmarkError(f"{method} was not answered within {seconds:.0f} s") from None

    async def close(self) -> None:
        """Shut the server down; kill it if it does not go."""
        if self.process.returncode is None:
            with contextlib.suppress(BenchmarkError, ConnectionError):
                await self.request("shutdown", None, 10)
                self.notify("exit", None)
            try:
                async with asyncio.timeout(10):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        if self.process.stdin is None or self.process.returncode is not None:
            raise BenchmarkError(f"the server has ended with {self.process.returncode}")
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def _read(self) -> None:
        stdout = self.process.stdout
        assert stdout
        try:
            while True:
                header = await stdout.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.partition(b":")[2])
                    for line in header.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                self._take(json.loads(await stdout.readexactly(length)))
        except asyncio.IncompleteReadError:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(BenchmarkError("the server has closed its output"))

    def _take(self, message: dict[str, Any]) -> None:
        number, method = message.get("id"), message.get("method")
        if method is None:
            answer = self._waiting.pop(number, None) if isinstance(number, int) else None
            if answer is None or answer.done():
                return  # nobody waits for it any more
            if error := message.get("error"):
                answer.set_exception(BenchmarkError(f"{error.get('code')}: {error.get('message')}"))
            else:
                answer.set_result(message.get("result"))
        elif number is not None:
            items = message.get("params", {}).get("items", []) if message.get("params") else []
            result = (
                [self._settings for _ in items] if method == "workspace/configuration" else None
            )
            self._send({"id": number, "result": result})
        elif method == "window/showMessage":
            self.said.append(message["params"]["message"])
