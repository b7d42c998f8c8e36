"""What a key costs over LSP: asked of the engine, and answered out of the cache.

An editor is another process that writes a few bytes into a pipe. So the client here does next to
nothing: pygls' own builds and checks its messages on the cores whose time is measured.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.progress import track

import lsp_server
from lsp_server.cores import physical_cores
from lsp_server.engine.llama import Backend, Context, Model
from tests.starter import plain_file

from .rows import Row
from .typing.rpc import Connection
from .typing.tenon import Tenon, position

KEYSTROKES = 200
REMEMBERED = 100
SIZES = {"10 kB": 10_000, "100 kB": 100_000, "1.8 MB": 1_800_000}
REST_SECONDS = 0.05
"""After an answer, before the next key: nobody types faster, and threads that spin go to sleep."""
LEAST_TYPED = 6
"""Characters of an answer that is worth typing along."""
SETTINGS = {"debounceMs": 0, "maxLines": 1}
SOURCE = Path(lsp_server.__file__).parent / "engine" / "generation.py"


@dataclass(slots=True)
class Typist:
    """Types at one place of a document, and asks at every key."""

    rpc: Connection
    uri: str
    before: str = ""
    after: str = ""
    version: int = 0

    def open(self, before: str, after: str = "") -> None:
        """Open the document, or open it anew, with the cursor between two texts."""
        if self.version:
            self.rpc.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})
        self.before, self.after = before, after
        self.version += 1
        item = {"uri": self.uri, "languageId": "python", "version": self.version}
        self.rpc.notify("textDocument/didOpen", {"textDocument": item | {"text": before + after}})

    async def key(self, typed: str) -> float:
        """Type a character; milliseconds from the edit to the answer."""
        here, self.version = position(self.before, len(self.before)), self.version + 1
        self.before += typed
        edit = {
            "textDocument": {"uri": self.uri, "version": self.version},
            "contentChanges": [{"range": {"start": here, "end": here}, "text": typed}],
        }
        question = self._question(automatic=True)
        started = time.perf_counter()
        self.rpc.notify("textDocument/didChange", edit)
        await self.rpc.request("textDocument/inlineCompletion", question)
        return 1000 * (time.perf_counter() - started)

    async def by_hand(self) -> str:
        """The answer to who asks for one."""
        question = self._question(automatic=False)
        answer = await self.rpc.request("textDocument/inlineCompletion", question)
        return "".join(item["insertText"] for item in answer["items"])

    async def outcome(self) -> dict[str, Any]:
        """How the last request ended."""
        status: dict[str, Any] = await self.rpc.request("tenon/status", None)
        outcome: dict[str, Any] = status["recent"][-1]
        return outcome

    def _question(self, *, automatic: bool) -> dict[str, Any]:
        return {
            "textDocument": {"uri": self.uri},
            "position": position(self.before, len(self.before)),
            "context": {"triggerKind": 2 if automatic else 1},
        }


@asynccontextmanager
async def serving(home: Path, workspace: Path) -> AsyncIterator[Connection]:
    """A server that is ready; its engine ends with it."""
    tenon = Tenon(home, SETTINGS)
    try:
        await tenon.start(workspace, {"first.py": "import os\n"})
        yield tenon.rpc
    finally:
        await tenon.close()


async def keys_over_lsp(home: Path, workspace: Path) -> list[Row]:
    """All rows."""
    async with serving(home, workspace) as rpc:
        asked = await asking(Typist(rpc, (workspace / "typing.py").as_uri()))
        server = psutil.Process(rpc.process.pid).memory_info().rss / 2**20
        cached = [
            await remembered(Typist(rpc, (workspace / f"{size}.py").as_uri()), name, size)
            for name, size in SIZES.items()
        ]
    return [*asked, *cached, Row("server: memory", "MiB", [server])]


async def asking(typist: Typist) -> list[Row]:
    """Typing that asks the engine; the same tokens through llama_cpp alone, in turns with it."""
    text = SOURCE.read_text("utf-8")
    typed_from = text.index("        sampler = Sampler")
    overhead, through, alone, ratio = [], [], [], []
    llama = Alone()
    typist.open(text[:typed_from])
    for number in track(range(KEYSTROKES), "keystrokes", transient=True):
        elapsed = await typist.key(text[typed_from + number])
        timings = (await typist.outcome())["timings"]
        await asyncio.sleep(REST_SECONDS)
        if not timings.get("predicted_n"):
            continue  # answered from the cache, or not asked at all
        overhead.append(elapsed - timings["prompt_ms"] - timings["predicted_ms"])
        if not through and timings["prompt_n"] > timings["cache_n"]:
            continue  # the cold prompt is another row's business
        own = llama.milliseconds(
            cached=int(timings["cache_n"]),
            read=int(timings["prompt_n"]),
            written=int(timings["predicted_n"]),
        )
        await asyncio.sleep(REST_SECONDS)
        through.append(elapsed)
        alone.append(own)
        ratio.append(elapsed / own)
    llama.close()
    return [
        Row("LSP + HTTP overhead per keystroke", "ms", overhead, "request time less engine time"),
        Row("keystroke through LSP", "ms", through, f"{len(through)} that asked the engine"),
        Row("the same tokens through llama_cpp alone", "ms", alone, "in turns with it"),
        Row("ratio of the two", "×", ratio),
    ]


async def remembered(typist: Typist, name: str, size: int) -> Row:
    """Typing along answers near the end of a file of so many characters."""
    source = SOURCE.read_text("utf-8")
    text = (source * (size // len(source) + 1))[:size]
    times: list[float] = []
    at = size - min(size // 2, len(source))
    while len(times) < REMEMBERED and (at := text.find("\n        ", at) + 1):
        start, at = at + len("        "), text.index("\n", at)
        typist.open(text[:start], text[at:])
        answer = await typist.by_hand()
        if len(answer) < LEAST_TYPED:
            continue
        for character in answer[: LEAST_TYPED - 1]:
            elapsed = await typist.key(character)
            if (await typist.outcome())["reason"] == "cache":
                times.append(elapsed)
            await asyncio.sleep(REST_SECONDS)
    return Row("answer out of the cache", "ms", times, f"in a file of {name}")


class Alone:
    """llama_cpp without any of Tenon's serving code: as many tokens, over as much cache."""

    def __init__(self) -> None:
        self._model = Model.load(Backend(logging.getLogger("llama")), plain_file())
        self._context = Context(
            self._model, tokens=4096, sequences=1, chunk=64, threads=physical_cores()
        )
        # Which tokens is all the same to the clock.
        self._filler = self._model.vocabulary.tokenize(SOURCE.read_text("utf-8"))[:3000]
        self._held = 0

    def milliseconds(self, *, cached: int, read: int, written: int) -> float:
        """Time to read tokens after those that are cached, and to write some greedily."""
        self._held = self._context.truncate(0, min(self._held, cached))
        self._fill(cached)
        started = time.perf_counter()
        self._fill(cached + read)
        for step in range(written - 1):
            token = int(self._context.logits().argmax())
            self._context.decode([token], position=self._held + step, sequence=0)
        return 1000 * (time.perf_counter() - started)

    def _fill(self, end: int) -> None:
        for start in range(self._held, end, self._context.chunk):
            chunk = self._filler[start : min(start + self._context.chunk, end)]
            self._context.decode(chunk, position=start, sequence=0)
        self._held = end

    def close(self) -> None:
        self._context.close()
        self._model.close()
