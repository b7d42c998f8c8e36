"""Parses many texts on all cores, in processes that neither Ctrl+C nor a crash leaves behind."""

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Self

from lsp_server.cores import usable_cores

from .stored_outline import parsed, refused

MOST_PROCESSES = 8
Text = tuple[str, str]
"""A text and its language."""
Batch = Callable[[], list[bytes]]
"""What was found in some texts, waited for."""


class ParsingPool:
    """Parses batches of texts; its processes start with the second one, and end with its block.

    The first batch is parsed here: of a repository in which little changed there is no other.
    ``processes`` of 1 starts none at all.
    """

    def __init__(self, processes: int | None = None) -> None:
        self.processes = processes or min(MOST_PROCESSES, usable_cores())
        self._pool: ProcessPoolExecutor | None = None
        self._lone: ProcessPoolExecutor | None = None
        self._batches = 0

    def submit(self, texts: Sequence[Text]) -> Batch:
        """Begin to parse; what is returned waits and gives :func:`.stored_outline.parsed` of each.

        A text that kills the process it is parsed in (a fault in a grammar's native code) is
        refused; the others are not touched by that.
        """
        if not texts:
            return list
        self._batches += 1
        if self.processes == 1 or self._batches == 1:
            return lambda: parse_all(texts)
        try:
            self._pool = self._pool or _pool(self.processes)
            with _interrupts_held():
                future = self._pool.submit(parse_all, texts)
        except BrokenProcessPool:
            self._pool = None
            return self.submit(texts)

        def found() -> list[bytes]:
            try:
                return future.result()
            except BrokenProcessPool:
                return [self._alone(text) for text in texts]

        return found

    def _alone(self, text: Text) -> bytes:
        """Parse a text that may be the one that ends its process."""
        self._lone = self._lone or _pool(1)
        try:
            with _interrupts_held():
                future = self._lone.submit(parse_all, [text])
            return future.result()[0]
        except BrokenProcessPool:
            self._lone = None
            return refused("its parser crashed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for pool in (self._pool, self._lone):
            if pool:
                pool.shutdown(wait=True, cancel_futures=True)


def parse_all(texts: Sequence[Text]) -> list[bytes]:
    """What a process of the pool does."""
    return [parsed(text, language) for text, language in texts]


def _pool(processes: int) -> ProcessPoolExecutor:
    # Spawned, not forked: whoever trains has threads (torch, the engine's client).
    return ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; ours is told
    gc.set_threshold(200_000, 50, 100)  # syntax trees are large and hold no cycles
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent does not leave its processes waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes that start here never see Ctrl+C, not even before :func:`_begin`."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
