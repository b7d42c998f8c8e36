"""A repository's runs as an editor's progress displays: step, loss, time left; a stop cancels."""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import PurePath
from typing import Protocol

from .editor import Display
from .trainer_messages import TrainerReport

REPORT_SECONDS = 0.5
"""Between two words to the editor."""


class DisplayingEditor(Protocol):
    """What is needed of an editor."""

    def display(
        self, title: str, on_cancel: Callable[[], None]
    ) -> AbstractAsyncContextManager[Display]: ...


class TrainingProgress:
    """Follows the reports of one repository; ``cancel`` is called if the user stops a run."""

    def __init__(self, editor: DisplayingEditor, cancel: Callable[[], None]) -> None:
        self._editor = editor
        self._cancel = cancel
        self._latest: TrainerReport | None = None
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def follow(self, report: TrainerReport) -> None:
        """Show what a report says, if a run is under way."""
        self._latest = report
        self._news.set()
        if is_running(report) and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._show(report.root))

    async def aclose(self) -> None:
        """End what is shown."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _show(self, root: str) -> None:
        title = f"Tenon learns {PurePath(root).name}"
        async with self._editor.display(title, self._cancel) as display:
            while (report := self._latest) is not None and is_running(report):
                display.show(describe(report), percentage(report))
                await self._calm()

    async def _calm(self) -> None:
        """Until there is news, and a while longer: a run may report hundreds of steps a second."""
        self._news.clear()
        await self._news.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REPORT_SECONDS):
                while self._latest is not None and is_running(self._latest):
                    self._news.clear()
                    await self._news.wait()


def is_running(report: TrainerReport) -> bool:
    """Whether a run is under way, even if it stands still for the moment."""
    if report.state == "paused":
        return report.paused_by not in {"", "user"} and report.steps > 0
    return report.state in {"preparing", "training", "judging"}


def describe(report: TrainerReport) -> str:
    """What a run does, in a few words."""
    if report.state == "preparing" or not report.steps:
        return report.message or report.state
    if report.state == "paused":
        return f"paused ({report.paused_by}), step {report.step} of {report.steps}"
    of = "spans" if report.state == "judging" else "steps"
    words = [f"{report.state}, {report.step} of {report.steps} {of}"]
    if report.state == "training" and report.loss is not None:
        words.append(f"loss {report.loss:.3f}")
    if report.eta is not None:
        words.append(f"{_time(report.eta)} left")
    return ", ".join(words)


def percentage(report: TrainerReport) -> int | None:
    """Of the stage that a run is in; None: unknown."""
    return min(100 * report.step // report.steps, 100) if report.steps > 0 else None


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
