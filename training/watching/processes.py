"""A process that trains: started, held, let go on, ended; a child or somebody else's."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Any

import msgspec
import psutil

from lsp_server import children
from lsp_server.store.locks import Holder
from lsp_server.store.paths import StorePaths
from lsp_server.store.training_rules import TrainingRules

KEPT_LINES = 20
"""Of what a run says on standard error."""
NEVER = -1e9
READ_SECONDS = 5.0
"""For what an ended process has said: a child of its own may hold its output open."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line of a run's standard output, as :mod:`training.commands.train` writes it."""

    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """A run's process is gone; ``said`` is the last that it wrote to standard error."""

    status: int
    said: str


def train_command(root: Path, rules: TrainingRules) -> list[str]:
    """How a run is started: the package that runs now, with the team's limits."""
    words = children.command("train", str(root), "--background", "--events")
    if rules.time_budget is not None:
        words += ["--time-budget", str(rules.time_budget)]
    if rules.gate_seconds is not None:
        words += ["--gate-seconds", str(rules.gate_seconds)]
    return words


class TrainProcess:
    """A run as a child, in a group of its own: what it starts is held and ended with it.

    But in the watcher's session. If the watcher is killed while the run stands still, the group is
    orphaned with stopped members, and the system sends it SIGHUP and SIGCONT (POSIX, `_exit`): the
    run saves itself and ends. In a session of its own it would stand there for ever, holding its
    memory and the machine's lock.

    ``told`` hears what it says and that it ended, in other threads.
    """

    def __init__(
        self, command: Sequence[str], paths: StorePaths, told: Callable[[Said | Ended], None]
    ) -> None:
        """Start it; raises ``OSError``."""
        paths.root.mkdir(parents=True, exist_ok=True)
        apart: dict[str, Any] = {"process_group": 0}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.IDLE_PRIORITY_CLASS}
        self._told = told
        self._lines: list[str] = []
        self._child = subprocess.Popen(
            list(command),
            cwd=paths.root,
            env=children.environment(paths),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **apart,
        )
        self.holder = holder_of(self._child.pid)
        errors = Thread(target=self._read_errors, daemon=True, name="tenon-run-errors")
        events = Thread(target=self._read_events, daemon=True, name="tenon-run-events")
        waits = Thread(
            target=self._wait, args=(events, errors), daemon=True, name="tenon-run-status"
        )
        for thread in (errors, events, waits):
            thread.start()

    def suspend(self) -> None:
        """Stop it where it stands, with all that it started."""
        self._signal_group("SIGSTOP", suspend)

    def resume(self) -> None:
        """Let it go on."""
        self._signal_group("SIGCONT", resume)

    def terminate(self) -> None:
        """Ask it to save and to end; one that is suspended goes on for that."""
        self.resume()
        with contextlib.suppress(OSError):
            self._child.terminate()

    def kill(self) -> None:
        """End it at once, with all that it started."""
        if sys.platform == "win32":
            kill(self.holder)
        elif self._child.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def _signal_group(self, name: str, each: Callable[[Holder], None]) -> None:
        if sys.platform == "win32":
            each(self.holder)
        elif self._child.poll() is None:  # nobody else can have its number yet
            with contextlib.suppress(OSError):
                os.killpg(self._child.pid, getattr(signal, name))

    def _read_events(self) -> None:
        for line in _lines(self._child.stdout):
            with contextlib.suppress(msgspec.DecodeError):
                self._told(Said(msgspec.json.decode(line, type=dict[str, Any])))

    def _read_errors(self) -> None:
        for line in _lines(self._child.stderr):
            self._lines = [*self._lines, line.decode("utf-8", "replace").rstrip()][-KEPT_LINES:]

    def _wait(self, *readers: Thread) -> None:
        status = self._child.wait()
        for reader in readers:
            reader.join(READ_SECONDS)
        said = next((line for line in reversed(self._lines) if line.strip()), "")
        self._told(Ended(status, said.removeprefix("tenon: ")))


def _lines(output: IO[bytes] | None) -> Iterator[bytes]:
    if output is not None:
        with output:
            yield from output


def holder_of(pid: int) -> Holder:
    """A process and when it began; one that is gone already is nobody."""
    try:
        return Holder.of(pid)
    except psutil.Error:
        return Holder(pid, NEVER)


def suspend(holder: Holder) -> None:
    """Stop a process and all that it started; nothing happens to one that is gone."""
    for process in _family(holder):
        with contextlib.suppress(psutil.Error):
            process.suspend()


def resume(holder: Holder) -> None:
    """Undo :func:`suspend`."""
    for process in reversed(_family(holder)):
        with contextlib.suppress(psutil.Error):
            process.resume()


def end(holder: Holder) -> None:
    """Have a process that may be suspended save and end."""
    resume(holder)
    if holder.is_alive:
        with contextlib.suppress(psutil.Error):
            psutil.Process(holder.pid).terminate()


def kill(holder: Holder) -> None:
    """End a process at once, with all that it started."""
    for process in _family(holder):
        with contextlib.suppress(psutil.Error):
            process.kill()


def _family(holder: Holder) -> list[psutil.Process]:
    """The process, which goes first, and those below it."""
    if not holder.is_alive:
        return []
    try:
        process = psutil.Process(holder.pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
