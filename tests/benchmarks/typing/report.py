"""Tables, JSON and plots of a comparison."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .figures import Figures, Ratio, compare
from .notes import Replayed

_LINES = (
    ("keystrokes with something right to offer", "keys", "{:.0f}"),
    ("right text on offer before the next key", "offered_share", "{:.1%}"),
    ("… still there from the key before", "held_share", "{:.1%}"),
    ("… within 100 ms of the key", "within_100_share", "{:.1%}"),
    ("… within 250 ms", "within_250_share", "{:.1%}"),
    ("time to right text, if not there yet, p50, ms", "fresh_p50_ms", "{:.0f}"),
    ("… p95, ms", "fresh_p95_ms", "{:.0f}"),
    ("keystrokes of which", "fresh_n", "{:.0f}"),
    ("time to any answer of the model, p50, ms", "model_p50_ms", "{:.0f}"),
    ("… p95, ms", "model_p95_ms", "{:.0f}"),
    ("answers of which", "model_n", "{:.0f}"),
    ("questions asked", "requests", "{:.0f}"),
    ("… taken back by the next key", "cancelled", "{:.0f}"),
    ("answers out of a cache", "cache_share", "{:.1%}"),
    ("… p95, ms", "cache_p95_ms", "{:.1f}"),
    ("questions to the model whose answer never showed", "wasted_share", "{:.1%}"),
    ("tokens read", "prompt_n", "{:.0f}"),
    ("tokens written", "predicted_n", "{:.0f}"),
    ("… of answers that never showed", "predicted_unused", "{:.0f}"),
    ("CPU seconds", "cpu_s", "{:.1f}"),
    ("… of the engine alone", "engine_cpu_s", "{:.1f}"),
    ("seconds typed", "seconds", "{:.0f}"),
    ("memory, MiB", "memory_mib", "{:.0f}"),
    ("suggestions shown", "shown", "{:.0f}"),
    ("… that are typed next", "shown_right_share", "{:.1%}"),
    ("… that repeat code below", "repeats", "{:.0f}"),
    ("… that stand elsewhere than asked", "misplaced", "{:.0f}"),
    ("flickers", "flickers", "{:.0f}"),
    ("accepted", "accepted", "{:.0f}"),
    ("keystrokes saved", "saved_share", "{:.1%}"),
)


def table(rows: Sequence[Figures], title: str) -> Table:
    """The rows side by side."""
    result = Table(title=title)
    result.add_column("")
    for row in rows:
        result.add_column(row.row, justify="right")
    summaries = [row.summary() for row in rows]
    for label, name, form in _LINES:
        result.add_row(label, *(_form(form, summary[name]) for summary in summaries))
    return result


def ratios(rows: Sequence[Figures]) -> dict[str, list[Ratio]]:
    """The first row over each of the others."""
    return {other.row: compare(rows[0], other, rows) for other in rows[1:]}


def ratio_table(rows: Sequence[Figures], found: dict[str, list[Ratio]]) -> Table:
    """Ratios on the same keystrokes with their intervals."""
    result = Table(title="on the same keystrokes; intervals: 95 %, lines (CPU: traces) drawn anew")
    for heading in ("", "n", rows[0].row, "other", "ratio", "95 %"):
        result.add_column(heading, justify="left" if not heading else "right")
    for other, entries in found.items():
        for entry in entries:
            result.add_row(
                f"{entry.name}: {rows[0].row} / {other}",
                str(entry.n),
                f"{entry.one:.1f}",
                f"{entry.other:.1f}",
                _form("{:.2f}", entry.ratio),
                f"{entry.low:.2f}-{entry.high:.2f}",
            )
    return result


def write_json(
    path: Path, rows: Sequence[Figures], found: dict[str, list[Ratio]], about: dict[str, Any]
) -> None:
    """Everything, keystroke by keystroke; source text of suggestions included."""
    path.write_text(
        json.dumps(
            {
                "about": about,
                "rows": {row.row: row.summary() for row in rows},
                "ratios": {name: [asdict(one) for one in many] for name, many in found.items()},
                "replays": [asdict(replay) for row in rows for replay in row.replays],
            },
            indent=1,
        ),
        "utf-8",
    )


def plot(path: Path, rows: Sequence[Figures]) -> None:
    """How many keystrokes have right text on offer after so many milliseconds."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for row in rows:
        keys = row.keys
        times = sorted(1000 * key.right for key in keys if key.right is not None)
        steps = [(at + 1) / len(keys) for at in range(len(times))]
        left.step([max(time, 1) for time in times], steps, where="post", label=row.row)
        fresh = sorted(row.fresh())
        steps = [(at + 1) / len(fresh) for at in range(len(fresh))]
        right.step([max(time, 1) for time in fresh], steps, where="post", label=row.row)
    left.set_title("keystrokes with right text on offer")
    right.set_title("those where it was not there yet")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlabel("milliseconds since the key")
        axes.set_ylabel("share")
        axes.grid(visible=True, alpha=0.3)
    left.legend()
    figure.savefig(path)
    plt.close(figure)


def show(
    rows: Sequence[Figures], found: dict[str, list[Ratio]], title: str, console: Console
) -> None:
    """Both tables."""
    console.print(table(rows, title))
    if found:
        console.print(ratio_table(rows, found))


def faults(replays: Sequence[Replayed], count: int = 12) -> list[str]:
    """Suggestions that repeat code below, and those that flickered, for people to look at."""
    repeats = [
        f"repeats code below: {replay.row} {replay.trace} {one.path}@{one.cursor}: {one.text!r}"
        for replay in replays
        for one in replay.shown
        if one.repeats
    ]
    flickers = [
        f"flickers: {replay.row} {replay.trace}: {before!r} -> {after!r}"
        for replay in replays
        for before, after in replay.flickers
    ]
    return [*repeats[:count], *flickers[:count]]


def _form(form: str, value: float) -> str:
    return "-" if math.isnan(value) else form.format(value)
