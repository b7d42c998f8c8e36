"""llama.vscode as a client of llama.cpp's server: its constants, its cache, its look ahead.

After ``src/completion.ts`` and ``src/llama-server.ts`` of llama.vscode 0.0.63, described here in
our own words and code. What it does beside the editor costs no measured CPU time here, in its
favour; its ``max_parallel_completions`` of 3, which makes the server write three answers at once,
is 1 here, also in its favour, unless a row asks for it.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from cachetools import LRUCache

from lsp_server.prompt.formats import FimFormat

from .peer import LlamaServer
from .ring import UPDATE_SECONDS, Ring
from .suggester import BenchmarkError, Document, Offer, Request, Usage
from .typist import Edit

PREFIX_LINES, SUFFIX_LINES, PREDICT = 256, 64, 128
PROMPT_MS, PREDICT_MS = 500, 500
LONGEST_REST, CACHED = 8, 250
POLL_SECONDS, SAVE_SECONDS = 0.15, 1.0
SAMPLING = {
    "top_k": 40, "top_p": 0.99, "samplers": ["top_k", "top_p", "infill"],
    "cache_prompt": True, "stream": False,
}  # fmt: skip
_NO_WORDS = re.compile(r"[ \t]*\Z")


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked with: lines above, the rest of this line and lines below, this line so far."""

    prefix: str
    suffix: str
    prompt: str
    indent: int

    @property
    def key(self) -> tuple[str, str, str]:
        return self.prefix, self.suffix, self.prompt


Compose = Callable[[Window, Document, int], Awaitable[tuple[str, dict[str, Any]]]]
"""From a window to a route and what is posted there, without the sampling."""


@dataclass(slots=True)
class _Place:
    lines: list[str]
    line: int
    head: str
    rest: str
    document: Document = field(repr=False)
    cursor: int = 0


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
            _window(_place(Document(path, text), 0)), Document(path, text), 0, Request(0)
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
        place = _place(document, cursor)
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

    async def _provide(self, place: _Place, request: Request, gone: asyncio.Event) -> Offer | None:
        while self._busy:
            await asyncio.sleep(POLL_SECONDS)
            if gone.is_set():
                return None
        self._busy = True
        try:
            return await self._complete(place, request, gone)
        finally:
            self._busy = False

    async def _complete(self, place: _Place, request: Request, gone: asyncio.Event) -> Offer | None:
        self.ring.asked = time.monotonic()
        if len(place.rest) > LONGEST_REST:
            return _nobody(request)
        window = _window(place)
        text = self._cached(window)
        request.origin = "cache" if text is not None else "model"
        if text is None:
            if gone.is_set():
                return None
            text = await self._ask(window, place.document, place.cursor, request)
        lines = _without_blank_end(text.split("\n"))
        if _is_discarded(lines, place):
            return _nobody(request)
        shown = _shortened(lines, place.rest)
        self._cache[window.key] = shown
        request.answered = time.perf_counter()
        self._spawn(self._afterwards(window, lines, place, gone))
        spaces = len(place.head) if _NO_WORDS.match(place.head) else 0
        return Offer(_without_spaces(shown, spaces)) if shown else None

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
        self, window: Window, lines: list[str], place: _Place, gone: asyncio.Event
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

    async def _look_ahead(self, window: Window, lines: list[str], place: _Place) -> None:
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
            self._cache[future.key] = "\n".join(_without_blank_end(answer.split("\n")))

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
            place = _place(document, cursor)
            self.ring.around(document.path, place.lines, place.line)

    def rests(self, document: Document, cursor: int) -> None:
        """Nothing: it reads a place when it is asked there."""

    def saved(self, document: Document, cursor: int) -> None:
        async def later() -> None:
            await asyncio.sleep(SAVE_SECONDS)
            place = _place(document, cursor)
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


def _place(document: Document, cursor: int) -> _Place:
    lines = document.text.split("\n")
    line = document.text.count("\n", 0, cursor)
    column = cursor - (document.text.rfind("\n", 0, cursor) + 1)
    return _Place(lines, line, lines[line][:column], lines[line][column:], document, cursor)


def _window(place: _Place) -> Window:
    above = place.lines[max(0, place.line - PREFIX_LINES) : place.line]
    below = place.lines[place.line + 1 : place.line + 1 + SUFFIX_LINES]
    whole = place.lines[place.line]
    return Window(
        "\n".join(above) + "\n",
        place.rest + "\n" + "\n".join(below) + "\n",
        "" if _NO_WORDS.match(place.head) else place.head,
        len(whole) - len(whole.lstrip()),
    )


def _without_blank_end(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


def _is_discarded(lines: list[str], place: _Place) -> bool:
    """Whether a suggestion only repeats what stands there."""
    if not lines or (len(lines) == 1 and not lines[0].strip()):
        return True
    document, line = place.lines, place.line
    if line == len(document) - 1:
        return False
    repeats = lines[0].strip() in {"", place.rest.strip()}
    if len(lines) > 1 and repeats and lines[1:] == document[line + 1 : line + len(lines)]:
        return True
    return lines == [place.rest] or _repeats_following(lines, place)


def _repeats_following(lines: list[str], place: _Place) -> bool:
    """Whether it would put the next line that is not blank there once more."""
    document, line = place.lines, place.line
    following = next(
        (number for number in range(line + 1, len(document)) if document[number].strip()), None
    )
    if following is None or place.head + lines[0] != document[following]:
        return False
    if len(lines) == 1:
        return True
    if len(lines) == 2:
        return "".join(document[following + 1 : following + 2]).startswith(lines[1])
    return lines[1:] == document[following + 1 : following + len(lines)]


def _shortened(lines: list[str], rest: str) -> str:
    """A suggestion in the middle of a line is one line, without what stands behind it."""
    if rest.strip():
        if lines[0].endswith(rest):
            return lines[0][: -len(rest)]
        if len(lines) > 1:
            return lines[0]
    return "\n".join(lines)


def _without_spaces(text: str, count: int) -> str:
    start = 0
    while start < len(text) and ((start < count and text[start] == " ") or text[start] == "\t"):
        start += 1
    return text[start:]
