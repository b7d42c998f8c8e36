"""Switching between adapters in a running engine: ``make bench-switch``.

Random adapters of about 10 MB over the starter, in an engine of their own. Times are a client's,
from its request to the first token or to the answer that the adapter is loaded.
"""

import argparse
import asyncio
import itertools
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec
import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lsp_server.completion.engine import Chunk, GenerationRequest
from lsp_server.cores import physical_cores
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import EngineOptions, find, find_or_start
from lsp_server.engine.runtime import RuntimeOptions
from lsp_server.prompt.assemble import Prompt
from lsp_server.prompt.formats import Text
from lsp_server.store.paths import StorePaths
from tests.benchmarks.keys_over_lsp import SOURCE
from tests.benchmarks.rows import Row, quantile
from tests.editors import end_engine, installed_home
from tests.loras import write_lora
from tests.starter import starter_file

REPOSITORIES = 5
RANK = 23
"""Makes a file of 10 MB over the starter, A in 8 bits and B in 16."""
PROMPT_TOKENS = 256
MIB = 2**20


@dataclass(slots=True)
class Bench:
    """A running engine, its process, and the adapters that it may be given."""

    client: HttpEngine
    process: psutil.Process
    files: Sequence[Path]
    prompt: str
    count: int
    numbers: itertools.count = field(default_factory=itertools.count)

    async def first(self, adapter: str | None, key: str, text: str) -> tuple[float, Chunk]:
        """Milliseconds until the first token of an answer, and what the engine says of it."""
        request = GenerationRequest(
            Prompt((Text(text),)), 1, adapter=adapter, heal=False, cache_key=key
        )
        started = time.perf_counter()
        answer = self.client.generate(request)
        last = await anext(answer)
        elapsed = 1000 * (time.perf_counter() - started)
        async for chunk in answer:
            last = chunk
        return elapsed, last

    def new_text(self) -> str:
        """A prompt whose KV nobody has."""
        return f"# {next(self.numbers)}\n{self.prompt}"

    async def load(self, name: str, path: Path) -> float:
        """Milliseconds from the request to the answer that it is loaded."""
        started = time.perf_counter()
        await self.client.load_adapter(name, path)
        return 1000 * (time.perf_counter() - started)

    def memory(self) -> float:
        """MiB that the engine alone holds."""
        return self.process.memory_full_info().uss / MIB


async def measure(bench: Bench) -> list[Row]:
    """Every row, in the order of the table."""
    rows = await memory(bench)
    rows += await switches(bench)
    rows += await loads(bench)
    return rows + await decodes(bench)


async def memory(bench: Bench) -> list[Row]:
    """One more repository after another on one base, each with an adapter and a file."""
    await bench.first(None, "warm.py", bench.new_text())
    growth, before = [], bench.memory()
    start = before
    for number, path in enumerate(bench.files):
        await bench.load(f"repository{number}", path)
        await bench.first(f"repository{number}", f"{number}.py", bench.new_text())
        now = bench.memory()
        growth.append(now - before)
        before = now
    size = bench.files[0].stat().st_size / MIB
    return [
        Row("engine before the first adapter", "MiB", [start], "own memory, KV included"),
        Row("each of five repositories on it", "MiB", growth, f"files of {size:.1f} MiB"),
    ]


async def switches(bench: Bench) -> list[Row]:
    """The first answer after a switch, beside one of the same adapter before."""
    rows = []
    sequences = [f"repository{number}" for number in range(RuntimeOptions().sequences)]
    for label, names in (
        ("two loaded adapters", sequences[:2]),
        ("adapter and base", ["repository0", None]),
        (f"{len(sequences)} of five repositories", sequences),
    ):
        rows += await _pairs(bench, names, f"{label}, warm tabs", cold=False)
    return rows + await _pairs(
        bench, sequences[:2], f"two loaded adapters, {PROMPT_TOKENS} new tokens", cold=True
    )


async def _pairs(bench: Bench, names: Sequence[str | None], label: str, *, cold: bool) -> list[Row]:
    """Twice in a row with each: the second answer of a pair switches nothing."""
    texts = {name: bench.new_text() for name in names}
    for name in names:
        await bench.first(name, f"pair{name}.py", texts[name])
    stayed, switched = [], []
    for _ in track(range(max(1, 2 * bench.count // len(names))), label, transient=True):
        for name in names:
            for times in (switched, stayed):
                text = bench.new_text() if cold else texts[name]
                times.append((await bench.first(name, f"pair{name}.py", text))[0])
    added = [after - before for after, before in zip(switched, stayed, strict=True)]
    return [
        Row(f"{label}: first token", "ms", stayed, "same adapter again"),
        Row(f"{label}: first token", "ms", switched, "after a switch"),
        Row(f"{label}: added by it", "ms", added, "pair by pair", aim=10.0),
    ]


async def loads(bench: Bench) -> list[Row]:
    """A new adapter: from the request to loaded, and unloaded again."""

    async def load(before: Callable[[Path], None] = lambda _path: None) -> list[float]:
        times = []
        for number in track(range(bench.count), "loads", transient=True):
            path = bench.files[number % len(bench.files)]
            before(path)
            times.append(await bench.load("new", path))
            await bench.client.unload_adapter("new")
        return times

    size = f"{bench.files[0].stat().st_size / 1e6:.1f} MB"
    rows = [Row("new adapter: request to loaded", "ms", await load(), f"{size}, cached", 100.0)]
    if hasattr(os, "posix_fadvise"):
        cold = await load(_drop_from_page_cache)
        rows.append(Row("new adapter: request to loaded", "ms", cold, "from the disk", 100.0))
    before = bench.memory()
    await load()
    grown = bench.memory() - before
    note = f"{bench.count} of them, all unloaded again"
    return [*rows, Row("memory that loading has left behind", "MiB", [grown], note)]


def _drop_from_page_cache(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


async def decodes(bench: Bench) -> list[Row]:
    """The time between two tokens of a running answer, alone and while adapters are loaded."""

    async def gaps() -> list[float]:
        request = GenerationRequest(
            Prompt((Text(bench.new_text()),)), 64, adapter="repository0", temperature=1.0, seed=1,
            heal=False, cache_key="gaps.py",
        )  # fmt: skip
        times, before = [], 0.0
        async for _chunk in bench.client.generate(request):
            now = time.perf_counter()
            if before:
                times.append(1000 * (now - before))
            before = now
        return times

    async def load_on() -> None:
        for number in itertools.count():
            loaded.append(await bench.load("new", bench.files[number % len(bench.files)]))
            await bench.client.unload_adapter("new")
            await asyncio.sleep(0.05)

    loaded: list[float] = []
    rounds = 1 + bench.count // 8
    alone = [gap for _ in range(rounds) for gap in await gaps()]
    loading = asyncio.create_task(load_on())
    beside = [gap for _ in range(rounds) for gap in await gaps()]
    loading.cancel()
    await asyncio.gather(loading, return_exceptions=True)
    return [
        Row("between two tokens", "ms", alone, "nothing is loaded"),
        Row("between two tokens", "ms", beside, f"while {len(loaded)} adapters are loaded"),
        Row("new adapter: request to loaded", "ms", loaded, "beside a running answer", 100.0),
    ]


def table(rows: Sequence[Row]) -> Table:
    """The rows with median, 95th percentile and largest value."""
    title = f"make bench-switch: {platform.machine()}, {physical_cores()} cores"
    result = Table(title=title)
    for heading in ("", "unit", "n", "p50", "p95", "max", "aim", ""):
        result.add_column(heading, justify="left" if not heading else "right", overflow="fold")
    for row in rows:
        values = (statistics.median(row.values), quantile(row.values, 0.95), max(row.values))
        aim = f"<{row.aim:.0f}" if row.aim else ""
        shown = (f"{value:.1f}" for value in values)
        result.add_row(row.name, row.unit, str(len(row.values)), *shown, aim, row.note)
    return result


async def run(home: Path, files: Sequence[Path], count: int) -> list[Row]:
    """Measure over an engine that is started for it."""
    running = await find_or_start(StorePaths(home), EngineOptions())
    assert running.pid
    client = running.connect()
    try:
        ids = (await client.tokenize([SOURCE.read_text("utf-8")]))[0][: PROMPT_TOKENS - 8]
        prompt = (await client.detokenize([ids]))[0]
        return await measure(Bench(client, psutil.Process(running.pid), files, prompt, count))
    finally:
        await client.aclose()


def main() -> None:
    """Measure in a home of its own, and leave nothing running."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="of each pair (default: 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every value there, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = installed_home(Path(folder) / "home")
        files = [
            write_lora(
                Path(folder) / f"{seed}.gguf", starter_file(), seed=seed, rank=RANK, row_ids=()
            )
            for seed in range(REPOSITORIES)
        ]
        try:
            rows = asyncio.run(run(home, files, options.count))
        finally:
            if find(StorePaths(home)):
                end_engine(home)
    Console(width=140).print(table(rows))
    if options.json:
        options.json.write_bytes(msgspec.json.encode([asdict(row) for row in rows]) + b"\n")


if __name__ == "__main__":
    main()
