"""All that learns the repositories of one editor: trainers, what it sees of them, the set-up.

The server imports this after `initialized`.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from .errors import TrainerUnavailableError
from .settings import ServerSettings
from .store.paths import StorePaths
from .store.training_extra import missing_packages
from .trainer_messages import Cancel, Order, TrainerReport
from .trainers import Trainers
from .training_progress import DisplayingEditor, TrainingProgress
from .training_setup import TrainingSetup

_log = logging.getLogger(__name__)


INSTALL, NOT_NOW = "Install", "Not now"


class Editor(DisplayingEditor, Protocol):
    """What is needed of an editor: a display, and a question; and whether it shows runs itself."""

    @property
    def shows_trainer(self) -> bool: ...

    async def choose(self, message: str, actions: Sequence[str]) -> str | None: ...


class Learning:
    """``on_report`` is called after every report, ``on_learnt`` after a run that was promoted."""

    def __init__(
        self,
        paths: StorePaths,
        editor: Editor,
        on_report: Callable[[], None],
        on_learnt: Callable[[], None],
    ) -> None:
        self._editor = editor
        self._on_report = on_report
        self._on_learnt = on_learnt
        self._trainers = Trainers(paths, self._heard)
        self._setup = TrainingSetup(paths)
        self._progress: dict[str, TrainingProgress] = {}
        self._promoted: dict[str, str] = {}

    def configure(self, settings: ServerSettings) -> None:
        """Train as the settings say from now on."""
        self._trainers.configure(settings)

    async def open(self, root: str) -> None:
        """A folder was opened."""
        await self._trainers.open(root)

    async def close(self, root: str) -> None:
        """A folder was closed."""
        await self._trainers.close(root)
        if progress := self._progress.pop(root, None):
            await progress.aclose()

    def typed(self) -> None:
        """A key was pressed in some document."""
        self._trainers.typed()

    def report_of(self, root: str) -> TrainerReport | None:
        """What the trainer of a folder does; None for a folder that is not open."""
        return self._trainers.report_of(root)

    def report_for(self, root: str | None) -> TrainerReport | None:
        """The run that is under way, whichever folder's; else what the trainer of ``root`` does."""
        return self._trainers.report_for(root)

    def order(self, root: str, order: Order) -> None:
        """Hand an order to a folder's trainer; raises TrainerUnavailableError with the reason."""
        self._trainers.order(root, order)

    async def set_up(self) -> bool:
        """Install what training needs, if the user agrees to its size; trainers begin after it.

        Returns whether all is installed; raises TenonError if it could not begin.
        """
        if await asyncio.to_thread(missing_packages) and not await self._installed():
            return False
        self._trainers.retry()
        return True

    async def _installed(self) -> bool:
        title = "Tenon: installing what training needs"
        async with self._editor.display(title, self._setup.stop) as display:
            display.show("looking how much there is to download", None)
            size = await self._setup.look()
            question = f"Install what training needs, for this editor's Tenon alone? {size}."
            if await self._editor.choose(question, (INSTALL, NOT_NOW)) != INSTALL:
                return False
            done = await self._setup.install(lambda line: display.show(line, None))
        if not done:
            _log.error("what training needs was not installed; the lines above say why")
        return done

    async def aclose(self) -> None:
        """End the trainers; what they were in the midst of goes on the next time."""
        self._setup.stop()
        await self._trainers.aclose()
        for progress in self._progress.values():
            await progress.aclose()

    def _heard(self, report: TrainerReport) -> None:
        root = report.root
        if not self._editor.shows_trainer:
            if root not in self._progress:
                self._progress[root] = TrainingProgress(self._editor, partial(self._cancel, root))
            self._progress[root].follow(report)
        self._on_report()
        last = report.last
        if last is not None and last.promoted and self._promoted.get(root) != last.adapter:
            self._promoted[root] = last.adapter
            self._on_learnt()

    def _cancel(self, root: str) -> None:
        try:
            self._trainers.order(root, Cancel())
        except TrainerUnavailableError as error:
            _log.info("there is no run to cancel: %s", error)
