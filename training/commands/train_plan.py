"""``tenon train --dry-run``: what would be learnt, shown or written as JSONL; trains nothing."""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from lsp_server.store.paths import StorePaths

from ..curation.ledger import Ledger
from ..data.exports import Layout, export
from ..data.identifiers import identifier_report
from ..prepared import Prepared
from ..recipe.config import RecipeConfig, TrainConfig
from ..recipe.recipe import steps_of
from ..run import TrainingRun
from .train_progress import console_of, display

EXAMPLES = 5
"""Samples that a dry run shows."""
SHOWN_CHARACTERS = 200
SHOWN_NAMES = 10


def dry_run(root: Path, config: TrainConfig, options: argparse.Namespace) -> int:
    """Show or export it, as ``options`` (``export``, ``output``, ``json``) say; returns 0."""
    console = console_of(stderr=True)
    with Ledger() as ledger, display(console) as listener:
        run = TrainingRun(root, StorePaths.default(), config, listener)
        prepared, recipe = run.prepared(ledger)
    dataset = prepared.dataset
    if options.export:
        count = math.ceil(recipe.passes * dataset.pass_size)
        terms = dataset.terms
        layout = Layout(terms.fim, terms.budget, terms.tokenizer.count)
        written = export(map(dataset.example, range(count)), options.output, options.export, layout)
        console.print(f"{options.output}: {written.written} samples")
        for reason, number in written.left_out.items():
            console.print(f"left out: {number} ({reason})")
    if options.json:
        print(json.dumps(_plan(prepared, recipe)))
    else:
        _show(prepared, recipe, console_of(stderr=False))
    return 0


def _plan(prepared: Prepared, recipe: RecipeConfig) -> dict[str, Any]:
    """What a dry run says in JSON."""
    dataset = prepared.dataset
    files = [it.file for it in prepared.curated.files]
    names = identifier_report(files, dataset.terms.tokenizer, 20)
    return {
        "files": len(prepared.curated.files),
        "pairs": sum(len(entry.pairs) for entry in prepared.curated.files),
        "samples": dataset.pass_size,
        "steps": steps_of(dataset.pass_size, recipe),
        "seconds": recipe.time_budget,
        "held_out": {
            "split": prepared.holdout.split,
            "lines": prepared.holdout.lines,
            "of": prepared.holdout.code_lines,
            "spans": sum(map(len, prepared.newer)),
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


def _show(prepared: Prepared, recipe: RecipeConfig, console: Console) -> None:
    plan = _plan(prepared, recipe)
    held = plan["held_out"]
    limit = f" or {plan['seconds']:g} s" if plan["seconds"] else ""
    console.print(
        f"{plan['files']} files, {plan['pairs']} docstring/implementation pairs, "
        f"{plan['samples']} samples a pass, {plan['steps']} steps{limit}\n"
        f"held out: {held['lines']} of {held['of']} lines ({held['split']}), {held['spans']} spans"
    )
    table = Table("left out", "why", "how many", "for example")
    for entry in plan["rejected"]:
        cases = ", ".join(f"{it['path']} {it.get('name', '')}".strip() for it in entry["examples"])
        table.add_row(entry["what"], entry["reason"], str(entry["count"]), cases)
    console.print(table)
    for it in plan["examples"]:
        console.rule(f"{it['kind']} in {it['path']}")
        console.print(it["before"], end="")
        console.print(it["middle"] or "(nothing)", end="", style="bold green")
        console.print(it["after"])
    broken = Table("name", "times", "tokens")
    for name in plan["identifiers"][:SHOWN_NAMES]:
        broken.add_row(name["name"], str(name["occurrences"]), str(name["pieces"]))
    console.print(broken)
