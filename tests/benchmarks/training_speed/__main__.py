"""Tokens a second and peak memory of training, beside transformers, PEFT and bitsandbytes.

    python -m tests.benchmarks.training_speed --shape 0.5b 1.5b 7b --json OUT.json

Both sides train the same random weights on the same samples with the same rank, on one GPU, one
after the other. Before that, the loss of a batch and its gradient's norm are computed by both: they
must agree, or the sides do not do the same work. OUT is written after every row.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from .loads import Load, fixed, mixed
from .measure import Row, measure
from .shapes import SHAPES
from .sides import Case

CASES = {
    "nf4-checkpointed": Case("plain", "nf4", checkpointed=True),
    "tenon-nf4": Case("tenon", "nf4", compiled=True, kept=0.2),
    "bf16": Case("plain", "bf16"),
    "tenon-bf16": Case("tenon", "bf16", compiled=True),
    # Not asked for by default: they tell what each of the options is worth.
    "tenon-nf4-0.1": Case("tenon", "nf4", compiled=True, kept=0.1),
    "tenon-nf4-0.3": Case("tenon", "nf4", compiled=True, kept=0.3),
    "tenon-nf4-0.5": Case("tenon", "nf4", compiled=True, kept=0.5),
    "tenon-bf16-0.3": Case("tenon", "bf16", compiled=True, kept=0.3),
    "bf16-checkpointed": Case("plain", "bf16", checkpointed=True),
    "tenon-bf16-eager": Case("tenon", "bf16"),
}
USUAL = tuple(CASES)[:4]
AGREEMENT = {"loss_difference": (0.0, 0.02), "gradient_ratio": (1.0, 0.05)}
"""What two sides should come to, and how far off bf16's rounding may bring them."""


def ratios(rows: list[Row]) -> Iterator[dict[str, object]]:
    """Each of Tenon's rows against each plain one of the same shape, weights and load."""
    done = [row for row in rows if not row.failure]
    for row in done:
        for plain in done:
            same = (plain.shape, plain.precision, plain.load) == (
                row.shape, row.precision, row.load,
            )  # fmt: skip
            if same and row.side == "tenon" and plain.side == "plain":
                yield {
                    "shape": row.shape,
                    "load": row.load,
                    "case": row.case,
                    "plain": plain.case,
                    "speed": row.tokens_per_second / plain.tokens_per_second,
                    "memory": row.allocated / plain.allocated if plain.allocated else None,
                    "loss_difference": row.loss - plain.loss,
                    "gradient_ratio": row.gradient / plain.gradient,
                }


def table(rows: list[Row]) -> Table:
    result = Table(title="Training speed and memory")
    for name in ("shape", "load", "case"):
        result.add_column(name, no_wrap=True)
    for name in ("tok/s", "with padding", "s/step", "GiB", "loss", "gradient"):
        result.add_column(name, justify="right")
    for row in rows:
        cells = (
            [row.failure[:40]]
            if row.failure
            else [
                f"{row.tokens_per_second:,.0f}",
                f"{row.padded_per_second:,.0f}",
                f"{row.seconds:.3f}",
                f"{row.allocated:.2f}",
                f"{row.loss:.4f}",
                f"{row.gradient:.4f}",
            ]
        )
        result.add_row(row.shape, row.load, row.case, *cells)
    return result


def compared(rows: list[Row]) -> Table:
    result = Table(title="Tenon against plain: as many times the tokens/s, of its memory")
    for name in ("shape", "load", "case", "plain", "speed", "memory", "loss", "gradient"):
        result.add_column(name, no_wrap=True)
    for it in ratios(rows):
        cells = [f"{it['speed']:.2f}x"]
        cells.append(f"{it['memory']:.2f}" if it["memory"] else "")
        cells += [f"{it['loss_difference']:+.5f}", f"x {it['gradient_ratio']:.4f}"]
        result.add_row(*(str(it[name]) for name in ("shape", "load", "case", "plain")), *cells)
    return result


def written(path: Path | None, rows: list[Row], device: torch.device) -> None:
    if path is None:
        return
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    packages = ("torch", "transformers", "peft", "bitsandbytes")
    content = {
        "device": name,
        "versions": {it: version(it) for it in packages},
        "rows": [asdict(row) for row in rows],
        "ratios": list(ratios(rows)),
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def loads_of(shape: str) -> list[Load]:
    vocabulary = int(SHAPES[shape]["vocab_size"])
    if shape == "tiny":
        return [fixed(vocabulary, rows=4, length=72), mixed(vocabulary, shortest=30, longest=90)]
    return [fixed(vocabulary), mixed(vocabulary)]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=["0.5b", "1.5b", "7b"])
    parser.add_argument("--case", nargs="+", choices=CASES, default=USUAL)
    parser.add_argument("--load", nargs="+", type=int, default=[0, 1], help="0: 8 x 1024, 1: mixed")
    parser.add_argument("--seconds", type=float, default=5.0, help="that each row is timed for")
    parser.add_argument("--total", type=float, default=1e9, help="begin no case after so many s")
    parser.add_argument("--json", type=Path, help="file for the rows, written after each")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(argv)
    device, started = torch.device(options.device), time.monotonic()
    rows: list[Row] = []
    console = Console(width=140, highlight=False)
    for shape in options.shape:
        for case in (CASES[name] for name in options.case):
            if time.monotonic() - started > options.total:
                console.print(f"no time for {shape} {case.name}")
                continue
            for row in measure(
                shape,
                case,
                [loads_of(shape)[it] for it in options.load],
                device,
                seconds=options.seconds,
            ):
                rows.append(row)
                written(options.json, rows, device)
                console.print(f"{time.monotonic() - started:4.0f} s  {line(row)}", markup=False)
    console.print(table(rows), compared(rows))
    apart = [
        it for it in ratios(rows)
        if any(abs(it[name] - at) > most for name, (at, most) in AGREEMENT.items())
    ]  # fmt: skip
    for it in apart:
        console.print(f"{it['shape']}: {it['case']} and {it['plain']} do not compute the same")
    crashed = any(row.failure not in {"", "out of memory"} for row in rows)
    return 1 if apart or crashed else 0


def line(row: Row) -> str:
    result = row.failure or f"{row.tokens_per_second:,.0f} tok/s, {row.allocated:.2f} GiB"
    return f"{row.shape} {row.case}, {row.load}: {result}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
