"""The serving path, measured: ``make bench-serve`` prints the table of docs/benchmarks.md."""

import asyncio
import logging
import os
import platform
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import track

from lsp_server.completion.engine import GenerationRequest
from lsp_server.cores import physical_cores
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import EngineOptions, find, find_or_start, stop
from lsp_server.engine.llama import Backend, Context, Model
from lsp_server.engine.runtime import INTERACTIVE_CHUNK
from lsp_server.prompt.assemble import Prompt
from lsp_server.prompt.formats import Text
from lsp_server.store.paths import StorePaths
from tests.editors import editor, end_engine, installed_home
from tests.starter import plain_file

from .keys_over_lsp import SOURCE, keys_over_lsp
from .rows import Row, table

STARTS = 5
REQUESTS = 30
CANCELS = 20


async def measure(home: Path, workspace: Path) -> list[Row]:
    """Every row, in the order of the table."""
    rows = [*await starts(home, workspace), model_load()]
    running = await find_or_start(StorePaths(home), EngineOptions())
    client = running.connect()
    try:
        rows += await speeds(client)
        rows += await cancels(client)
    finally:
        await client.aclose()
    assert running.pid
    memory = psutil.Process(running.pid).memory_full_info()
    rows.append(Row("engine: memory", "MiB", [memory.rss / 2**20], f"{memory.uss / 2**20:.0f} own"))
    return [*rows, *await keys_over_lsp(home, workspace)]


async def starts(home: Path, workspace: Path) -> list[Row]:
    """From process start to ``initialize`` answered, and to the first completion."""
    ready, cold, engine_up = [], [], []
    for _ in track(range(STARTS), "cold starts", transient=True):
        end_engine(home)
        started = time.perf_counter()
        async with editor(home, workspace, options={"offerModels": False}) as session:
            ready.append(1000 * (time.perf_counter() - started))
            uri = session.open("def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return a")
            while not await session.complete(uri, 5, 12):  # noqa: ASYNC110 - by request
                await asyncio.sleep(0.02)
            cold.append(1000 * (time.perf_counter() - started))
        end_engine(home)
        started = time.perf_counter()
        paths = StorePaths(home)
        running = await find_or_start(paths, EngineOptions())
        engine_up.append(1000 * (time.perf_counter() - started))
        await stop(running, paths)
    return [
        Row("server: process start to LSP ready", "ms", ready),
        Row("engine: process start to ready", "ms", engine_up, "imports, load, speed measurement"),
        Row("cold start to first completion", "ms", cold, "server and engine started from nothing"),
    ]


def model_load() -> Row:
    """Mapping the file and making the contexts, in this process."""
    backend, times = Backend(logging.getLogger("llama")), []
    for _ in range(STARTS):
        started = time.perf_counter()
        model = Model.load(backend, plain_file())
        context = Context(model, tokens=4096, sequences=4, chunk=64, threads=physical_cores())
        times.append(1000 * (time.perf_counter() - started))
        context.close()
        model.close()
    return Row("model: load and context", "ms", times, "4 sequences of 4,096 tokens")


async def speeds(client: HttpEngine) -> list[Row]:
    """Prefill of 256 new tokens and decode of 16, per token."""
    text = SOURCE.read_text("utf-8")
    ids = (await client.tokenize([text]))[0][:256]
    prompt = (await client.detokenize([ids]))[0]
    prefill, decode = [], []
    for number in track(range(REQUESTS), "speeds", transient=True):
        request = GenerationRequest(
            Prompt((Text(f"# {number}\n{prompt}"),)), 16, heal=False, cache_key=f"{number}.py"
        )
        *_, last = [chunk async for chunk in client.generate(request)]
        timings = last.timings
        prefill.append(timings["prompt_ms"] / timings["prompt_n"])
        if timings["predicted_n"] > 1:
            decode.append(timings["predicted_ms"] / timings["predicted_n"])
    return [
        Row("prefill", "ms/token", prefill, "256 new tokens"),
        Row("decode", "ms/token", decode, "16 tokens after them"),
    ]


async def cancels(client: HttpEngine) -> list[Row]:
    """How long a new request waits for an engine whose client has just gone away."""
    prompt = "value = compute(1)\n" * 300
    waits, chunks = [], []
    for number in track(range(CANCELS), "cancels", transient=True):
        request = GenerationRequest(Prompt((Text(prompt),)), 16, cache_key=f"cancel{number}.py")
        answer = client.generate(request)
        waiting = asyncio.create_task(anext(answer))
        await asyncio.sleep(0.15 + 0.01 * number)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await answer.aclose()
        after = GenerationRequest(Prompt((Text("x ="),)), 1, heal=False, cache_key="after.py")
        *_, last = [chunk async for chunk in client.generate(after)]
        waits.append(last.timings["queue_ms"])
        chunk = GenerationRequest(
            Prompt((Text(f"# {number}\n" + "def f(x):\n" * 11),)), 0, cache_key="chunk.py"
        )
        *_, last = [chunk async for chunk in client.generate(chunk)]
        timings = last.timings
        chunks.append(INTERACTIVE_CHUNK * timings["prompt_ms"] / timings["prompt_n"])
    return [
        Row("cancel to free engine", "ms", waits, "wait of the next request"),
        Row("one chunk", "ms", chunks, f"{INTERACTIVE_CHUNK} tokens, for comparison"),
    ]


def main() -> None:
    """Measure in a home of its own, and leave nothing running."""
    # As on a user's machine: compiled modules are kept.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        home = installed_home(Path(folder) / "home")
        workspace = Path(folder) / "workspace"
        workspace.mkdir()
        try:
            rows = asyncio.run(measure(home, workspace))
        finally:
            if find(StorePaths(home)):
                end_engine(home)
    title = f"make bench-serve: {platform.machine()}, {physical_cores()} cores"
    Console(width=140).print(table(title, rows))


if __name__ == "__main__":
    main()
