"""The one thread that computes: picks whose next chunk it is, and lets nobody wait for a whole job.

Two lanes. Priority 0 or less is a user who waits; more than 0 is background work, in a context of
its own so that it never evicts the user's KV cache. Whenever a user's job is there, it gets every
step; background work goes on after it from where it stood.
"""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from ..errors import EngineUnavailableError
from .generation import Generation, Lane

Failed = Callable[[Exception], None]
Result = TypeVar("Result")
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Job:
    """A generation on its way; ``cancelled`` may be set by any thread at any time."""

    generation: Generation
    priority: int
    failed: Failed
    cancelled: threading.Event = field(default_factory=threading.Event)
    submitted: float = field(default_factory=time.perf_counter)


@dataclass(slots=True)
class _Queue:
    """What waits for a lane, and what runs in it."""

    lane: Lane
    waiting: list[tuple[int, int, Job]] = field(default_factory=list)
    running: Job | None = None
    steps: Iterator[None] = field(default_factory=lambda: iter(()))


class Scheduler:
    """Runs jobs on its own thread until it is closed."""

    def __init__(self, interactive: Lane, background: Lane) -> None:
        self._queues = (_Queue(interactive), _Queue(background))
        self._calls: list[Callable[[], None]] = []
        self._condition = threading.Condition()
        self._arrivals = itertools.count()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="tenon-generate", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job: lower priority first, then in order of arrival."""
        with self._condition:
            if self._closed:
                raise EngineUnavailableError("The engine is closing; try again in a moment.")
            heapq.heappush(
                self._queues[job.priority > 0].waiting, (job.priority, next(self._arrivals), job)
            )
            self._condition.notify()

    def between_steps(self, call: Callable[[], None]) -> None:
        """Have ``call`` run on the computing thread while no decode runs."""
        with self._condition:
            self._calls.append(call)
            self._condition.notify()

    def computed(self, call: Callable[[], Result]) -> Result:
        """What ``call`` returns on the computing thread; waits for it."""
        future: Future[Result] = Future()

        def compute() -> None:
            try:
                future.set_result(call())
            except Exception as error:  # noqa: BLE001 - it belongs to who waits
                future.set_exception(error)

        self.between_steps(compute)
        return future.result()

    @property
    def depth(self) -> int:
        """Jobs that wait or run."""
        with self._condition:
            return self._depth()

    @property
    def is_alive(self) -> bool:
        """Whether the thread computes."""
        return self._thread.is_alive()

    def _depth(self) -> int:
        return sum(len(queue.waiting) + (queue.running is not None) for queue in self._queues)

    def close(self) -> None:
        """Abandon everything and end the thread; waits for the current decode."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join()
        for call in self._calls:
            _guarded(call)
        for queue in self._queues:
            jobs = [job for _, _, job in queue.waiting]
            for job in [queue.running, *jobs]:
                if job is not None and not job.cancelled.is_set():
                    job.failed(EngineUnavailableError("The engine has been closed."))

    def _loop(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or self._calls or self._depth())
                if self._closed:
                    return
                calls, self._calls = self._calls, []
                queue = next((entry for entry in self._queues if _wanted(entry)), None)
                if queue and queue.running is None:
                    _start(queue)
            for call in calls:
                _guarded(call)
            if queue:
                _step(queue)


def _guarded(call: Callable[[], None]) -> None:
    """Nothing that others ask for may end the computing thread."""
    try:
        call()
    except Exception:  # noqa: BLE001 - whatever it is, the thread must go on
        _LOG.exception("A call on the computing thread failed.")


def _wanted(queue: _Queue) -> bool:
    return queue.running is not None or bool(queue.waiting)


def _start(queue: _Queue) -> None:
    _, _, job = heapq.heappop(queue.waiting)
    queue.running = job
    waited = 1000 * (time.perf_counter() - job.submitted)
    queue.steps = job.generation.run(queue.lane, queued_ms=waited)


def _step(queue: _Queue) -> None:
    """One decode of what runs in a queue; an error ends that job alone."""
    job = queue.running
    if job is None:
        return
    try:
        if job.cancelled.is_set():
            queue.running = None
            return
        next(queue.steps)
    except StopIteration:
        queue.running = None
    except Exception as error:  # noqa: BLE001 - whatever it is, the other jobs go on
        _LOG.exception("A generation failed.")
        queue.running = None
        _guarded(partial(job.failed, error))
