"""What each mechanism between two keystrokes buys: the typing traces against a simulated engine.

Time is virtual, so the figures are the same on every machine and at any load, and they say nothing
of a real engine's speed: ``make bench-latency`` measures that. The engine keeps one KV cache per
file, reads and writes at given speeds, one job at a time, and gives a job up between two tokens.
Its model knows what will be typed, up to the next word that is hard; which words are, is drawn once
per place, so that asking again says the same.

    python -m tests.benchmarks.keystrokes --data FOLDER [--traces 12] [--read 200] [--write 55]
"""

import argparse
import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from lsprotocol import types
from rich.console import Console
from rich.table import Table

from lsp_server.completion import flight, near, provider, trigger
from lsp_server.completion.engine import Chunk, EngineInfo, GenerationRequest
from lsp_server.completion.idle import Idle
from lsp_server.edits import Request as Asked
from lsp_server.engine.supervisor import EngineState, EngineStatus
from lsp_server.prompt.formats import FORMATS, Text
from lsp_server.session.keys import Edit as Told
from lsp_server.session.session import Session

from .typing import replay as playing
from .typing.figures import Figures
from .typing.sources import repositories
from .typing.suggester import Document, Offer, Request, Usage
from .typing.tenon import RESTS_AFTER, offset_on_line, position
from .typing.traces import Trace, traces
from .typing.typist import Edit

CHARACTERS_PER_TOKEN = 3.5
EASY = 0.85
"""How often the model knows the next word."""
UTF16 = types.PositionEncodingKind.Utf16
_PIECES = re.compile(r"\w+|\n[ ]*|[^\w]")


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to the next timer as soon as nothing else is to be done."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        due = [timer.when() for timer in timers if not timer.cancelled()]
        if due and not self._ready:  # type: ignore[attr-defined]
            self.now = max(self.now, min(due))
        super()._run_once()  # type: ignore[misc]


class SimulatedEngine:
    """One model, one thread, a KV cache per file; counts the tokens that it computes."""

    def __init__(self, read: float, write: float, busy: float) -> None:
        self.served = EngineInfo("simulated", FORMATS["tenon-starter"], 4096, read, write)
        self.busy = busy
        self.truths: list[str] = []
        self.read = self.written = 0.0
        self._kept: dict[str, str] = {}
        self._thread = asyncio.Lock()
        self._begun: set[asyncio.Task[None]] = set()

    async def info(self) -> EngineInfo:
        return self.served

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [round(len(text) / CHARACTERS_PER_TOKEN) or 1 for text in texts]

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Chunk]:
        segments = request.prompt.segments
        prompt = "\0".join(entry.text if isinstance(entry, Text) else "" for entry in segments)
        prefix = next(
            piece.segment.text
            for piece in request.prompt.pieces
            if piece.role == "prefix" and isinstance(piece.segment, Text)
        )
        key = request.cache_key
        await self._prefill(key, prompt)
        for written, piece in enumerate(self._answer(prefix)):
            await self._compute(1, self.served.decode_speed, key, self._kept[key] + piece)
            last = written + 1 >= request.max_tokens
            yield Chunk(piece, finish_reason="length" if last else None)
            if last or any(stop in piece for stop in request.stop):
                return
        yield Chunk("", finish_reason="stop")

    async def _prefill(self, key: str, prompt: str) -> None:
        while True:
            shared = _shared(self._kept.get(key, ""), prompt)
            size = min(len(prompt) - shared, int(32 * CHARACTERS_PER_TOKEN))
            if size <= 0:
                self._kept[key] = prompt
                return
            tokens = size / CHARACTERS_PER_TOKEN
            await self._compute(tokens, self.served.prefill_speed, key, prompt[: shared + size])

    async def _compute(self, tokens: float, speed: float, key: str, kept: str) -> None:
        """One step, which nobody can break off once it has begun; what it computed is kept."""
        await self._thread.acquire()

        async def step() -> None:
            await asyncio.sleep(self.busy * tokens / speed)
            if speed == self.served.prefill_speed:
                self.read += tokens
            else:
                self.written += tokens
            self._kept[key] = kept
            self._thread.release()

        begun = asyncio.create_task(step())
        self._begun.add(begun)
        begun.add_done_callback(self._begun.discard)
        await asyncio.shield(begun)

    def _answer(self, prefix: str) -> list[str]:
        """What follows, up to a hard word, which is another one."""
        for truth in self.truths:
            for size in (200, 60, 24):
                at = truth.find(prefix[-size:])
                if at >= 0:
                    return self._continue(truth, at + len(prefix[-size:]))
        return ["nothing_known", "\n"]

    def _continue(self, truth: str, at: int) -> list[str]:
        pieces: list[str] = []
        for found in _PIECES.finditer(truth, at):
            if found.group()[0].isalnum() and _draw(truth, found.end()) > EASY:
                return [*pieces, "other_word", "\n"]
            pieces.append(found.group())
            if len(pieces) > 200:
                break
        return pieces


def _shared(one: str, other: str) -> int:
    """Length of the longest common prefix."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def _draw(truth: str, at: int) -> float:
    digest = blake2b(f"{at} {truth[max(0, at - 20) : at]}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32


class InProcess:
    """Tenon's session without its processes."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine
        self._session = Session(lambda _: None)
        info = engine.served
        status = EngineStatus(EngineState.READY, "", info, pid=1, url="")
        self._session.engines = SimpleNamespace(  # type: ignore[assignment]
            status=status, engine=lambda: engine, failed=print
        )
        self._session.setting_up(None)
        self._session.configure({"multiline": "auto"})
        self._resting: asyncio.TimerHandle | None = None

    async def start(self, root: Path, documents: dict[str, str]) -> None: ...

    def changed(self, before: Document, edit: Edit) -> None:
        if self._resting is not None:
            self._resting.cancel()
        end = edit.start + edit.removed
        text = before.text[: edit.start] + edit.inserted + before.text[end:]
        span = types.Range(
            types.Position(**position(before.text, edit.start)),
            types.Position(**position(before.text, end)),
        )
        change = types.TextDocumentContentChangePartial(span, edit.inserted)
        self._session.edited(before.path, text, Told.of([change], UTF16), UTF16)

    async def suggest(self, document: Document, cursor: int, request: Request) -> Offer | None:
        try:
            suggestion, completion = await self._session.complete(self._asked(document, cursor))
        except asyncio.CancelledError:
            request.cancelled = True
            raise
        request.answered = time.perf_counter()
        request.reason = str(completion.reason)
        request.origin = "cache" if request.reason == "cache" else "model"
        if suggestion is None:
            return None
        end = offset_on_line(document.text, cursor, suggestion.range.end.character)
        return Offer(suggestion.text, end - cursor, suggestion.id)

    def _asked(self, document: Document, cursor: int) -> Asked:
        place = types.Position(**position(document.text, cursor))
        path = f"/{document.path}"
        return Asked(document.path, document.text, place, UTF16, "python", path, ("/",))

    def accepted(self, offer: Offer) -> None:
        self._session.accepted(offer.id)

    def switched(self, old: Any, new: Any) -> None: ...

    def rests(self, document: Document, cursor: int) -> None:
        asked = self._asked(document, cursor)
        loop = asyncio.get_running_loop()
        self._resting = loop.call_later(RESTS_AFTER, self._session.rests, asked)

    def saved(self, document: Document, cursor: int) -> None: ...

    async def usage(self) -> Usage:
        engine = self._engine
        read, write = engine.served.prefill_speed, engine.served.decode_speed
        cpu = engine.read / read + engine.written / write
        return Usage(cpu, cpu, engine.read, engine.written)

    async def close(self) -> None:
        self._session.close()


_fits = flight.Flight.fits


def _joins(self: flight.Flight, place: Any, before: str, after: str) -> bool:
    return bool(self.written) and _fits(self, place, before, after)


def _waiting(seconds: float) -> Callable[..., Any]:
    return lambda _: asyncio.sleep(seconds)


def _never(*_: Any, **__: Any) -> None: ...


def _asking(*reasons: str) -> Callable[..., Any]:
    """The trigger without some of its reasons."""

    def refusal(before: str, after: str, **known: Any) -> Any:
        reason = trigger.refusal(before, after, **known)
        return None if str(reason) in reasons else reason

    return refusal


Change = tuple[Any, str, Any]
WITHOUT: dict[str, list[Change]] = {
    "all of it": [],
    "no joining": [(flight.Flight, "fits", lambda *_: False), (flight, "GRACE_SECONDS", 0.0)],
    "joined once it writes": [(flight.Flight, "fits", _joins)],
    "no grace": [(flight, "GRACE_SECONDS", 0.0)],
    "nothing ahead": [(Idle, "then", _never)],
    "no reading ahead": [(provider.CompletionProvider, "rests", _never)],
    "no deadline": [(flight.Flight, "_complete_lines", lambda _: None)],
    "waits 25 ms": [(provider.CompletionProvider, "_wait", _waiting(0.025))],
    "waits 75 ms": [(provider.CompletionProvider, "_wait", _waiting(0.075))],
    "no closers": [(near, "MOST_CLOSERS", 0)],
    "asked in prose": [(provider, "refusal", _asking("prose"))],
    "asked behind brackets": [(provider, "refusal", _asking("bracket_closed"))],
    "asked while deleting": [(provider, "refusal", _asking("deleting"))],
}
"""Rows: everything, and everything but one mechanism."""


def played(trace: Trace, changes: Sequence[Change], engine: SimulatedEngine, row: str) -> Any:
    """One trace in virtual time."""
    loop = VirtualLoop()
    with ExitStack() as stack:
        stack.callback(loop.close)
        clock: Callable[[], float] = loop.time
        stack.enter_context(patch("time.perf_counter", clock))
        stack.enter_context(patch("time.monotonic", clock))
        for where, name, value in changes:
            if hasattr(where, name):
                stack.enter_context(patch.object(where, name, value))

        async def play() -> Any:
            suggester = InProcess(engine)
            replay = playing.Replay(trace, suggester, Path("/"), row)
            replay._save = _never  # type: ignore[method-assign]
            engine.truths = [_whole(trace, path) for path in trace.documents]
            noted = await replay.play()
            await suggester.close()
            await asyncio.sleep(5)  # what cannot be broken off ends
            return noted

        return loop.run_until_complete(play())


def _whole(trace: Trace, path: str) -> str:
    """A document once everything is typed."""
    text = trace.documents[path]
    for task in sorted(
        (one for one in trace.tasks if one.path == path), key=lambda one: -one.offset
    ):
        text = text[: task.offset] + task.text + text[task.offset :]
    return text


def main() -> None:
    """Print one row per mechanism that is left out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--traces", type=int, default=12)
    parser.add_argument("--read", type=float, default=200.0, help="tokens per second")
    parser.add_argument("--write", type=float, default=55.0, help="tokens per second")
    parser.add_argument("--busy", type=float, default=1.0, help="so much slower than it believes")
    parser.add_argument("--only", default="", help="rows, separated by commas")
    given = parser.parse_args()
    wanted = [name.strip() for name in given.only.split(",") if name.strip()] or list(WITHOUT)
    chosen = traces(repositories(given.data), given.traces, 1)
    table = Table(
        title=f"{given.traces} traces, {given.read:.0f} tok/s read, {given.write:.0f} written"
    )
    names = (
        "held",
        "offered",
        "p50 ms",
        "p95 ms",
        "tokens read",
        "written",
        "engine s",
        "flickers",
    )
    for name in ("without", *names):
        table.add_column(name, justify="right" if name != "without" else "left")
    for row in wanted:
        changes = WITHOUT[row]
        replays = [
            played(trace, changes, SimulatedEngine(given.read, given.write, given.busy), row)
            for trace in chosen
        ]
        figures = Figures.of(row, replays).summary()
        table.add_row(
            row,
            f"{figures['held_share']:.1%}",
            f"{figures['offered_share']:.1%}",
            f"{figures['fresh_p50_ms']:.0f}",
            f"{figures['fresh_p95_ms']:.0f}",
            f"{figures['prompt_n']:.0f}",
            f"{figures['predicted_n']:.0f}",
            f"{figures['cpu_s']:.1f}",
            str(figures["flickers"]),
        )
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
