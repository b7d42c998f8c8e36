"""The watcher of one repository (``tenon watch``) as a child: begun, listened to, begun again.

It has no opinion on training: orders go in, reports come out, and whatever ends the child, even a
kill, costs a moment's wait. What it remembers lies on disk, see ``store/trainer_state.py``.
"""

import asyncio
import contextlib
import logging
import subprocess
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from . import children
from .children import ChildLog
from .errors import TrainerUnavailableError
from .store.paths import StorePaths
from .store.repositories import RepositoryStore
from .store.training_extra import missing_packages, to_install
from .trainer_messages import (
    NOT_NOW,
    Order,
    Schedule,
    Train,
    TrainerReport,
    TrainerState,
    Typing,
    decode_report,
)

_log = logging.getLogger(__name__)
BACK_OFF_SECONDS = (1.0, 5.0, 30.0, 300.0)
"""Before the first, second, … new start of a child that ended; the last is kept to."""
HEALTHY_SECONDS = 60.0
"""A child that lived so long has earned that its back-off begins anew."""
ELSEWHERE_SECONDS = 60.0
"""Between two attempts to take over from another window."""
TYPING_SECONDS = 0.25
"""Between two words of typing: a run that stands still stands still for seconds."""
GRACE_SECONDS = 2.0
"""What a child gets to end by itself, and again after it was asked to."""
LINE_BYTES, UNREAD_BYTES = 1 << 20, 1 << 16
ELSEWHERE = "another editor window watches this repository"
OFF = "Training is switched off by `tenon.training`."


class TrainerProcess:
    """Keeps a watcher of ``root`` alive while the schedule's mode is not ``off``.

    ``on_report`` hears of every report, the child's or about it; it must not raise. ``command``
    is what is started, ``missing`` names packages that it would lack.
    """

    def __init__(
        self,
        paths: StorePaths,
        root: str,
        on_report: Callable[[TrainerReport], None],
        *,
        command: Sequence[str] | None = None,
        missing: Callable[[], list[str]] | None = None,
    ) -> None:
        self.root = root
        self.report = TrainerReport("off", OFF, root)
        self._paths = paths
        self._on_report = on_report
        self._command = list(command or children.command("watch", root))
        self._missing = missing or missing_packages
        name = RepositoryStore.of(paths, Path(root)).folder.name
        self._log = ChildLog(paths.logs / f"watch-{name}.log")
        self._schedule = Schedule(mode="off")
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._waiting: list[Order] = []
        self._typed = -TYPING_SECONDS

    @property
    def pid(self) -> int | None:
        """The child's process id; None while none runs."""
        return self._process.pid if self._process else None

    def configure(self, schedule: Schedule) -> None:
        """Train by this schedule from now on; a mode of ``off`` ends the child, others begin it."""
        changed, self._schedule = schedule != self._schedule, schedule
        if schedule.mode == "off":
            self._stop()
            self._tell(TrainerReport("off", OFF, self.root, last=self.report.last))
        elif self._task is None:
            self._tell(self._about("idle", "The trainer is starting."))
            self._task = asyncio.create_task(self._keep(self._ending))
        elif changed and self._process is not None:
            self._write(self._process, schedule)

    def order(self, order: Order) -> None:
        """Hand on an order; a child that is down is begun for it at once.

        Raises TrainerUnavailableError, with the reason, where none can be begun.
        """
        if self._task is None or self.report.state == "unavailable" or self._is_elsewhere:
            raise TrainerUnavailableError(self.report.message)
        if isinstance(order, Train) and self.report.state == "off":  # by the team, who goes first
            raise TrainerUnavailableError(self.report.message)
        if self._process is not None:
            self._write(self._process, order)
        else:
            self._waiting.append(order)
            self._wake.set()

    def typed(self) -> None:
        """A key was pressed: tells the child, at once, then at most four times a second."""
        now = time.monotonic()
        if self._process is not None and now - self._typed >= TYPING_SECONDS:
            self._typed = now
            self._write(self._process, Typing())

    def retry(self) -> None:
        """Look again whether the child can be begun, as after packages were installed."""
        self._wake.set()

    async def aclose(self) -> None:
        """End the child: its input closes, then it is asked to, then it is killed."""
        self._stop()
        if self._ending is not None:
            await asyncio.gather(self._ending, return_exceptions=True)

    @property
    def _is_elsewhere(self) -> bool:
        return self.report.waiting_for == (ELSEWHERE,)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._ending, self._task = self._task, None
        self._waiting.clear()

    async def _keep(self, older: asyncio.Task[None] | None) -> None:
        if older is not None:  # it watches until it has ended, and two would be one too many
            await asyncio.gather(older, return_exceptions=True)
        failures = 0
        while True:
            if missing := await asyncio.to_thread(self._missing):
                self._tell(self._about("unavailable", to_install(missing)))
                await self._pause(None)
                continue
            began = time.monotonic()
            status, said = await self._once()
            if time.monotonic() - began >= HEALTHY_SECONDS:
                failures = 0
            if status == NOT_NOW:
                _log.info("%s is watched elsewhere: %s", self.root, said)
                sentence = f"{ELSEWHERE[0].upper()}{ELSEWHERE[1:]}; it learns for this one, too."
                self._tell(self._about("waiting", sentence, (ELSEWHERE,)))
                await self._pause(ELSEWHERE_SECONDS)
                continue
            wait = BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)]
            failures += 1
            reason = said or f"it ended with status {status}; its log is {self._log.path}"
            _log.warning("the trainer of %s is down: %s", self.root, reason)
            sentence = f"The trainer is down and begins again in {wait:.0f} s: {reason}"
            self._tell(self._about("error", sentence))
            await self._pause(wait)

    async def _pause(self, seconds: float | None) -> None:
        """Wait, but not if somebody wants something."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _once(self) -> tuple[int | None, str]:
        """One child from its beginning to its end: its status, and its last word to the user."""
        written = self._log.size()
        try:
            process = await self._spawn()
        except OSError as error:
            return None, f"it could not be started ({error})"
        try:
            self._write(process, self._schedule)
            for order in self._waiting:
                self._write(process, order)
            self._waiting.clear()
            self._process = process
            await self._listen(process)
        finally:
            self._process = None
            await children.end(process, GRACE_SECONDS)
        return process.returncode, await asyncio.to_thread(self._log.last_word, written)

    async def _spawn(self) -> Process:
        self._paths.root.mkdir(parents=True, exist_ok=True)
        with self._log.open() as log:
            return await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._paths.root,
                env=children.environment(self._paths),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                limit=LINE_BYTES,
                start_new_session=True,  # Ctrl-C in a shell is the server's, which ends it in order
                creationflags=children.no_window(),
            )

    async def _listen(self, process: Process) -> None:
        """Hand on what the child reports, until it says nothing more."""
        if process.stdout is None:
            raise AssertionError("the child was started with a pipe")
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                _log.warning("the trainer of %s wrote a line without end; it is skipped", self.root)
                continue
            if not line:
                return
            try:
                report = decode_report(line)
            except msgspec.DecodeError as error:
                _log.warning("the trainer of %s wrote no report: %s", self.root, error)
                continue
            self._tell(msgspec.structs.replace(report, root=self.root))

    def _write(self, process: Process, order: Order) -> None:
        pipe = process.stdin
        if pipe is None or pipe.is_closing():
            return
        if isinstance(order, Typing) and pipe.transport.get_write_buffer_size() > UNREAD_BYTES:
            return  # it reads nothing; what it was told last is soon enough
        pipe.write(msgspec.json.encode(order) + b"\n")

    def _about(
        self, state: TrainerState, message: str, waiting_for: tuple[str, ...] = ()
    ) -> TrainerReport:
        """A report of ours; what the child knew last is kept."""
        old = self.report
        return TrainerReport(
            state, message, self.root,
            pending=old.pending, waiting_for=waiting_for,
            manual=self._schedule.mode == "manual", last=old.last,
        )  # fmt: skip

    def _tell(self, report: TrainerReport) -> None:
        self.report = report
        self._on_report(report)
