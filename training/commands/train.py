"""``tenon train [REPO]``: learn a repository, and let the adapter serve only if it is better."""

import argparse
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec
from rich.console import Console
from rich.table import Table

from lsp_server.errors import SettingsError
from lsp_server.store.paths import StorePaths

from ..curation.ledger import Ledger
from ..data.exports import FORMS, Layout, export
from ..data.identifiers import identifier_report
from ..gate.table import as_table
from ..preparation import Prepared
from ..recipe.config import Method, TrainConfig, read_config
from ..recipe.recipe import steps_of
from ..run import Listener, Outcome, TrainingRun
from .train_progress import Lines, Live

EXAMPLES = 5
"""Samples that a dry run shows."""
SHOWN_CHARACTERS = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the repository and what is laid over the recipe."""
    add = parser.add_argument
    add("repo", metavar="REPO", nargs="?", type=Path, default=Path(), help="its folder (here)")
    add("--config", metavar="TOML", type=Path, help="[recipe] and [mix], as docs/training.md says")
    add("--method", choices=get_args(Method), help="how the adapter is trained")
    add("--max-steps", metavar="N", type=int, help="optimiser steps at most")
    add("--time-budget", metavar="SECONDS", type=float, help="training ends after so long")
    add("--gate-seconds", metavar="SECONDS", type=float, help="time to judge the adapter in")
    add("--dry-run", action="store_true", help="show what would be learnt; train nothing")
    add("--export", choices=sorted(FORMS), help="with --dry-run: write the samples as JSONL")
    add("--output", metavar="FILE", type=Path, help="where --export writes")
    add("--json", action="store_true", help="print the result as JSON")


def run(options: argparse.Namespace) -> int:
    """Train and tell the verdict: 0 promoted, 3 trained and not promoted."""
    root = options.repo.absolute()
    if not root.is_dir():
        raise SettingsError(f"there is no folder {root}; give the repository's root")
    if bool(options.export) != bool(options.output):
        raise SettingsError("--export and --output belong together")
    if options.export and not options.dry_run:
        raise SettingsError("--export goes with --dry-run: it writes what would be learnt")
    _quiet()
    config = _config(options)
    if options.dry_run:
        return _dry_run(root.resolve(), config, options)
    console = Console(stderr=options.json, highlight=False, soft_wrap=True)
    with _display(console) as listener:
        job = TrainingRun(root.resolve(), StorePaths.default(), config, listener)
        if options.gate_seconds is not None:
            job = replace(job, gate_seconds=options.gate_seconds)
        outcome = job.execute()
    if options.json:
        print(json.dumps(_result(outcome)))
    else:
        console.print(as_table(outcome.report))
        console.print(_sentence(outcome))
    return 0 if outcome.report.promoted else 3


def _config(options: argparse.Namespace) -> TrainConfig:
    """The file's settings with the command line's over them."""
    config = read_config(options.config) if options.config else TrainConfig()
    over = {
        name: value
        for name in ("method", "max_steps", "time_budget")
        if (value := getattr(options, name)) is not None
    }
    try:
        recipe = msgspec.convert(msgspec.to_builtins(config.recipe) | over, type(config.recipe))
    except msgspec.ValidationError as error:
        raise SettingsError(f"{error}") from error
    return msgspec.structs.replace(config, recipe=recipe)


def _dry_run(root: Path, config: TrainConfig, options: argparse.Namespace) -> int:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with Ledger() as ledger:
        job = TrainingRun(root, StorePaths.default(), config, Listener(stage=console.print))
        prepared = job.prepared(ledger)
    dataset = prepared.dataset
    if options.export:
        count = round(config.recipe.passes * dataset.pass_size)
        layout = Layout(dataset.fim, dataset.budget, dataset.tokenizer.count)
        written = export(map(dataset.example, range(count)), options.output, options.export, layout)
        console.print(f"{options.output}: {written.written} samples, left out {written.left_out}")
    if options.json:
        print(json.dumps(_plan(prepared, config)))
    else:
        _show(prepared, config, Console(highlight=False, soft_wrap=True))
    return 0


def _plan(prepared: Prepared, config: TrainConfig) -> dict[str, Any]:
    """What a dry run says in JSON."""
    dataset = prepared.dataset
    names = identifier_report([it.file for it in prepared.curated.files], dataset.tokenizer, 20)
    return {
        "files": len(prepared.curated.files),
        "pairs": sum(len(entry.pairs) for entry in prepared.curated.files),
        "samples": dataset.pass_size,
        "steps": steps_of(dataset.pass_size, config.recipe),
        "held_out": {
            "split": prepared.holdout.split,
            "lines": prepared.holdout.lines,
            "of": prepared.holdout.code_lines,
            "spans": len(prepared.newer),
        },
        "rejected": [msgspec.to_builtins(it) for it in prepared.curated.ledger.summary()],
        "examples": [
            {"kind": it.kind, "path": it.path, "before": it.before[-SHOWN_CHARACTERS:],
             "middle": it.middle, "after": it.after[:SHOWN_CHARACTERS],
             "snippets": [snippet.path for snippet in it.snippets]}
            for it in map(dataset.example, range(EXAMPLES))
        ],
        "identifiers": [msgspec.to_builtins(name) for name in names],
    }  # fmt: skip


def _show(prepared: Prepared, config: TrainConfig, console: Console) -> None:
    plan = _plan(prepared, config)
    held = plan["held_out"]
    console.print(
        f"{plan['files']} files, {plan['pairs']} docstring/implementation pairs, "
        f"{plan['samples']} samples a pass, {plan['steps']} steps\n"
        f"held out: {held['lines']} of {held['of']} lines ({held['split']}), {held['spans']} spans",
        markup=False,
    )
    table = Table("left out", "why", "how many", "for example")
    for entry in plan["rejected"]:
        cases = ", ".join(f"{it['path']} {it.get('name', '')}".strip() for it in entry["examples"])
        table.add_row(entry["what"], entry["reason"], str(entry["count"]), cases)
    console.print(table)
    for it in plan["examples"]:
        console.rule(f"{it['kind']} in {it['path']}")
        console.print(it["before"], end="", markup=False)
        console.print(it["middle"] or "(nothing)", end="", style="bold green", markup=False)
        console.print(it["after"], markup=False)
    broken = Table("name", "times", "tokens")
    for name in plan["identifiers"][:10]:
        broken.add_row(name["name"], str(name["occurrences"]), str(name["pieces"]))
    console.print(broken)


def _result(outcome: Outcome) -> dict[str, Any]:
    return {
        "adapter": outcome.adapter,
        "promoted": outcome.report.promoted,
        "run": str(outcome.run),
        "gate": msgspec.to_builtins(outcome.report),
    }


def _sentence(outcome: Outcome) -> str:
    if outcome.report.promoted:
        return f"Adapter {outcome.adapter} serves this repository from now on."
    return (
        f"Adapter {outcome.adapter} was not promoted; what served before goes on serving. It is "
        "kept for a look."
    )


@contextmanager
def _display(console: Console) -> Iterator[Listener]:
    if not console.is_terminal:
        yield Lines(console).listener
        return
    with Live(console) as live:
        yield live.listener


def _quiet() -> None:
    """Libraries that speak up at import, about kernels that nobody asked for."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
