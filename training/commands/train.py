"""``tenon train [REPO]``: learn a repository, and let the adapter serve only if it is better."""

import argparse
import json
import math
import sys
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
from ..interruption import RunCancelledError
from ..preparation import Prepared
from ..recipe.config import Method, TrainConfig, read_config
from ..recipe.recipe import steps_of
from ..run import Listener, Outcome, TrainingRun
from .train_progress import Lines, Live

EXAMPLES = 5
"""Samples that a dry run shows."""
SHOWN_CHARACTERS = 200
SHOWN_NAMES = 10
NOT_PROMOTED = 3
EPILOG = f"""exit status:
  0    the adapter was promoted: it serves the repository from now on (or --dry-run is done)
  {NOT_PROMOTED}    it was not promoted: what served before goes on serving
  1    nothing was trained, or it failed; the message says what to do
  2    wrong usage
  130  cancelled with Ctrl+C (143: with SIGTERM); what served before goes on serving
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the repository and what is laid over the recipe."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    add = parser.add_argument
    add("repo", metavar="REPO", nargs="?", type=Path, default=Path(), help="its folder (here)")
    add("--config", metavar="TOML", type=Path, help="a TOML with [recipe] and [mix] (see README)")
    add("--method", choices=get_args(Method), help="how the adapter is trained")
    add("--max-steps", metavar="N", type=int, help="optimiser steps at most")
    add("--time-budget", metavar="SECONDS", type=_seconds, help="training ends after so long")
    add("--gate-seconds", metavar="SECONDS", type=_seconds, help="time to judge it in (0: any)")
    add("--dry-run", action="store_true", help="show what would be learnt; train nothing")
    add("--export", choices=sorted(FORMS), help="with --dry-run: write the samples as JSONL")
    add("--output", metavar="FILE", type=Path, help="where --export writes")
    add("--json", action="store_true", help="print the result as JSON")


def run(options: argparse.Namespace) -> int:
    """Train and tell the verdict; returns what :data:`EPILOG` says, raises what failed."""
    root = options.repo.absolute()
    if not root.is_dir():
        raise SettingsError(f"there is no folder {root}; give the repository's root")
    if bool(options.export) != bool(options.output):
        raise SettingsError("--export and --output belong together")
    if options.export and not options.dry_run:
        raise SettingsError("--export goes with --dry-run: it writes what would be learnt")
    config = _config(options)
    if options.dry_run:
        return _dry_run(root.resolve(), config, options)
    console = _console(stderr=options.json)
    try:
        with _display(console) as listener:
            job = TrainingRun(root.resolve(), StorePaths.default(), config, listener)
            if options.gate_seconds is not None:
                job = replace(job, gate_seconds=options.gate_seconds)
            outcome = job.execute()
    except RunCancelledError as error:
        print(f"tenon: {error}", file=sys.stderr)
        return error.status
    if options.json:
        print(json.dumps(_result(outcome)))
    else:
        console.print(as_table(outcome.report))
        console.print(_sentence(outcome))
    return 0 if outcome.report.promoted else NOT_PROMOTED


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
    console = _console(stderr=True)
    with Ledger() as ledger, _display(console) as listener:
        prepared = TrainingRun(root, StorePaths.default(), config, listener).prepared(ledger)
    dataset = prepared.dataset
    if options.export:
        count = math.ceil(config.recipe.passes * dataset.pass_size)
        terms = dataset.terms
        layout = Layout(terms.fim, terms.budget, terms.tokenizer.count)
        written = export(map(dataset.example, range(count)), options.output, options.export, layout)
        console.print(f"{options.output}: {written.written} samples")
        for reason, number in written.left_out.items():
            console.print(f"left out: {number} ({reason})")
    if options.json:
        print(json.dumps(_plan(prepared, config)))
    else:
        _show(prepared, config, _console(stderr=False))
    return 0


def _plan(prepared: Prepared, config: TrainConfig) -> dict[str, Any]:
    """What a dry run says in JSON."""
    dataset = prepared.dataset
    files = [it.file for it in prepared.curated.files]
    names = identifier_report(files, dataset.terms.tokenizer, 20)
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
        f"kept for a look, and what the run said is in {outcome.run}."
    )


@contextmanager
def _display(console: Console) -> Iterator[Listener]:
    if not console.is_terminal:
        yield Lines(console).listener
        return
    with Live(console) as live:
        yield live.listener


def _console(*, stderr: bool) -> Console:
    """Paths and code are printed as they are: ``[id]`` in one is no colour."""
    return Console(stderr=stderr, highlight=False, markup=False, soft_wrap=True)


def _seconds(text: str) -> float:
    """A number of seconds, 0 or more."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, 0 or more")
    return seconds
