"""What watching a large tree costs: ``make bench-watch``, or with ``--files N``."""

import argparse
import os
import queue
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from lsp_server.trainer_messages import Schedule, TrainerReport, decode_report
from tests.editors import TENON
from tests.git_repositories import code

PER_FOLDER = 50
SAVES = 10
IDLE_SECONDS = 20.0
WAIT_SECONDS = 1800.0


def make_tree(root: Path, files: int) -> int:
    """Half of the files are code, half lie in node_modules; returns how many are code."""
    for number in range(files):
        if number % 2:
            folder = root / "node_modules" / f"p{number // PER_FOLDER}" / "lib"
            path, text = folder / f"m{number}.js", f"exports.a = {number};\n"
        else:
            folder = root / f"part{number // PER_FOLDER % 20}" / f"f{number // PER_FOLDER}"
            path, text = folder / f"m{number}.py", code(f"function_{number}", 4)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return (files + 1) // 2


@dataclass
class Watched:
    """A real watcher of a tree."""

    process: subprocess.Popen
    reports: "queue.Queue[TrainerReport]" = field(default_factory=queue.Queue)

    def until(self, condition: Callable[[TrainerReport], bool]) -> int:
        """Waits for a report; returns how many came."""
        count, deadline = 0, time.monotonic() + WAIT_SECONDS
        while True:
            count += 1
            if condition(self.reports.get(timeout=deadline - time.monotonic())):
                return count

    def cpu(self) -> float:
        """Seconds of a core so far, with what its children took."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system + times.children_user + times.children_system

    def watches(self) -> int:
        """Folders that the kernel watches for it."""
        folder = Path(f"/proc/{self.process.pid}/fdinfo")
        return sum(it.read_text().count("inotify wd:") for it in folder.iterdir())


@contextmanager
def watch(root: Path, home: Path) -> Iterator[Watched]:
    process = subprocess.Popen(
        [TENON, "watch", str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TENON_HOME": str(home)},
    )
    watched = Watched(process)

    def read() -> None:
        for line in process.stdout or ():
            watched.reports.put(decode_report(line))

    threading.Thread(target=read, daemon=True).start()
    with process:
        try:
            assert process.stdin
            process.stdin.write(msgspec.json.encode(Schedule(min_changes=10**9, drift=0)) + b"\n")
            process.stdin.flush()
            yield watched
        finally:
            process.kill()


def begin(watched: Watched, pending: int) -> tuple[float, float]:
    """Wall and CPU seconds until all is counted."""
    started = time.monotonic()
    watched.until(lambda report: report.pending == pending)
    return time.monotonic() - started, watched.cpu()


def measure(root: Path, home: Path, files: int) -> list[tuple[str, str]]:
    """Every line of the table."""
    count = make_tree(root, files)
    with watch(root, home) as watched:
        wall, cpu = begin(watched, count)
        rows = [("first look, all files parsed", f"{wall:.1f} s, {cpu:.1f} CPU s")]
    with watch(root, home) as watched:
        watched.until(lambda report: report.state == "waiting")
        time.sleep(1)
        rows.append(("later start, nothing changed", f"{watched.cpu():.1f} CPU s"))
        rows.append(("inotify watches", f"{watched.watches():,}"))
        process = psutil.Process(watched.process.pid)
        rows.append(("memory", f"{process.memory_info().rss / 2**20:.0f} MiB RSS"))
        before = watched.cpu()
        time.sleep(IDLE_SECONDS)
        share = (watched.cpu() - before) / IDLE_SECONDS
        rows.append(("waiting", f"{100 * share:.2f} % of a core"))
        rows += [saves(watched, root, count), burst(watched, root, count + SAVES)]
        rows.append(("memory afterwards", f"{process.memory_info().rss / 2**20:.0f} MiB RSS"))
    return rows


def saves(watched: Watched, root: Path, count: int) -> tuple[str, str]:
    """From a save to a report that has it; two seconds of it wait for more."""
    took, before = [], watched.cpu()
    for number in range(SAVES):
        started = time.monotonic()
        temporary = root / "part0" / ".saved.tmp"
        temporary.write_text(code(f"saved_{number}", 4))
        temporary.replace(root / "part0" / f"saved_{number}.py")
        watched.until(lambda report, at=count + number + 1: report.pending == at)
        took.append(time.monotonic() - started)
    cpu = 1000 * (watched.cpu() - before) / SAVES
    text = f"{statistics.median(took):.2f} s (p50), {max(took):.2f} s (most), {cpu:.0f} CPU ms"
    return "one save to pending", text


def burst(watched: Watched, root: Path, count: int) -> tuple[str, str]:
    """All code files touched at once, as by a branch switch, and one more function."""
    before, started = watched.cpu(), time.monotonic()
    touched = 0
    for path in root.glob("part*/**/m*.py"):
        path.write_text(path.read_text() + "\n")
        touched += 1
    (root / "part0" / "last.py").write_text(code("last", 4))
    written = time.monotonic() - started
    reports = watched.until(lambda report: report.pending == count + 1)
    took = time.monotonic() - started - written
    return f"{touched:,} files written", (
        f"{took:.1f} s after the last, {watched.cpu() - before:.1f} CPU s, {reports} reports"
    )


def main() -> None:
    """Measure in temporary folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "tree"
        root.mkdir()
        rows = measure(root, Path(folder) / "home", files)
    table = Table(title=f"make bench-watch: {files:,} files, half of them in node_modules")
    table.add_column("")
    table.add_column("", justify="right")
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
