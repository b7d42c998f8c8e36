"""``tenon index [REPO]``: what Tenon knows of a repository; which files it leaves out, and why."""

import argparse
import contextlib
import json
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from ..errors import SettingsError
from ..store.index import Contents, RepositoryIndex
from ..store.paths import StorePaths
from ..store.refreshing import Refreshed
from ..store.repositories import RepositoryStore
from ..store.rules import Rules
from ..store.walking import Skipped

EXAMPLES = 5
"""Skipped paths that are shown of each reason; ``--json`` has them all."""
NICENESS = 19


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the folder and the form of the answer."""
    parser.add_argument(
        "repo", metavar="REPO", nargs="?", type=Path, default=Path(), help="default: this folder"
    )
    parser.add_argument("--json", action="store_true", help="the same for a program, in full")
    # The server's own: after everything else on this machine.
    parser.add_argument("--background", action="store_true", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Bring a repository's index up to date and print what is in it."""
    if options.background and hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICENESS)
    root: Path = options.repo
    if not root.is_dir():
        raise SettingsError(f"{root} is no folder; give the root of a repository")
    store = RepositoryStore.of(StorePaths.default(), root)
    rules = Rules.of(store.root)
    with RepositoryIndex.open(store.index) as index:
        outcome = index.refresh(store.root, rules)
        contents = index.contents()
    if options.json:
        print(json.dumps(as_json(store, outcome, contents)))
    elif not options.background:
        print("\n".join(describe(store, outcome, contents)))
    return 0


def as_json(store: RepositoryStore, outcome: Refreshed, contents: Contents) -> dict[str, object]:
    """The public fields, whose names do not change."""
    return {
        "root": str(store.root),
        "index": str(store.index),
        "files": contents.files,
        "lines": contents.lines,
        "windows": contents.windows,
        "symbols": contents.symbols,
        "languages": contents.languages,
        "changed": outcome.changed,
        "removed": outcome.removed,
        "seconds": round(outcome.seconds, 3),
        "skipped": [{"path": entry.path, "reason": entry.reason} for entry in outcome.skipped],
    }


def describe(store: RepositoryStore, outcome: Refreshed, contents: Contents) -> list[str]:
    """The same as lines for a reader."""
    languages = ", ".join(f"{count} {name}" for name, count in contents.languages.items())
    lines = [
        f"{store.root}",
        f"  {contents.files} files ({languages or 'no code'}), {contents.lines} lines",
        f"  {contents.symbols} definitions, {contents.windows} windows",
        f"  {outcome.changed} read anew, {outcome.removed} removed, in {outcome.seconds:.1f} s",
        f"  {store.index}",
    ]
    if outcome.skipped:
        lines.append(f"left out: {len(outcome.skipped)} (folders with all that is in them)")
        lines += _by_reason(outcome.skipped)
    return lines


def _by_reason(skipped: Sequence[Skipped]) -> list[str]:
    ordered = sorted(skipped, key=lambda entry: (entry.reason, entry.path))
    lines = []
    for reason, group in groupby(ordered, key=lambda entry: entry.reason):
        paths = [entry.path for entry in group]
        more = f", and {len(paths) - EXAMPLES} more" if len(paths) > EXAMPLES else ""
        lines.append(f"  {reason}: {', '.join(paths[:EXAMPLES])}{more}")
    return lines
