"""The trainers of the folders that an editor has open: one a repository, for as long as it is."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from .errors import TrainerUnavailableError
from .indexing import is_repository
from .settings import ServerSettings
from .store.paths import StorePaths
from .store.rules import FILE_NAME
from .store.typing_mark import TypingMark
from .trainer import TYPING_SECONDS, TrainerProcess
from .trainer_messages import Order, Schedule, TrainerReport

_MARKS = (".git", FILE_NAME)
"""What the root of a repository holds; a worktree's ``.git`` is a file."""
_NOT_LEARNT = (
    "This folder is not learnt, because it is not the root of a git repository; open that one, "
    "or put an empty tenon.toml here."
)


class Trainers:
    """Begins and ends trainers; ``on_report`` hears of every report of any of them."""

    def __init__(self, paths: StorePaths, on_report: Callable[[TrainerReport], None]) -> None:
        self._paths = paths
        self._on_report = on_report
        self._schedule = Schedule(mode="off")
        self._trainers: dict[str, TrainerProcess] = {}
        self._unlearnt: dict[str, TrainerReport] = {}
        self._mark = TypingMark(paths)
        self._marked = -TYPING_SECONDS

    def configure(self, settings: ServerSettings) -> None:
        """Train as the settings say from now on."""
        self._schedule = schedule_of(settings)
        for trainer in self._trainers.values():
            trainer.configure(self._schedule)

    async def open(self, root: str) -> None:
        """A folder was opened; it has a trainer from now on if it is a repository's root."""
        if root in self._trainers:
            return
        # In a thread: the folder may lie on a network drive.
        if not await asyncio.to_thread(_is_root, root):
            self._unlearnt[root] = TrainerReport("off", _NOT_LEARNT, root)
            return
        trainer = await asyncio.to_thread(TrainerProcess, self._paths, root, self._on_report)
        if root not in self._trainers:
            self._trainers[root] = trainer
            trainer.configure(self._schedule)

    async def close(self, root: str) -> None:
        """A folder was closed: nobody learns it any more."""
        self._unlearnt.pop(root, None)
        if (trainer := self._trainers.pop(root, None)) is not None:
            await trainer.aclose()

    def typed(self) -> None:
        """A key was pressed in some document: whatever is learnt on this machine makes room."""
        for trainer in self._trainers.values():
            trainer.typed()
        now = time.monotonic()
        if now - self._marked >= TYPING_SECONDS:
            self._marked = now
            self._mark.set()

    def report_of(self, root: str) -> TrainerReport | None:
        """What the trainer of a folder does; None for a folder that is not open."""
        trainer = self._trainers.get(root)
        return trainer.report if trainer else self._unlearnt.get(root)

    def report_for(self, root: str | None) -> TrainerReport | None:
        """What is told where a status is about ``root``: the run that is under way, whichever
        folder's, for it is what can be watched, paused and cancelled; else what that folder's
        trainer does.
        """
        own = self.report_of(root) if root else None
        if own is not None and _is_run(own):
            return own
        reports = (trainer.report for trainer in self._trainers.values())
        return next(filter(_is_run, reports), own)

    def order(self, root: str, order: Order) -> None:
        """Hand an order to a folder's trainer; raises TrainerUnavailableError with the reason."""
        trainer = self._trainers.get(root)
        if trainer is None:
            report = self._unlearnt.get(root)
            raise TrainerUnavailableError(report.message if report else f"{root} is not open here.")
        trainer.order(order)

    def retry(self) -> None:
        """Look again whether trainers can be begun, as after packages were installed."""
        for trainer in self._trainers.values():
            trainer.retry()

    async def aclose(self) -> None:
        """End them all, at the same time."""
        await asyncio.gather(*(trainer.aclose() for trainer in self._trainers.values()))


def schedule_of(settings: ServerSettings) -> Schedule:
    """When to train, as an editor's settings say."""
    return Schedule(
        mode=settings.training,
        min_changes=settings.training_min_changes,
        idle_seconds=settings.training_idle_seconds,
        min_gap_minutes=settings.training_min_gap_minutes,
        on_battery=settings.training_on_battery,
        hours=settings.training_hours,
    )


def _is_run(report: TrainerReport) -> bool:
    """Whether a report is of a run; who paused a trainer that had nothing to do is told of none."""
    if report.state == "paused":
        return report.steps > 0 or report.paused_by != "user"
    return report.state in {"preparing", "training", "judging"}


def _is_root(root: str) -> bool:
    folder = Path(root)
    return is_repository(folder) and any((folder / mark).exists() for mark in _MARKS)
