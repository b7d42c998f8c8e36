"""``make bench-filters DATA=FOLDER``: of the suggestions shown, how many are what is typed next?

FOLDER has time-split repositories (``*.json.xz``, as ``tests.benchmarks.retrieval`` reads them).
The starter answers at places in their newer code, through the real engine and with the prompts that
serve; its answers are kept in a file, so that another run of the filters asks nobody. The bound of
what the model must be sure of is chosen on some repositories and tried on the others.
"""

import argparse
import asyncio
import os
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lsp_server.completion.postprocess import FILTERS
from lsp_server.engine.launcher import EngineOptions
from lsp_server.store.catalogue import STARTER, load_catalogue
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.starter import PLAIN, install
from training.gate.calibration import least_confidence

from .collecting import Cache, collect, pairs
from .holes import repositories
from .judging import Case, Shown, Worth, curve, filtered, first_lines, unfiltered

ANSWERS = Path(tempfile.gettempdir())
SHARES = (1.0, 0.97, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
RESAMPLES = 2000


def worth_table(title: str, rows: dict[str, Worth]) -> Table:
    table = Table(
        "", "holes", "shown", "right", "right, %", "first line right", "repeats", title=title
    )
    for name, worth in rows.items():
        table.add_row(
            name,
            *map(str, (worth.holes, worth.shown, worth.right)),
            f"{100 * worth.precision:.1f}",
            *map(str, (worth.first, worth.repeats)),
        )
    return table


def ablation_table(cases: Sequence[Case], least: float | None) -> Table:
    """What each filter is worth with all others there, counted over all holes."""
    table = Table("without", "shown", "right", "right, %", "repeats", title="each filter left out")
    for apply in dict.fromkeys(FILTERS):
        worth = Worth.of(len(cases), filtered(cases, least, without=apply))
        figures = (str(worth.shown), str(worth.right), f"{100 * worth.precision:.1f}")
        table.add_row(apply.__name__, *figures, str(worth.repeats))
    return table


def curve_table(shown: Sequence[Shown]) -> Table:
    table = Table(title="how sure the model must be")
    table.add_column("right ones kept, %")
    for name in ("sum", "mean"):
        table.add_column(f"{name}: bound")
        table.add_column("right, %")
    sums = curve(shown, lambda row: row.sure, SHARES)
    means = curve(shown, lambda row: row.mean, SHARES)
    for (kept, bound, precision), (_, other, of_mean) in zip(sums, means, strict=True):
        table.add_row(
            f"{100 * kept:.0f}", f"{bound:.2f}", f"{100 * precision:.1f}",
            f"{other:.2f}", f"{100 * of_mean:.1f}",
        )  # fmt: skip
    return table


def chosen(cases: Sequence[Case]) -> float | None:
    """The bound that the gate's rule gives, from answers without one."""
    return least_confidence((row.sure, row.right) for row in filtered(cases))


def gain(cases: Sequence[Case], least: float | None) -> tuple[float, float, float] | None:
    """How many times as many of the shown are right as unfiltered, with a bootstrap 95 % interval
    over files; None where unfiltered nothing is.
    """
    files: dict[str, list[Case]] = {}
    for case in cases:
        files.setdefault(f"{case.hole.repository}/{case.hole.path}", []).append(case)
    counts = []
    for group in files.values():
        ours = Worth.of(len(group), filtered(group, least))
        raw = Worth.of(len(group), unfiltered(group))
        counts.append((ours.right, ours.shown, raw.right, raw.shown))
    draw = random.Random(0)
    ratios = sorted(
        ratio
        for _ in range(RESAMPLES)
        if (ratio := _ratio(draw.choices(counts, k=len(counts)))) is not None
    )
    found = _ratio(counts)
    if found is None:
        return None
    return found, ratios[len(ratios) // 40], ratios[-len(ratios) // 40]


def _ratio(counts: Sequence[tuple[int, int, int, int]]) -> float | None:
    right, shown, raw_right, raw_shown = (sum(column) for column in zip(*counts, strict=True))
    return (right / max(shown, 1)) / (raw_right / raw_shown) if raw_right else None


def report(cases: dict[str, list[Case]], least: float | None, console: Console) -> None:
    """All tables over the repositories' cases; ``least`` is the bound that serves."""
    everything = [case for group in cases.values() for case in group]
    names = sorted(cases)
    halves = (names[::2], names[1::2])
    for fitted, tried in (halves, halves[::-1]):
        bound = chosen([case for name in fitted for case in cases[name]])
        others = [case for name in tried for case in cases[name]]
        title = f"bound {bound} chosen on {', '.join(fitted)}; tried on {', '.join(tried)}"
        console.print(worth_table(title, _rows(others, bound)))
        if times := gain(others, bound):
            console.print(
                "right per shown, over unfiltered: {:.2f} ({:.2f} to {:.2f})".format(*times)
            )
    title = f"all, with the model's own bound {least} (chosen on all: {chosen(everything)})"
    console.print(worth_table(title, _rows(everything, least)))
    for kind in dict.fromkeys(case.hole.kind for case in everything):
        group = [case for case in everything if case.hole.kind == kind]
        console.print(worth_table(kind, _rows(group, least)))
    console.print(ablation_table(everything, least), curve_table(filtered(everything)))


def _rows(cases: Sequence[Case], least: float | None) -> dict[str, Worth]:
    return {
        "unfiltered": Worth.of(len(cases), unfiltered(cases)),
        "first line alone": Worth.of(len(cases), first_lines(cases)),
        "filtered, all shown": Worth.of(len(cases), filtered(cases)),
        "filtered": Worth.of(len(cases), filtered(cases, least)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", choices=(STARTER, PLAIN), default=STARTER)
    parser.add_argument("--answers", type=Path, help=f"a file that keeps them (in {ANSWERS})")
    parser.add_argument("--share", type=float, default=1.0, help="the share of holes to ask")
    parser.add_argument("--threads", type=int, default=0, help="of the engine")
    arguments = parser.parse_args()
    found = list(repositories(arguments.folder, arguments.share))
    if not found:
        parser.error(f"{arguments.folder} holds no repositories (*.json.xz)")
    model = arguments.model
    cache = Cache(arguments.answers or ANSWERS / f"tenon-filters-{model}.jsonl")
    if any(hole.name not in cache.answers() for entry in found for hole in entry.holes):
        with tempfile.TemporaryDirectory(prefix="tenon-filters-") as scratch:
            home = StorePaths(Path(scratch))
            install(ModelStore(home), model)
            options = EngineOptions(model=model, threads=arguments.threads)
            asyncio.run(collect(found, cache, home, options))
    answers = cache.answers()
    console = Console()
    cases = {entry.name: [Case.of(*pair) for pair in pairs(entry, answers)] for entry in found}
    report(cases, load_catalogue()[model].least_confidence, console)
    console.print(f"{sum(map(len, cases.values()))} holes (load {os.getloadavg()[0]:.1f})")


if __name__ == "__main__":
    main()
