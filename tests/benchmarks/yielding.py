"""Completions while a training goes on: ``make bench-yield``.

Somebody types in bursts, through a real server and engine: while nothing else goes on, while the
watcher's training gives way, and beside `tenon train` in a terminal, which does not stand still.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from lsprotocol import types
from rich.console import Console
from rich.table import Table

from lsp_server.engine.launcher import find
from lsp_server.store.paths import StorePaths
from tests.benchmarks.keys_over_lsp import SOURCE
from tests.benchmarks.rows import quantile
from tests.editors import TENON, Editor, editor, end_engine, installed_home
from tests.small_projects import small_project

BURST_KEYS, KEY_SECONDS, PAUSE_SECONDS = 20, 0.15, 6.0
"""Somebody types a line and thinks; a run goes on in between."""
START_SECONDS = 600.0
OPTIONS = {
    "offerModels": False, "debounceMs": 0, "maxLines": 1, "trainingIdleSeconds": 1,
    "trainingOnBattery": True,
}  # fmt: skip


async def keystrokes(session: Editor, bursts: int) -> list[float]:
    """Milliseconds of every keystroke that the engine answered; the first of all reads the file."""
    text = SOURCE.read_text("utf-8")
    at = text.index("        sampler = Sampler")
    took: list[float] = []
    for number in range(bursts * BURST_KEYS):
        if number and number % BURST_KEYS == 0:
            await asyncio.sleep(PAUSE_SECONDS)
        before = text[: at + number]
        uri = change(session, before, number)
        started = time.perf_counter()
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        await session.complete(uri, line, column)
        elapsed = time.perf_counter() - started
        timings = (await session.status()).recent[-1].timings
        if number and getattr(timings, "predicted_n", 0):
            took.append(1000 * elapsed)
        await asyncio.sleep(max(0.0, KEY_SECONDS - elapsed))
    return took


def change(session: Editor, text: str, number: int) -> str:
    """What an editor says of a key: a change of the document that is open."""
    uri = (session.root / "typing.py").as_uri()
    if number == 0:
        return session.open(text, "typing.py")
    session.client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(number + 1, uri),
            [types.TextDocumentContentChangeWholeDocument(text)],
        )
    )
    return uri


async def idle(home: Path, root: Path, bursts: int) -> list[float]:
    """Nothing else goes on."""
    async with editor(home, root, options={**OPTIONS, "training": "off"}) as session:
        await session.ready()
        return await keystrokes(session, bursts)


async def yielding(home: Path, root: Path, bursts: int) -> tuple[list[float], float]:
    """Beside the watcher's training; and what share of the pauses it trained in."""
    async with editor(home, root, options={**OPTIONS, "training": "manual"}) as session:
        await session.ready()
        uri = session.open("x = 1\n", "first.py")
        await session.complete(uri, 0, 5)  # the repository is one by now
        arguments = types.ExecuteCommandParams("tenon.startTraining", [root.as_uri()])
        await session.client.workspace_execute_command_async(arguments)
        await session.until(
            lambda status: status.trainer and status.trainer.state == "training", START_SECONDS
        )
        before, started = trained(home), time.monotonic()
        took = await keystrokes(session, bursts)
        share = (trained(home) - before) / (time.monotonic() - started)
        arguments = types.ExecuteCommandParams("tenon.cancelTraining", [root.as_uri()])
        await session.client.workspace_execute_command_async(arguments)
        await session.until(
            lambda status: not status.trainer or status.trainer.state in {"idle", "waiting"}
        )
        return took, share


async def beside(home: Path, root: Path, bursts: int) -> tuple[list[float], float]:
    """Beside a training that does not stand still."""
    options = {**OPTIONS, "training": "off"}
    async with terminal(home, root), editor(home, root, options=options) as session:
        await session.ready()
        before, started = trained(home), time.monotonic()
        took = await keystrokes(session, bursts)
        return took, (trained(home) - before) / (time.monotonic() - started)


@asynccontextmanager
async def terminal(home: Path, root: Path) -> AsyncIterator[None]:
    """`tenon train` as a user starts it, from its first step on."""
    process = await asyncio.create_subprocess_exec(
        TENON, "train", str(root), "--time-budget", "3600",
        env={**os.environ, "TENON_HOME": str(home)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout
    said = b""
    try:
        async with asyncio.timeout(START_SECONDS):
            async for line in process.stdout:
                said += line
                if line.startswith((b"before training", b"step ")):
                    break
            else:
                raise SystemExit(f"tenon train ended before its first step: {said.decode()}")
        draining = asyncio.create_task(process.stdout.read())
        yield
        process.terminate()
        await draining
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def trained(home: Path) -> float:
    """CPU seconds of the processes that train in this home."""
    seconds = 0.0
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        try:
            if "train" in words and process.environ().get("TENON_HOME") == str(home):
                times = process.cpu_times()
                seconds += times.user + times.system
        except psutil.Error:
            continue
    return seconds


def table(rows: Sequence[tuple[str, Sequence[float], float]]) -> Table:
    """Median, 95th percentile and their ratio to the first row's."""
    result = Table(title=f"make bench-yield: {psutil.cpu_count()} cores, through LSP")
    for heading in ("", "n", "p50 ms", "p95 ms", "p50 ratio", "p95 ratio", "cores trained with"):
        result.add_column(heading, justify="left" if not heading else "right")
    _, first, _ = rows[0]
    for name, took, share in rows:
        p50, p95 = statistics.median(took), quantile(took, 0.95)
        result.add_row(
            name, str(len(took)), f"{p50:.0f}", f"{p95:.0f}",
            f"{p50 / statistics.median(first):.2f}", f"{p95 / quantile(first, 0.95):.2f}",
            f"{share:.2f}",
        )  # fmt: skip
    return result


async def measure(home: Path, root: Path, bursts: int) -> list[tuple[str, list[float], float]]:
    """All rows; the idle one twice, so that the machine's own unrest shows."""
    rows: list[tuple[str, list[float], float]] = []
    rows.append(("idle", await idle(home, root, bursts), 0.0))
    rows.append(("a training that gives way", *await yielding(home, root, bursts)))
    rows.append(("a training in a terminal", *await beside(home, root, bursts)))
    rows.append(("idle again", await idle(home, root, bursts), 0.0))
    return rows


def main() -> None:
    """Measure in a home and a repository of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bursts", type=int, default=12, help=f"of {BURST_KEYS} keys each")
    bursts = parser.parse_args().bursts
    with tempfile.TemporaryDirectory() as folder:
        home = installed_home(Path(folder) / "home")
        root = small_project(Path(folder) / "shelf").root
        (root / "tenon.toml").write_text("[training]\ntime_budget = 3600\n")
        try:
            rows = asyncio.run(measure(home, root, bursts))
        finally:
            if find(StorePaths(home)):
                end_engine(home)
    Console(width=140).print(table(rows))


if __name__ == "__main__":
    main()
