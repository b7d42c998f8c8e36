"""Work that takes a while, done one after the other beside the watcher, which must stay prompt."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a piece of work: its result, or the error that ended it."""

    name: str
    result: Any = None
    error: Exception | None = None


class Worker:
    """One thread; ``told`` hears of every piece of work in it."""

    def __init__(self, told: Callable[[Done], None]) -> None:
        self._told = told
        self._work: SimpleQueue[tuple[str, Callable[[], Any]]] = SimpleQueue()
        Thread(target=self._run, daemon=True, name="tenon-watch-worker").start()

    def submit(self, name: str, work: Callable[[], Any]) -> None:
        """Do ``work`` after what was submitted before."""
        self._work.put((name, work))

    def _run(self) -> None:
        while True:
            name, work = self._work.get()
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - the watcher tells of it and goes on
                _log.info("%s: %s", name, error)
                self._told(Done(name, error=error))
            else:
                self._told(Done(name, result))
