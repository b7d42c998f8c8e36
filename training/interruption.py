"""Signals that end a run: noted at once, obeyed where it does no harm."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from .recipe.recipe import TrainingCancelledError
from .signals import to_be_heard

POLL_SECONDS = 0.2
Result = TypeVar("Result")


class RunCancelledError(TrainingCancelledError):
    """A signal ended a run; ``status`` is what a process exits with then."""

    def __init__(self, number: int) -> None:
        super().__init__("training was cancelled; what served before goes on serving")
        self.status = 128 + number


@dataclass(slots=True)
class Interruption:
    """Whether a signal came; ``number`` is 0 until then."""

    number: int = 0

    def __call__(self) -> bool:
        return self.number != 0

    def check(self) -> None:
        """Raises TrainingCancelledError if a signal came."""
        if self():
            raise TrainingCancelledError("training was cancelled")

    def before(self, measure: Callable[[float], Result]) -> Callable[[float], Result]:
        """The same, which raises TrainingCancelledError if a signal came before it is called."""

        def measured(at: float) -> Result:
            self.check()
            return measure(at)

        return measured

    async def unless(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What ``work`` returns; it is cancelled, and TrainingCancelledError raised, if a signal
        comes meanwhile.
        """
        task = asyncio.create_task(work)
        while not task.done():
            await asyncio.wait([task], timeout=POLL_SECONDS)
            if self() and not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                self.check()
        return task.result()


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Notes the signals of the block, for the main thread.

    A second SIGINT is Python's own KeyboardInterrupt. TrainingCancelledError leaves the block as
    RunCancelledError.
    """
    asked = Interruption()

    def note(number: int, _frame: FrameType | None) -> None:
        asked.number = asked.number or number
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {it: signal.signal(it, note) for it in to_be_heard()}
    try:
        yield asked
    except TrainingCancelledError as error:
        raise RunCancelledError(asked.number or signal.SIGINT) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
