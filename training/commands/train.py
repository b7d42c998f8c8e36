"""``tenon train [REPO]``: learn a repository, and let the adapter serve only if it is better."""

import argparse
import json
import math
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec

from lsp_server.errors import NotNowError, SettingsError
from lsp_server.store.paths import StorePaths
from lsp_server.trainer_messages import NOT_NOW, NOT_PROMOTED

from ..data.exports import FORMS
from ..gate.table import as_table
from ..interruption import RunCancelledError
from ..recipe.config import Method, TrainConfig, read_config
from ..run import Outcome, TrainingRun
from ..running.team import Team
from ..running.yielding import give_way, half_of_the_cores
from .train_events import Events
from .train_plan import dry_run
from .train_progress import console_of, display

EPILOG = f"""Several processes train together under `accelerate launch -m lsp_server train REPO`, on
CPUs under `python -m torch.distributed.run -m lsp_server train REPO`; the first of them speaks.

exit status:
  0    the adapter was promoted: it serves the repository from now on (or --dry-run is done)
  {NOT_PROMOTED}    it was not promoted: what served before goes on serving
  1    nothing was trained, or it failed; the message says what to do
  2    wrong usage
  {NOT_NOW}   with --background: not now (another run goes on, memory is short); try again later
  130  cancelled with Ctrl+C (143: with SIGTERM, 129: its terminal was closed); what served before
       goes on serving, and the next run of the same code and settings goes on from here
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
    add("--background", action="store_true", help="lowest priority, half of the cores")
    add("--events", action="store_true", help="print each event as a line of JSON, nothing else")
    add("--json", action="store_true", help="print the result as JSON")


def run(options: argparse.Namespace) -> int:
    """Train and tell the verdict; returns what :data:`EPILOG` says, raises what failed."""
    events = Events(sys.stdout) if options.events else None
    try:
        return _run(options, events)
    except RunCancelledError as error:
        print(f"tenon: {error}", file=sys.stderr)
        return error.status
    except Exception as error:
        if events is not None:
            events.error(f"{error}" or type(error).__name__)
        if not (options.background and isinstance(error, NotNowError)):
            raise
        print(f"tenon: {error}", file=sys.stderr)
        return NOT_NOW


def _run(options: argparse.Namespace, events: Events | None) -> int:
    root, config, team = _root(options), _config(options), Team.of_launch()
    if options.dry_run:
        return dry_run(root, config, options) if team.leads else 0
    give_way(background=options.background)
    job = TrainingRun(root, StorePaths.default(), config)
    if options.gate_seconds is not None:
        job = replace(job, gate_seconds=options.gate_seconds)
    if options.background:
        job = replace(job, threads=half_of_the_cores())
    if not team.leads:
        with redirect_stdout(sys.stderr):
            job.help(team)
        return 0
    if events is None:
        return _with_console(job, team, as_json=options.json)
    with redirect_stdout(sys.stderr):  # whatever a library prints
        outcome = replace(job, listener=events.listener).execute(team)
    events.outcome(outcome)
    return _status(outcome)


def _root(options: argparse.Namespace) -> Path:
    """The repository's folder; raises SettingsError for options that contradict each other."""
    root: Path = options.repo.absolute()
    if not root.is_dir():
        raise SettingsError(f"there is no folder {root}; give the repository's root")
    if bool(options.export) != bool(options.output):
        raise SettingsError("--export and --output belong together")
    if options.export and not options.dry_run:
        raise SettingsError("--export goes with --dry-run: it writes what would be learnt")
    if options.events and (options.json or options.dry_run):
        raise SettingsError("--events goes with neither --json nor --dry-run")
    return root.resolve()


def _with_console(job: TrainingRun, team: Team, *, as_json: bool) -> int:
    console = console_of(stderr=as_json)
    with display(console) as listener:
        outcome = replace(job, listener=listener).execute(team)
    if as_json:
        print(json.dumps(_result(outcome)))
    else:
        console.print(as_table(outcome.report))
        console.print(_sentence(outcome))
    return _status(outcome)


def _status(outcome: Outcome) -> int:
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


def _seconds(text: str) -> float:
    """A number of seconds, 0 or more."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, 0 or more")
    return seconds
