"""``tenon serve`` as an editor runs it: a child over stdio, asked at every key."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil

from tests.editors import TENON, end_engine

from .processes import cpu_seconds, memory_mib
from .rpc import Connection
from .suggester import BenchmarkError, Document, Offer, Request, Usage
from .typist import Edit

SETTINGS: dict[str, Any] = {"offerModels": False, "training": "off"}
READY_SECONDS, INDEX_SECONDS, ENGINE_SECONDS = 120.0, 180.0, 10.0
RESTS_AFTER = 0.15
"""Seconds, as in the extension's cursor.ts."""
POLL = 6
"""Answers between two looks at the reasons; the status keeps the last twenty."""


def position(text: str, offset: int) -> dict[str, int]:
    """An offset as LSP's line and UTF-16 column."""
    start = text.rfind("\n", 0, offset) + 1
    column = len(text[start:offset].encode("utf-16-le")) // 2
    return {"line": text.count("\n", 0, start), "character": column}


def offset_on_line(text: str, cursor: int, character: int) -> int:
    """The offset of a UTF-16 column on the cursor's line."""
    start = text.rfind("\n", 0, cursor) + 1
    end = text.find("\n", start)
    line = text[start : end if end >= 0 else len(text)]
    return start + len(line.encode("utf-16-le")[: 2 * character].decode("utf-16-le", "ignore"))


class Tenon:
    """One server and its engine, in a home of their own; ``settings`` come over the defaults."""

    def __init__(
        self,
        home: Path,
        settings: dict[str, Any] | None = None,
        *,
        env: dict[str, str] | None = None,
        command: str = TENON,
    ) -> None:
        self._home = home
        self._env = env or {}
        self._command = command
        self._settings = SETTINGS | (settings or {})
        self._root = home
        self._versions: dict[str, int] = {}
        self._answered: list[Request] = []
        self._explained = 0
        self._polling: set[asyncio.Task[None]] = set()
        self._resting: asyncio.TimerHandle | None = None
        self._rpc: Connection | None = None
        self._http: aiohttp.ClientSession | None = None

    @property
    def rpc(self) -> Connection:
        if self._rpc is None:
            raise BenchmarkError("the server was not started")
        return self._rpc

    async def start(self, root: Path, documents: dict[str, str]) -> None:
        self._root = root
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ENGINE_SECONDS))
        environment = {**os.environ, "TENON_HOME": str(self._home), "HF_HUB_OFFLINE": "1"}
        environment |= self._env
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._rpc = await Connection.start(
            [self._command, "serve", "--stdio"],
            env=environment,
            cwd=root,
            log=self._home / "serve.log",
            settings=self._settings,
        )
        await self.rpc.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": root.as_uri(),
                "workspaceFolders": [{"uri": root.as_uri(), "name": root.name}],
                "capabilities": {
                    "textDocument": {"inlineCompletion": {}, "synchronization": {"didSave": True}},
                    "workspace": {"configuration": True, "workspaceFolders": True},
                    "general": {"positionEncodings": ["utf-16"]},
                },
                "initializationOptions": self._settings,
            },
        )
        self.rpc.notify("initialized", {})
        for path, text in documents.items():
            self._versions[path] = 1
            item = {"uri": self._uri(path), "languageId": "python", "version": 1, "text": text}
            self.rpc.notify("textDocument/didOpen", {"textDocument": item})
        await self._ready(next(iter(documents)))

    async def _ready(self, path: str) -> None:
        """The engine serves, and the repository's index is whole."""
        async with asyncio.timeout(READY_SECONDS):
            while (status := await self.rpc.request("tenon/status", None))["state"] != "ready":
                if status["state"] in {"error", "stopped"}:
                    raise BenchmarkError(
                        f"tenon does not get ready: {status['message']}{self._last_words()}"
                    )
                await asyncio.sleep(0.1)
        where = {"uri": self._uri(path)}, {"line": 0, "character": 0}
        await self._ask(*where, automatic=False)  # the first question has its repository indexed
        server = psutil.Process(self.rpc.process.pid)
        try:
            async with asyncio.timeout(INDEX_SECONDS):
                while any(_is_index(child) for child in server.children(recursive=True)):  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise BenchmarkError(
                f"the index was not ready within {INDEX_SECONDS:.0f} s: is the machine busy?"
            ) from None

    def changed(self, before: Document, edit: Edit) -> None:
        if self._resting is not None:
            self._resting.cancel()
        version = self._versions[before.path] = self._versions[before.path] + 1
        change = {
            "range": {
                "start": position(before.text, edit.start),
                "end": position(before.text, edit.start + edit.removed),
            },
            "text": edit.inserted,
        }
        document = {"uri": self._uri(before.path), "version": version}
        self.rpc.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )

    async def suggest(self, document: Document, cursor: int, request: Request) -> Offer | None:
        where = {"uri": self._uri(document.path)}, position(document.text, cursor)
        try:
            result = await self._ask(*where, automatic=True)
        except asyncio.CancelledError:
            request.cancelled = True
            raise
        request.answered = time.perf_counter()
        self._answered.append(request)
        if len(self._answered) - self._explained >= POLL:
            task = asyncio.create_task(self._explain())
            self._polling.add(task)
            task.add_done_callback(self._polling.discard)
        items = result.get("items", []) if isinstance(result, dict) else result or []
        if not items:
            return None
        item = items[0]
        end = offset_on_line(document.text, cursor, item["range"]["end"]["character"])
        identifier = (item.get("command") or {}).get("arguments", [""])[0]
        misplaced = item["range"]["start"] != where[1]
        return Offer(item["insertText"], end - cursor, identifier, misplaced)

    async def _ask(self, document: dict, place: dict, *, automatic: bool) -> Any:
        return await self.rpc.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": document,
                "position": place,
                "context": {"triggerKind": 2 if automatic else 1},
            },
        )

    async def _explain(self) -> None:
        """Say of the last answers where they came from. Cancelled ones are left out on both sides:
        the status tells them by their reason.
        """
        status = await self.rpc.request("tenon/status", None)
        unknown = self._answered[self._explained :]
        self._explained = len(self._answered)
        ended = [
            outcome
            for outcome in status["recent"]
            if outcome["reason"] not in {"cancelled", "superseded"}
        ]
        for request, outcome in zip(reversed(unknown), reversed(ended), strict=False):
            request.reason, timings = outcome["reason"], outcome["timings"]
            request.prompt_n = int(timings.get("prompt_n", 0))
            request.predicted_n = int(timings.get("predicted_n", 0))
            if request.predicted_n:
                request.origin = "model"
            else:
                request.origin = "cache" if request.reason == "cache" else "nobody"

    def accepted(self, offer: Offer) -> None:
        command = {"command": "tenon.completionAccepted", "arguments": [offer.id]}
        task = asyncio.create_task(self.rpc.request("workspace/executeCommand", command))
        self._polling.add(task)
        task.add_done_callback(self._polling.discard)

    def switched(self, old: tuple[Document, int], new: tuple[Document, int]) -> None:
        """LSP has no word for it; :meth:`rests` follows."""

    def rests(self, document: Document, cursor: int) -> None:
        """As the extension tells it, once the cursor has stood still."""
        place = {"uri": self._uri(document.path)} | position(document.text, cursor)
        self._resting = asyncio.get_running_loop().call_later(
            RESTS_AFTER, lambda: self.rpc.notify("tenon/cursor", place)
        )

    def saved(self, document: Document, cursor: int) -> None:
        self.rpc.notify("textDocument/didSave", {"textDocument": {"uri": self._uri(document.path)}})

    async def usage(self) -> Usage:
        await asyncio.gather(*self._polling, return_exceptions=True)
        await self._explain()
        server, engine = psutil.Process(self.rpc.process.pid), self._engine()
        counted = await self._counters()
        return Usage(
            cpu_seconds([server, *engine]),
            cpu_seconds(engine),
            counted.get('tenon_tokens_total{stage="prefill"}', 0.0),
            counted.get('tenon_tokens_total{stage="decode"}', 0.0),
            memory_mib([server, *engine]),
        )

    async def close(self) -> None:
        try:
            if self._rpc is not None:
                await self._rpc.close()
        finally:
            if self._http is not None:
                await self._http.close()
            end_engine(self._home)

    def _last_words(self) -> str:
        """The end of the engine's log, which goes with the home."""
        try:
            return "\n" + "\n".join(
                (self._home / "logs" / "engine.log").read_text().split("\n")[-8:]
            )
        except OSError:
            return ""

    def _engine(self) -> list[psutil.Process]:
        try:
            return [psutil.Process(self._record()["pid"])]
        except (OSError, ValueError, psutil.Error):
            return []  # somebody else's engine (engineUrl)

    def _record(self) -> dict[str, Any]:
        record: dict[str, Any] = msgspec.json.decode((self._home / "engine.json").read_bytes())
        return record

    async def _counters(self) -> dict[str, float]:
        try:
            port, token = self._record()["port"], (self._home / "engine.token").read_text().strip()
        except OSError:
            return {}
        assert self._http
        headers = {"Authorization": f"Bearer {token}"}
        async with self._http.get(f"http://127.0.0.1:{port}/metrics", headers=headers) as answer:
            return counters(await answer.text())

    def _uri(self, path: str) -> str:
        return (self._root / path).as_uri()


def counters(text: str) -> dict[str, float]:
    """Prometheus' text format: a value per name."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines if name}


def _is_index(process: psutil.Process) -> bool:
    try:
        return "index" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
