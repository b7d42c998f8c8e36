"""How a run looks while it goes on: bars in a terminal, plain lines elsewhere."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..recipe.recipe import TrainingEvent
from ..running.job import Listener


def sentence(event: TrainingEvent) -> str:
    """One line of a run."""
    if event.step == 0:
        return f"before training: held out {event.heldout:.4f}"
    told = [] if math.isnan(event.loss) else [f"loss {event.loss:.4f}"]
    told += [] if event.heldout is None else [f"held out {event.heldout:.4f}"]
    return (
        f"step {event.step}/{event.steps}: {''.join(f'{it}, ' for it in told)}"
        f"{event.tokens_per_second:,.0f} tokens/s, {_duration(event.eta)} left"
    )


class Lines:
    """Every event as a line; of the gate's steps, every tenth part."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = ("", -1)
        self.listener = Listener(self._stage, self._event, self._judged)

    def _stage(self, text: str) -> None:
        self._console.print(text)

    def _event(self, event: TrainingEvent) -> None:
        self._console.print(sentence(event))

    def _judged(self, step: str, done: int, total: int) -> None:
        tenth = 10 * done // max(1, total)
        if (step, tenth) != self._told:
            self._told = (step, tenth)
            self._console.print(f"{step}: {done} of {total} spans")


class Live:
    """One bar for the stage that runs, below the names of those that ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(), TextColumn("{task.fields[detail]}"),
            console=console, transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=None, detail="")
        self.listener = Listener(self._stage, self._event, self._judged)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._progress.stop()

    def _stage(self, text: str) -> None:
        if ended := self._progress.tasks[0].description:
            self._console.print(f"done: {ended}")
        self._progress.reset(self._task, description=text, total=None, detail="")

    def _event(self, event: TrainingEvent) -> None:
        held = "" if event.heldout is None else f"held out {event.heldout:.4f}, "
        loss = "" if math.isnan(event.loss) else f"loss {event.loss:.4f}, "
        detail = f"{loss}{held}{event.tokens_per_second:,.0f} tokens/s"
        self._progress.update(self._task, completed=event.step, total=event.steps, detail=detail)

    def _judged(self, step: str, done: int, total: int) -> None:
        self._progress.update(
            self._task, description=f"judging: {step}", completed=done, total=total, detail=""
        )


@contextmanager
def display(console: Console) -> Iterator[Listener]:
    """Whoever follows a run on this console."""
    if not console.is_terminal:
        yield Lines(console).listener
        return
    with Live(console) as live:
        yield live.listener


def console_of(*, stderr: bool) -> Console:
    """Paths and code are printed as they are: ``[id]`` in one is no colour."""
    return Console(stderr=stderr, highlight=False, markup=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
