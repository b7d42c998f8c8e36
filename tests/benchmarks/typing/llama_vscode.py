"""llama.vscode as a client of llama.cpp's server: its constants, its cache, its look ahead.

After ``src/completion.ts`` and ``src/llama-server.ts`` of llama.vscode 0.0.63, described here in
our own words and code. What it does beside the editor costs no measured CPU time here, in its
favour; its ``max_parallel_completions`` of 3, which makes the server write three answers at once,
is 1 here, also in its favour, unless a row asks for it.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

from cachetools import LRUCache

from lsp_server.prompt.formats import FimFormat

from .infill_text import (
    NO_WORDS,
    PREFIX_LINES,
    SUFFIX_LINES,
    Place,
    Window,
    is_discarded,
    place_of,
    shortened,
    window_of,
    without_blank_end,
    without_spaces,
)
from .peer import LlamaServer
from .ring import UPDATE_SECONDS, Ring
from .suggester import BenchmarkError, Document, Offer, Request, Usage
from .typist import Edit

PREDICT = 128
PROMPT_MS, PREDICT_MS = 500, 500
LONGEST_REST, CACHED = 8, 250
POLL_SECONDS, SAVE_SECONDS = 0.15, 1.0
SAMPLING = {
    "top_k": 40, "top_p": 0.99, "samplers": ["top_k", "top_p", "infill"],
    "cache_prompt": True, "stream": False,
}  # fmt: skip


Compose = Callable[[Window, Document, int], Awaitable[tuple[str, dict[str, Any]]]]
"""From a window to a route and what is posted there, without the sampling."""


class LlamaVscode:
    """The client; ``compose`` makes requests of windows (default: ``/infill``)."""

    def __init__(
        self,
        server: Callable[[], Awaitable[LlamaServer]],
        fim: FimFormat,
        *,
        compose: Compose | None = None,
        answers: int = 1,
        seed: int = 0,
    ) -> None:
        self._connect = server
        self._fim = fim
        self._compose = compose or self._infill
        self._answers = answers
        self._cache: LRUCache[tuple[str, str, str], str] = LRUCache(CACHED)
        self.ring = Ring(Random(seed))
        self._busy = False
        self._server: LlamaServer | None = None
        self._beside: set[asyncio.Task[Any]] = set()
        self._active: tuple[str, int] = ("", 0)
        self.ahead: list[Request] = []
        """Questions that nobody has asked yet, and the ring's."""

    @property
    def server(self) -> LlamaServer:
        if self._server is None:
            raise BenchmarkError("the server was not started")
        return self._server

    async def start(self, root: Path, documents: dict[str, str]) -> None:
        self._server = await self._connect()
        path, text = next(iter(documents.items()))
        await self._check_order()
        await self._ask(
            window_of(place_of(Document(path, text), 0)), Document(path, text), 0, Request(0)
        )
        self._spawn(self._follow())

    async def _check_order(self) -> None:
        """Whether the server lays an infill out as the model was taught."""
        body = {"input_prefix": "before", "input_suffix": "after", "prompt": "", "n_predict": 1}
        answer = await self.server.post("/infill", body)
        laid = answer.get("prompt", "")
        if not isinstance(laid, str) or "before" not in laid:
            raise BenchmarkError("llama.cpp's server does not say how it lays out an infill")
        names = [part.value for part in self._fim.layout if hasattr(part, "value")]
        wanted = names.index("suffix") < names.index("prefix")
        if (laid.index("after") < laid.index("before")) != wanted:
            raise BenchmarkError(f"llama.cpp's server has another order than {self._fim.name}")

    def changed(self, before: Document, edit: Edit) -> None:
        """The client reads the document when it asks."""

    async def suggest(self, document: Document, cursor: int, request: Request) -> Offer | None:
        place = place_of(document, cursor)
        self._active = document.path, place.line
        # Its request goes on when the editor's is cancelled, and the next one waits for it.
        gone = asyncio.Event()
        task = self._spawn(self._provide(place, request, gone))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            request.cancelled = True
            gone.set()
            raise

    async def _provide(self, place: Place, request: Request, gone: asyncio.Event) -> Offer | None:
        while self._busy:
            await asyncio.sleep(POLL_SECONDS)
            if gone.is_set():
                return None
        self._busy = True
        try:
            return await self._complete(place, request, gone)
        finally:
            self._busy = False

    async def _complete(self, place: Place, request: Request, gone: asyncio.Event) -> Offer | None:
        self.ring.asked = time.monotonic()
        if len(place.rest) > LONGEST_REST:
            return _nobody(request)
        window = window_of(place)
        text = self._cached(window)
        request.origin = "cache" if text is not None else "model"
        if text is None:
            if gone.is_set():
                return None
            text = await self._ask(window, place.document, place.cursor, request)
        lines = without_blank_end(text.split("\n"))
        if is_discarded(lines, place):
            return _nobody(request)
        shown = shortened(lines, place.rest)
        self._cache[window.key] = shown
        request.answered = time.perf_counter()
        self._spawn(self._afterwards(window, lines, place, gone))
        spaces = len(place.head) if NO_WORDS.match(place.head) else 0
        return Offer(without_spaces(shown, spaces)) if shown else None

    def _cached(self, window: Window) -> str | None:
        """This window's answer, or what is left of one to less of this line."""
        for length in range(len(window.prompt), -1, -1):
            known = self._cache.get((window.prefix, window.suffix, window.prompt[:length]))
            typed = window.prompt[length:]
            if known is not None and (not typed or (known and known.startswith(typed))):
                return known[len(typed) :]
        return None

    async def _ask(self, window: Window, document: Document, cursor: int, request: Request) -> str:
        route, body = await self._compose(window, document, cursor)
        body |= {"id_slot": 0, "n_predict": PREDICT, **SAMPLING, "seed": 1}
        body |= {"t_max_prompt_ms": PROMPT_MS, "t_max_predict_ms": PREDICT_MS}
        if window.indent:
            body["n_indent"] = window.indent
        if self._answers > 1:
            body["n_cmpl"] = self._answers
        answer = await self.server.post(route, body)
        first = answer[0] if isinstance(answer, list) else answer
        for one in answer if isinstance(answer, list) else [answer]:
            timings = one.get("timings", {})
            request.prompt_n += int(timings.get("prompt_n", 0))
            request.predicted_n += int(timings.get("predicted_n", 0))
        return str(first.get("content", ""))

    async def _afterwards(
        self, window: Window, lines: list[str], place: Place, gone: asyncio.Event
    ) -> None:
        """What comes after this suggestion is asked for as if it had been accepted."""
        await asyncio.sleep(0)
        if not gone.is_set() and not place.rest.strip():
            await self._look_ahead(window, lines, place)
            if len(lines) > 1:
                prefix = window.prefix + window.prompt + lines[0] + "\n"
                self._cache.setdefault((prefix, window.suffix, ""), "\n".join(lines[1:]))
        if not gone.is_set():
            self.ring.after_answer(
                place.document.path, place.lines, place.line, PREFIX_LINES, SUFFIX_LINES
            )

    async def _look_ahead(self, window: Window, lines: list[str], place: Place) -> None:
        prefix, prompt = window.prefix, window.prompt + lines[0]
        if len(lines) > 1:
            above = (prefix + window.prompt + "\n".join(lines[:-1])).split("\n")
            prefix, prompt = "\n".join(above[-PREFIX_LINES:]) + "\n", lines[-1]
        indent = len(window.prompt) - len(window.prompt.lstrip())
        future = Window(prefix, window.suffix, prompt, indent)
        if future.key in self._cache:
            return
        request = Request(time.perf_counter(), origin="model", reason="ahead")
        self.ahead.append(request)
        text = place.document.text
        added = "\n".join(lines)
        ahead = text[: place.cursor] + added + text[place.cursor :]
        answer = await self._ask(
            future, Document(place.document.path, ahead), place.cursor + len(added), request
        )
        if answer.strip():
            self._cache[future.key] = "\n".join(without_blank_end(answer.split("\n")))

    async def _infill(
        self, window: Window, document: Document, cursor: int
    ) -> tuple[str, dict[str, Any]]:
        return "/infill", {
            "input_prefix": window.prefix,
            "input_suffix": window.suffix,
            "prompt": window.prompt,
            "input_extra": self.ring.extra(),
        }

    async def _follow(self) -> None:
        """Put a waiting chunk into the ring, and have the server read it, while nobody types."""
        while True:
            await asyncio.sleep(UPDATE_SECONDS)
            if self.ring.update():
                body = {"input_prefix": "", "input_suffix": "", "prompt": "", "n_predict": 0}
                body |= {"id_slot": 0, "samplers": [], "cache_prompt": True, "t_max_predict_ms": 1}
                body |= {"t_max_prompt_ms": PROMPT_MS, "input_extra": self.ring.extra()}
                await self.server.post("/infill", body)

    def accepted(self, offer: Offer) -> None:
        """Nothing is told."""

    def switched(self, old: tuple[Document, int], new: tuple[Document, int]) -> None:
        for document, cursor in (old, new):
            place = place_of(document, cursor)
            self.ring.around(document.path, place.lines, place.line)

    def rests(self, document: Document, cursor: int) -> None:
        """Nothing: it reads a place when it is asked there."""

    def saved(self, document: Document, cursor: int) -> None:
        async def later() -> None:
            await asyncio.sleep(SAVE_SECONDS)
            place = place_of(document, cursor)
            self.ring.around(document.path, place.lines, place.line)

        self._spawn(later())

    async def usage(self) -> Usage:
        return await self.server.usage()

    async def close(self) -> None:
        for task in self._beside:
            task.cancel()
        with contextlib.suppress(BenchmarkError):
            await asyncio.gather(*self._beside, return_exceptions=True)
        if self._server is not None:
            await self._server.close()

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._beside.discard(task)
        if not task.cancelled():
            task.exception()  # told by whoever waits for it; nobody does after a cancellation


def _nobody(request: Request) -> None:
    request.answered, request.origin = time.perf_counter(), request.origin or "nobody"
