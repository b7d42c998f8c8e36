"""``python -m tests.benchmarks.typing``: traces replayed against every row, in turns."""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil
from rich.console import Console

from lsp_server.cores import physical_cores

from . import report, rows, sources
from .figures import Figures
from .notes import Replayed
from .replay import Replay
from .suggester import BenchmarkError
from .traces import Repository, Trace, traces

SLOWEST = 60.0
"""Times longer than typing that a replay may take in which every answer is waited for."""
SPARE_SECONDS = 420.0
"""What starting, indexing and ending may take beside the typing itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is replayed where."""

    traces: list[Trace]
    repositories: dict[str, Repository]
    rows: list[rows.Row]
    folder: Path
    pace: float = 1.0
    binary: Path | None = None


async def run(plan: Plan, console: Console) -> list[Replayed]:
    """Every trace on every row, the rows in turns, so that a busy minute hits all of them."""
    replays: list[Replayed] = []
    for number, trace in enumerate(plan.traces):
        turn = number % len(plan.rows)
        for row in (*plan.rows[turn:], *plan.rows[:turn]):
            started = time.perf_counter()
            busy = psutil.cpu_times()
            try:
                async with asyncio.timeout(trace.seconds * (plan.pace or SLOWEST) + SPARE_SECONDS):
                    replay = await _replay(plan, trace, row)
            except TimeoutError:
                raise BenchmarkError(f"{row.name} on {trace.name} took too long") from None
            replays.append(replay)
            offered = sum(key.right is not None for key in replay.keys)
            console.print(
                f"{trace.name:16} {row.name:12} {replay.seconds:5.0f} s typed, "
                f"{time.perf_counter() - started:5.0f} s in all, {replay.usage.cpu:6.1f} s CPU, "
                f"{offered} of {len(replay.keys)} keys with right text, "
                f"machine {_busy(busy):.1f} cores busy",
                highlight=False,
            )
    return replays


def _busy(before: "psutil._pslinux.scputimes") -> float:
    now = psutil.cpu_times()
    idle = now.idle - before.idle
    total = sum(now) - sum(before)
    return (1 - idle / total) * (os.cpu_count() or 1) if total else 0.0


async def _replay(plan: Plan, trace: Trace, row: rows.Row) -> Replayed:
    root = plan.folder / "work" / trace.repository
    sources.write(plan.repositories[trace.repository], root, trace.documents)
    home = plan.folder / "homes" / row.name
    async with rows.suggester(row, home, root, trace.seed, binary=plan.binary) as suggester:
        await suggester.start(root, trace.documents)
        return await Replay(trace, suggester, root, row.name, pace=plan.pace).play()


def options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench-latency", description=__doc__)
    parser.add_argument("--traces", type=int, default=5, help="how many; about 40 s each and row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(rows.DEFAULT), help=", ".join(rows.ROWS))
    parser.add_argument(
        "--row",
        action="append",
        default=[],
        metavar="NAME={JSON}",
        help='one more row: Tenon with other settings, as in no-debounce={"debounceMs": 0}; '
        "env and command (another tenon) may be in it too",
    )
    parser.add_argument(
        "--pace",
        type=float,
        default=1.0,
        help="stretch every gap; 0: wait for every answer, so that counts do not depend on load",
    )
    parser.add_argument(
        "--llama-server",
        type=Path,
        help="a llama-server instead of xllamacpp's, such as a faster build",
    )
    parser.add_argument("--data", type=Path, help="the folder of the time-split sets")
    parser.add_argument("--json", type=Path, default=Path("bench-latency.json"))
    parser.add_argument("--plot", type=Path, default=Path("bench-latency.svg"))
    parser.add_argument("--print-trace", type=int, metavar="N", help="print one trace and stop")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure in homes of its own, and leave nothing running."""
    given = options(sys.argv[1:])
    console = Console(width=150)
    try:
        repositories = sources.repositories(given.data)
        chosen = [rows.parse(name) for name in [*given.only.split(","), *given.row] if name]
        played = traces(repositories, given.traces, given.seed)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        sys.exit(f"bench-latency: {error}")
    if given.print_trace is not None:
        print(json.dumps(msgspec.to_builtins(played[given.print_trace]), indent=1))
        return
    load = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="bench-latency-") as folder:
        by_name = {repository.name: repository for repository in repositories}
        plan = Plan(played, by_name, chosen, Path(folder), given.pace, given.llama_server)
        try:
            replays = asyncio.run(run(plan, console))
        except BenchmarkError as error:
            sys.exit(f"bench-latency: {error}")
    figures = [Figures.of(row.name, replays) for row in chosen]
    found = report.ratios(figures)
    about = {
        "seed": given.seed,
        "pace": given.pace,
        "llama_server": str(given.llama_server or "xllamacpp"),
        "traces": [trace.name for trace in played],
        "cores": physical_cores(),
        "machine": platform.machine(),
        "load_before": load,
        "load_after": os.getloadavg(),
    }
    title = (
        f"make bench-latency: {len(played)} traces, seed {given.seed}, load {load[0]:.1f} before"
    )
    report.show(figures, found, title, console)
    for line in report.faults(replays):
        console.print(line, highlight=False)
    report.write_json(given.json, figures, found, about)
    report.plot(given.plot, figures)
    console.print(f"{given.json} has every keystroke, {given.plot} the distributions.")


if __name__ == "__main__":
    main()
