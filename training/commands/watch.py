"""``tenon watch ROOT``: learn a repository again whenever there is enough new in it."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from lsp_server.errors import SettingsError
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.trainer_state import read_trainer
from lsp_server.trainer_messages import NOT_NOW, Schedule, TrainerReport, decode_order

from ..running.yielding import give_way, half_of_the_cores
from ..signals import to_be_heard
from ..watching.bursts import Changed
from ..watching.messages import EndOfOrders
from ..watching.scanning import scan
from ..watching.surroundings import Surroundings
from ..watching.watcher import Watcher

_log = logging.getLogger(__name__)
EPILOG = """An editor starts it, writes orders to its standard input and reads reports, one JSON
object a line each; it ends with its input. In a terminal it says in words what it does.

exit status:
  0   it was ended
  1   it could not begin; the message says what to do
  75  another one watches this repository
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the repository, and what is done once instead of watching."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("root", metavar="ROOT", nargs="?", type=Path, default=Path())
    once = parser.add_mutually_exclusive_group()
    once.add_argument(
        "--count", action="store_true", help="print how many functions are new, and end"
    )
    once.add_argument(
        "--drift",
        action="store_true",
        help="print what the running engine's adapter makes of new code (JSON), and end",
    )


def run(options: argparse.Namespace) -> int:
    """Watch until the input ends; returns what :data:`EPILOG` says."""
    root = options.root.absolute()
    if not root.is_dir():
        raise SettingsError(f"there is no folder {root}; give the repository's root")
    at = Surroundings(root.resolve(), StorePaths.default())
    store = RepositoryStore.of(at.paths, at.root)
    if options.count or options.drift:
        give_way(background=True)
        if options.count:
            print(scan(at.root, store, Changed(), processes=half_of_the_cores()))
        else:
            from ..watching.drift import measure  # noqa: PLC0415 - the watcher is to stay small

            scores = asyncio.run(measure(at.root, at.paths, seed=os.getpid()))
            print(json.dumps(msgspec.to_builtins(scores)))
        return 0
    store.ensure()
    try:
        with FileLock(store.folder / "watch.lock", timeout=0):
            return _watch(at)
    except Timeout:
        watcher = read_trainer(store).watcher
        who = f" (process {watcher.pid})" if watcher and watcher.is_alive else ""
        print(
            f"tenon: {root} is being watched already{who}; `tenon status` says what it does",
            file=sys.stderr,
        )
        return NOT_NOW


def _watch(at: Surroundings) -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    alone = sys.stdin is None or sys.stdin.isatty()
    watcher = Watcher(at, _say if alone else _Lines().write)
    for number in to_be_heard():
        signal.signal(number, lambda *_: watcher.inbox.put(EndOfOrders()))
    if alone:
        watcher.inbox.put(Schedule())
    else:
        listening = threading.Thread(target=_listen, args=(watcher,), daemon=True, name="orders")
        listening.start()
    watcher.run()
    return 0


def _listen(watcher: Watcher) -> None:
    """Hand on what is ordered, line by line."""
    for line in sys.stdin.buffer:
        try:
            watcher.inbox.put(decode_order(line))
        except msgspec.DecodeError as error:
            _log.warning("an order that is none: %s", error)
    watcher.inbox.put(EndOfOrders())


class _Lines:
    """Reports as JSON lines; a reader that is gone will end the input as well."""

    def __init__(self) -> None:
        self._out = sys.stdout.buffer

    def write(self, report: TrainerReport) -> None:
        with suppress(BrokenPipeError):
            self._out.write(msgspec.json.encode(report) + b"\n")
            self._out.flush()


def _say(report: TrainerReport) -> None:
    """A report as a line for a person; whose terminal is closed reads none, and ends us."""
    line = f"{report.state}: {report.message}"
    if report.steps:
        line += f", {report.step} of {report.steps}"
    if report.loss is not None:
        line += f", loss {report.loss:.3f}"
    with suppress(OSError):
        print(line, flush=True)
