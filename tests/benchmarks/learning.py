"""``make bench-learn DATA=FOLDER``: repositories learnt on this machine, and what came of it.

FOLDER has time-split repositories (``*.json.xz``, as ``tests.benchmarks.adapt`` reads them). Each
one's older state is laid out without its history, and ``tenon train`` learns it in a home of its
own, with its defaults. Then base and adapter are asked about the code that is really newer, as the
gate asks: did its verdict hold? The machine must do nothing else meanwhile.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from lsp_server.errors import TenonError
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.benchmarks.adapt.splits import Split, read_split
from tests.editors import end_engine
from tests.starter import install
from training.data.terms import Terms
from training.evaluation.engines import shared_engine
from training.evaluation.stretches import Stretch, in_turns, stretches, with_context
from training.gate.gate import sweep_scales
from training.gate.judge import paired_nll
from training.gate.report import GateReport, Limits, Sweep, arm_name
from training.gate.scoring import AdapterAt, loaded_arms, score
from training.gate.timing import TimeBudget
from training.holdout.added import line_hashes, ranges_of, telling, within
from training.holdout.holdout import spans_of
from training.questions import source_of
from training.served import ask_served

POLL_SECONDS = 0.5
MIB = 1 << 20


def lay_out(split: Split, root: Path) -> None:
    """The older state as files."""
    for file in split.training:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")


def train(root: Path, paths: StorePaths) -> dict[str, Any]:
    """What ``tenon train --json`` says, with its seconds and the most memory in MiB: of itself, and
    with its engine and all else that it began (what processes share counts for each).
    """
    command = [sys.executable, "-m", "lsp_server", "train", str(root), "--json"]
    environment = os.environ | {"TENON_HOME": str(paths.root)}
    began, alone, together = time.monotonic(), 0, 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        process = psutil.Process(running.pid)
        while running.poll() is None:
            try:
                own = process.memory_info().rss
                others = sum(it.memory_info().rss for it in process.children(recursive=True))
            except psutil.NoSuchProcess:
                continue
            alone, together = max(alone, own), max(together, own + others)
            time.sleep(POLL_SECONDS)
        told, _ = running.communicate()
    if not told:
        raise RuntimeError(f"tenon train ended with {running.returncode} and said no result")
    result: dict[str, Any] = json.loads(told)
    return result | {
        "seconds": time.monotonic() - began, "mib": alone // MIB, "all_mib": together // MIB,
    }  # fmt: skip


def newer_stretches(split: Split, terms: Terms) -> Iterator[Stretch]:
    """The lines that stood nowhere in the older state, as the gate would ask for them."""
    seen = np.unique(np.concatenate([line_hashes(file.text) for file in split.training]))
    random = Random(1)
    by_file = []
    for file in split.newer:
        hashes = line_hashes(file.text)
        new = spans_of(file.text, ranges_of(hashes, telling(hashes) & ~within(hashes, seen)))
        by_file.append(stretches(file, new, random, repository=split.name))
    with RepositoryIndex.of_files(split.newer) as index:
        for stretch in in_turns(by_file, sum(map(len, by_file)), random):
            found = terms.with_snippets(source_of(stretch[0]), index).snippets
            yield with_context(stretch, found)


async def ask(
    split: Split, root: Path, paths: StorePaths, result: dict[str, Any], seconds: float
) -> Sweep | None:
    """Base against the adapter that a run made, at the scale that its gate judged."""
    if result["gate"]["sweep"] is None:
        return None
    (file,) = paths.root.glob(f"repos/*/adapters/{result['adapter']}/adapter.gguf")
    scale = result["gate"]["sweep"]["scale"]
    async with shared_engine(paths, lambda _entry: None) as engine:
        terms = (await ask_served(engine, paths, root)).terms
        asked = list(newer_stretches(split, terms))
        async with loaded_arms(engine, [AdapterAt(arm_name(scale), file, scale)]) as arms:
            scores = await score(
                engine, asked, arms, terms.budget, end=terms.end, within=TimeBudget(seconds)
            )
    return sweep_scales(paired_nll(scores, scale), None, Limits(), sum(map(len, asked)))


def table(rows: dict[str, tuple[dict[str, Any], Sweep | None]]) -> Table:
    shown = Table(
        "", "verdict", "gate: gain", "at least", "lines, files", "general", "scale",
        "newer: gain", "at least", "lines, files", "minutes", "MiB", "with engine",
        caption="nats per token",
    )  # fmt: skip
    for name, (result, truth) in rows.items():
        cost = (f"{result['seconds'] / 60:.1f}", str(result["mib"]), str(result["all_mib"]))
        gate = msgspec.convert(result["gate"], GateReport)
        general = f"{gate.sweep.chosen.general_rise:+.3f}" if gate.sweep else ""
        scale = f"{gate.sweep.scale:g}" if gate.sweep else ""
        shown.add_row(
            name, gate.verdict, *_figures(gate.sweep), general, scale, *_figures(truth), *cost
        )
    return shown


def _figures(sweep: Sweep | None) -> tuple[str, str, str]:
    if sweep is None:
        return "", "", ""
    lower = "" if sweep.chosen.lower is None else f"{sweep.chosen.lower:+.3f}"
    return f"{sweep.chosen.gain:+.3f}", lower, f"{sweep.spans}, {sweep.files}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path, help="a folder; what is there is not done again")
    parser.add_argument("--only", nargs="*", default=[], help="names of repositories")
    parser.add_argument("--newer-seconds", type=float, default=300.0)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    rows = {}
    for path in sorted(options.data.glob("*.json.xz")):
        split = read_split(path)
        if options.only and split.name not in options.only:
            continue
        folder = options.out.absolute() / split.name
        root, paths = folder / "repository", StorePaths(folder / "home")
        kept = folder / "result.json"
        try:
            if not kept.exists():
                lay_out(split, root)
                store = ModelStore(paths)
                store.choose(install(store).name)
                kept.write_text(json.dumps(train(root, paths)), encoding="utf-8")
            result = json.loads(kept.read_text(encoding="utf-8"))
            asking = partial(ask, split, root, paths, result, options.newer_seconds)
            rows[split.name] = (result, asyncio.run(asking()) if options.newer_seconds else None)
        except (TenonError, RuntimeError, ValueError) as error:  # the others are hours of work
            print(f"{split.name}: {error}", file=sys.stderr)
        finally:
            end_engine(paths.root)
        Console(width=200).print(table(rows))


if __name__ == "__main__":
    main()
