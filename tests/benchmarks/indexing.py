"""``make bench-index``: how fast a repository's index is made, asked and kept fresh.

The repository is Python's own standard library, repeated until it has enough lines, each copy with
names of its own. CPU seconds say more than the clock on a machine that others use too.
"""

import argparse
import os
import re
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import psutil
from rich.console import Console
from rich.table import Table

from lsp_server.prompt.assemble import Source
from lsp_server.prompt.query import ANCHOR_LINES, Query
from lsp_server.prompt.recall import Recall
from lsp_server.prompt.window import Budget, window
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.layered import LayeredIndex
from lsp_server.store.refreshing import take_in
from lsp_server.store.rules import Rules

PLACES, SAVES = 200, 60
ELSEWHERE, NEXT_LINES = "looked up in another file", "looked up some lines below"
READING, SAME_LINE = "of which reading the document", "looked up again on the same line"
SAVED, TYPED = "a save, until it is committed", "a typed document, until others know it"
COMMITTED = "the same by the clock"
ROWS = dict.fromkeys((ELSEWHERE, NEXT_LINES, READING, SAME_LINE, SAVED), "ms of CPU") | {
    COMMITTED: "ms",
    TYPED: "ms of CPU",
}
BUDGET = Budget(prefix=640, suffix=160, output=64, snippets=256)


def sources() -> Iterator[tuple[str, str]]:
    """The standard library's modules, without its tests and packages that were installed."""
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if not {"site-packages", "test", "tests", "idlelib"} & set(relative.parts):
            yield relative.as_posix(), path.read_text("utf-8", "replace")


def write(root: Path, lines: int) -> int:
    """Write copies until there are so many lines; returns how many there are."""
    written, copy = 0, 0
    modules = list(sources())
    while written < lines:
        for name, text in modules:
            own = re.sub(r"\b(_?[a-z]+_[a-z_]+)\b", rf"\1_{copy}", text) if copy else text
            path = root / f"copy_{copy}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(own, "utf-8")
            written += own.count("\n")
            if written >= lines:
                break
        copy += 1
    return written


def milliseconds(call: Callable[[], object]) -> float:
    """How long a call takes by the clock."""
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def cost(call: Callable[[], object]) -> float:
    """Milliseconds of CPU."""
    started = time.process_time()
    call()
    return 1000 * (time.process_time() - started)


def eight_each(lines: Sequence[str]) -> list[int]:
    """A count of tokens."""
    return [8] * len(lines)


def behind(text: str, place: int, lines: int) -> int:
    """The place so many lines further down; the text's end if there are fewer."""
    for _ in range(lines):
        place = text.find("\n", place) + 1 or len(text)
    return place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    arguments = parser.parse_args()
    table = Table("", "unit", "p50", "p95")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "repository"
        lines = write(root, arguments.lines)
        rules = Rules.of(root)
        process = psutil.Process()
        with RepositoryIndex.open(Path(folder) / "index.sqlite") as index:
            cpu, started = time.process_time(), time.perf_counter()
            index.refresh(root, rules)
            table.add_row(f"made, {lines:,} lines", "s", f"{time.perf_counter() - started:.1f}", "")
            table.add_row("", "s of CPU", f"{time.process_time() - cpu:.1f}", "")
            table.add_row("memory", "MiB", f"{process.memory_info().rss / 2**20:.0f}", "")
            size = sum(path.stat().st_size for path in Path(folder).glob("index.sqlite*"))
            table.add_row("file", "MiB", f"{size / 2**20:.0f}", "")
            nothing = milliseconds(lambda: index.refresh(root, rules))
            table.add_row("refreshed, nothing changed", "ms", f"{nothing:.0f}", "")
            rows: dict[str, list[float]] = {name: [] for name in ROWS}
            random, paths = Random(1), sorted(root.rglob("*.py"))
            reading = RepositoryIndex.reading(Path(folder) / "index.sqlite")
            for path in random.choices(paths, k=PLACES):
                text = path.read_text("utf-8")
                at = random.randrange(len(text) + 1)
                recall, name = Recall(), path.relative_to(root).as_posix()
                for row, place in (
                    (ELSEWHERE, at), (SAME_LINE, at), (NEXT_LINES, behind(text, at, ANCHOR_LINES)),
                ):  # fmt: skip
                    source = Source(text[:place], text[place:], name, "r")
                    shown = window(source.before, source.after, BUDGET, eight_each)
                    rows[row].append(cost(lambda: recall.candidates(source, reading, shown)))  # noqa: B023
                rows[READING].append(cost(lambda: Query.of(source)))  # noqa: B023
            for path in random.choices(paths, k=SAVES):
                with path.open("a", encoding="utf-8") as file:
                    file.write("\nsaved = 1\n")
                name = path.relative_to(root).as_posix()
                started, cpu = time.perf_counter(), time.process_time()
                take_in(Path(folder) / "index.sqlite", root, Rules.of(root), name)
                rows[SAVED].append(1000 * (time.process_time() - cpu))
                rows[COMMITTED].append(1000 * (time.perf_counter() - started))
            texts: dict[str, str] = {}
            layered = LayeredIndex(root, reading, lambda: texts)
            for path in random.choices(paths, k=SAVES):
                texts = {path.relative_to(root).as_posix(): path.read_text("utf-8") + "\ntyped = 1"}
                rows[TYPED].append(cost(lambda: layered.version("")))
        for name, times in rows.items():
            ordered = sorted(times)
            late = ordered[round(0.95 * (len(ordered) - 1))]
            table.add_row(name, ROWS[name], f"{statistics.median(ordered):.1f}", f"{late:.1f}")
    console = Console()
    console.print(table)
    console.print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
